"""The catalogue, the offers and the choice (C17-C21)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from creditmesh.intake.model import Application, ApplicationClosed, NotAwaited, Outcome
from creditmesh.intake.terms import ChosenTerms, TermsAltered
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.errors import Forbidden, InvalidInput
from creditmesh.kernel.money import format_minor
from creditmesh.offers.catalogue import Catalogue
from creditmesh.offers.cost import cost_of
from creditmesh.offers.exposure import CapacityExhausted, LimitExhausted
from creditmesh.offers.matching import match
from creditmesh.offers.model import NotALender, NothingMatches, Product, ProductTerms
from creditmesh.offers.offer import Fit, Nearest, Need, Offer, Wanted, within
from creditmesh.offers.schedule import Method
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.fields import validated
from creditmesh.platform.institutions import ADDRESS_BOOK
from tests.support import aws, wired
from tests.support.world import ADDRESSES, BORROWER, DISBURSEMENT, LENDER, RANKING, TERMS, World


def fixed(bps: int) -> dict[str, Any]:
    return {"type": "fixed", "annual_rate_bps": bps}


def product(product_id: str = "p-1", lender: str = "lender-a", bps: int = 780, **changes: Any) -> Product:
    stored = {"lender_id": lender, "product_id": product_id, "version": 1, "pushed_at": "x", "pushed_by": "user-1"}
    return Product.model_validate({**TERMS, **stored, "price": fixed(bps), **changes})


def need(**changes: Any) -> Need:
    given = {"amount_minor": 10_000_000, "currency": "CNY", "term_months": 12, "available_minor": 30_000_000,
             "grade": "B", "industry": "C34", "today": date(2026, 11, 21)}  # fmt: skip
    return Need.model_validate({**given, **changes})


def offered(products: list[Product], **changes: Any) -> list[Offer]:
    return match(Catalogue.of(products), need(**changes), RANKING).offers


def nearest(products: list[Product], **changes: Any) -> Nearest | None:
    return match(Catalogue.of(products), need(**changes), RANKING).nearest


@pytest.mark.parametrize(
    ("low", "high", "fit", "amount", "most"),
    [
        ("100000.00", "300000.00", Fit.FULL, "100000.00", "300000.00"),
        ("1000.00", "100000.00", Fit.FULL, "100000.00", "100000.00"),
        ("1000.00", "99999.99", Fit.REDUCED, "99999.99", "99999.99"),
        ("300000.00", "500000.00", Fit.LARGER, "300000.00", "300000.00"),
        ("100000.01", "500000.00", Fit.LARGER, "100000.01", "300000.00"),
        ("1000.00", "50000.00", Fit.REDUCED, "50000.00", "50000.00"),
    ],
)
def test_a_limit_of_300000_and_a_request_of_100000(low: str, high: str, fit: Fit, amount: str, most: str) -> None:
    """The example of C18, at its edges and beyond (S12)."""
    (offer,) = offered([product(min_amount=low, max_amount=high)])
    assert (offer.fit, offer.amount, offer.max_amount) == (fit, amount, most)


@pytest.mark.parametrize(
    ("available", "amount", "fit"),
    [(10_000_000, "100000.00", Fit.FULL), (9_999_999, "99999.99", Fit.REDUCED), (5_000_000, "50000.00", Fit.REDUCED)],
)
def test_what_other_loans_leave_of_the_limit_reduces_the_offer(available: int, amount: str, fit: Fit) -> None:
    (offer,) = offered([product()], available_minor=available)
    assert (offer.amount, offer.fit) == (amount, fit)


@pytest.mark.parametrize(
    ("step", "asked", "amount", "most"),
    [("10000.00", 10_500_000, "100000.00", "300000.00"), ("70000.00", 10_500_000, "50000.00", "260000.00"),
     ("70000.00", 12_000_000, "120000.00", "260000.00"), ("0.01", 10_500_001, "105000.01", "300000.00")],
)  # fmt: skip
def test_amounts_are_whole_steps_above_the_smallest(step: str, asked: int, amount: str, most: str) -> None:
    (offer,) = offered([product(amount_step=step)], amount_minor=asked)
    assert (offer.amount, offer.max_amount, offer.fit) == (amount, most, Fit.FULL)


CONDITION = {"code": "pays_taxes", "when": {"==": [{"var": "tax_late_count_24m"}, 0]}, "text": "no late taxes"}


@pytest.mark.parametrize(
    ("changes", "need_changes", "code", "sentence"),
    [
        ({"min_amount": "300000.01"}, {}, "limit_below_minimum",
         "lends at least 300000.01, 300000.00 of the limit is left"),
        ({}, {"available_minor": 4_999_999}, "limit_below_minimum",
         "lends at least 50000.00, 49999.99 of the limit is left"),
        ({}, {"available_minor": -5}, "limit_below_minimum", "lends at least 50000.00, 0.00 of the limit is left"),
        ({"currency": "EUR"}, {}, "other_currency", "lends in EUR only"),
        ({"min_term_months": 13}, {}, "term_too_short", "lends for at least 13 months"),
        ({"max_term_months": 11}, {}, "term_too_long", "lends for at most 11 months"),
        ({"term_step_months": 6}, {}, "term_between_steps", "lends for 3 months and steps of 6 more"),
        ({"min_grade": "A"}, {}, "grade_too_low", "asks for grade A or better"),
        ({"industries_excluded": ["C34"]}, {}, "industry_excluded", "does not lend to industry C34"),
        ({"valid_from": "2026-11-22"}, {}, "not_on_offer", "is not on offer today"),
        ({"valid_until": "2026-11-20"}, {}, "not_on_offer", "is not on offer today"),
        ({"price": {"type": "by_grade", "annual_rates_bps": {"A": 500}}}, {}, "no_rate_for_grade",
         "has no rate for grade B"),
        ({"price": {"type": "risk_based", "margin_bps": 0, "floor_bps": 1, "cap_bps": 2}}, {}, "no_rate_for_grade",
         "has no rate for grade B"),
        ({}, {"cap_bps": 779}, "rate_exceeds_legal_cap", "costs more than the legal cap of 7.79 % a year"),
        ({"fees": [{"code": "entry", "charged": "at_payout", "share_bps": 100}]}, {"cap_bps": 800},
         "rate_exceeds_legal_cap", "costs more than the legal cap of 8.00 % a year"),
        ({"eligibility": [CONDITION]}, {"features": {"tax_late_count_24m": 1}}, "not_eligible",
         "asks for: no late taxes"),
        ({"eligibility": [CONDITION]}, {}, "eligibility_unknown",
         "asks for: no late taxes; the firm's data does not say whether it is so"),
    ],
)  # fmt: skip
def test_what_keeps_a_product_from_fitting(changes: Any, need_changes: Any, code: str, sentence: str) -> None:
    one = product(**changes)
    assert offered([one], **need_changes) == []
    found = nearest([one], **need_changes)
    assert found is not None
    assert (found.missing, [unmet.code for unmet in found.unmet]) == ([sentence], [code])


@pytest.mark.parametrize("fee", ["99990.00", "99999.00", "99999.99", "100000.00", "250000.00"])
@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("cap", [None, 2400])
def test_fees_that_take_up_the_amount_spoil_no_other_offer(fee: str, method: Method, cap: int | None) -> None:
    fees = [{"code": "entry", "charged": "at_payout", "amount": fee}]
    dear = product("p-2", min_amount="100000.00", fees=fees, repayment_methods=[method])
    (offer,) = offered([dear, product()], cap_bps=cap)
    assert offer.product_id == "p-1"
    lacking = nearest([dear], cap_bps=cap)
    assert lacking is not None
    assert [one.code for one in lacking.unmet] == ["rate_exceeds_legal_cap" if cap else "taken_up_by_fees"]


def test_a_products_capacity_bounds_its_offers() -> None:
    one = product(capacity="1000000.00")
    for left, amount in ((20_000_000, "100000.00"), (7_000_000, "70000.00")):
        (offer,) = match(Catalogue.of([one], {("lender-a", "p-1"): left}), need(), RANKING).offers
        assert offer.amount == amount
    found = match(Catalogue.of([one], {("lender-a", "p-1"): 4_999_999}), need(), RANKING).nearest
    assert found is not None
    assert found.missing == ["lends at least 50000.00, 49999.99 of its capacity is left"]


@pytest.mark.parametrize(
    ("price", "grade", "model", "bps"),
    [
        (fixed(780), "B", None, 780),
        ({"type": "by_grade", "annual_rates_bps": {"A": 500, "B": 650}}, "B", None, 650),
        ({"type": "risk_based", "margin_bps": 150, "floor_bps": 500, "cap_bps": 1500}, "B", 704, 854),
        ({"type": "risk_based", "margin_bps": -300, "floor_bps": 500, "cap_bps": 1500}, "B", 704, 500),
        ({"type": "risk_based", "margin_bps": 900, "floor_bps": 500, "cap_bps": 1500}, "B", 704, 1500),
    ],
)
def test_the_price_is_fixed_by_grade_or_the_models(price: Any, grade: str, model: int | None, bps: int) -> None:
    (offer,) = offered([product(price=price)], grade=grade, model_rate_bps=model)
    assert offer.annual_rate_bps == bps


def test_the_cost_is_disclosed_with_fees() -> None:
    """10,000 at 8.25 % in six instalments of 1,707.00, and 50.00 at the start; the rate by bisection."""
    fees = [{"code": "entry", "charged": "at_payout", "amount": "50.00"}]
    one = product(bps=825, min_amount="10000.00", fees=fees, min_term_months=6)
    (offer,) = offered([one], amount_minor=1_000_000, term_months=6)
    assert (offer.cost.instalment, offer.cost.total_repaid) == ("1707.00", "10292.01")
    assert (offer.cost.fees, offer.cost.net_paid) == ("50.00", "10000.00")
    assert (offer.cost.apr_percent, offer.cost.effective_rate_percent) == ("9.99", "10.46")
    deducted = product(bps=825, min_amount="10000.00", min_term_months=6,
                       fees=[{"code": "entry", "charged": "deducted", "share_bps": 50}])  # fmt: skip
    (other,) = offered([deducted], amount_minor=1_000_000, term_months=6)
    assert (other.cost.net_paid, other.cost.total_repaid) == ("9950.00", "10242.01")
    assert other.cost.apr_percent == offer.cost.apr_percent


ENTRY = {"code": "entry", "charged": "at_payout", "share_bps": 100}


@pytest.mark.parametrize(
    ("changes", "method", "instalment", "apr"),
    [
        ({}, Method.ANNUITY, "8884.88", "12.00"),
        ({}, Method.INTEREST_ONLY, "1000.00", "12.00"),
        ({}, Method.EQUAL_PRINCIPAL, "9333.33", "12.00"),
        ({}, Method.BULLET, "112000.00", "11.39"),  # 1.12 ** (1 / 12), compounded by month
        ({"grace_months": 2}, Method.ANNUITY, "10558.21", "12.00"),
        ({"grace_months": 2}, Method.EQUAL_PRINCIPAL, "11000.00", "12.00"),
    ],
)
def test_the_cost_follows_method_and_grace(changes: dict[str, Any], method: Method, instalment: str, apr: str) -> None:
    cost = cost_of(product(**changes), 10_000_000, 1200, method, 12)
    assert (cost.instalment, cost.apr_percent) == (instalment, apr)


@pytest.mark.parametrize(
    ("principal", "bps", "fee"), [(150, 100, 2), (250, 100, 2), (350, 100, 4), (149, 100, 1), (10_000, 1, 1)]
)
def test_a_share_is_rounded_half_to_even(principal: int, bps: int, fee: int) -> None:
    assert product(fees=[{**ENTRY, "share_bps": bps}]).fees_of(principal, "at_payout") == fee


@pytest.mark.parametrize("charged", ["at_payout", "deducted"])
def test_any_fee_of_the_start_counts_against_the_cap(charged: str) -> None:
    one = product(fees=[{**ENTRY, "charged": charged}])
    assert offered([one], cap_bps=970)
    assert offered([one], cap_bps=960) == []


@pytest.mark.parametrize(("grade", "fits"), [("C", True), ("D", True), ("E", False)])
def test_the_least_grade_is_lent_to(grade: str, fits: bool) -> None:
    assert bool(offered([product(min_grade="D")], grade=grade)) == fits


@pytest.mark.parametrize(
    ("months", "outside"), [(3, None), (9, None), (4, "term_months"), (8, "term_months"), (39, "term_months")]
)
def test_terms_are_whole_steps_above_the_shortest(months: int, outside: str | None) -> None:
    (offer,) = offered([product(term_step_months=3)])
    assert within(offer, 10_000_000, months, Method.ANNUITY) == outside


def test_of_equally_near_products_the_one_that_lends_most_is_named() -> None:
    small, large = (product(name, max_term_months=6, max_amount=most) for name, most in
                    (("a", "100000.00"), ("b", "400000.00")))  # fmt: skip
    for order in ([small, large], [large, small]):
        found = nearest(order)
        assert found is not None
        assert found.product_id == "b"


def test_full_offers_come_first_then_reduced_then_larger() -> None:
    larger = product("larger", bps=100, min_amount="200000.00")
    reduced = product("reduced", bps=200, max_amount="90000.00")
    full = product("full", bps=2_300, disbursement_hours=720)
    assert [one.product_id for one in offered([larger, reduced, full])] == ["full", "reduced", "larger"]


def test_the_ranking_weighs_cost_amount_and_speed() -> None:
    cheap = product("cheap", bps=500, disbursement_hours=72)
    fast = product("fast", bps=900, disbursement_hours=0)
    # 40 % cost of 36 % a year, 40 % fit of the amount, 20 % of a day's delay; figures worked out by hand.
    points = [(one.product_id, one.rank_points, one.points.model_dump()) for one in offered([cheap, fast])]
    assert points == [
        ("fast", 9000, {"cost": 7500, "amount": 10_000, "speed": 10_000}),
        ("cheap", 7944, {"cost": 8612, "amount": 10_000, "speed": 2500}),
    ]


def test_fees_cost_rank() -> None:
    plain = product("plain", bps=800)
    charged = product("charged", bps=700, fees=[{"code": "entry", "charged": "at_payout", "share_bps": 200}])
    assert [one.product_id for one in offered([charged, plain])] == ["plain", "charged"]


def test_ties_are_broken_by_name() -> None:
    twins = [product(name, lender) for name, lender in (("b", "l-2"), ("a", "l-2"), ("z", "l-1"))]
    expected = [("l-1", "z"), ("l-2", "a"), ("l-2", "b")]
    for order in (twins, twins[::-1]):
        assert [(offer.lender_id, offer.product_id) for offer in offered(order)] == expected


@pytest.mark.parametrize("fees", [[], [{"code": "entry", "charged": "at_payout", "share_bps": 300}]])
def test_of_many_products_the_best_fifty_are_offered(fees: list[Any]) -> None:
    """Every third has a fee, which only the exact cost tells; 50 long offers stay below an item's 400 KB (X9)."""
    long = {"name": "商" * 80, "repayment_methods": list(Method)}
    products = [product(f"p-{n:04}", "l" * 90, 2_000 - n, fees=fees if n % 3 == 0 else [], **long) for n in range(900)]
    offers = offered(products)
    assert len(offers) == 50
    scored = sorted((-one.rank_points, one.product_id) for p in products for one in offered([p]))[:50]
    assert sorted((-one.rank_points, one.product_id) for one in offers) == scored
    assert len(json.dumps([one.model_dump(mode="json") for one in offers], ensure_ascii=False).encode()) < 200_000


def test_the_nearest_lacks_least() -> None:
    far = product("far", max_term_months=3, min_grade="AAA")
    close = product("close", max_term_months=11)
    found = nearest([far, close])
    assert found is not None
    assert (found.product_id, found.missing) == ("close", ["lends for at most 11 months"])
    assert nearest([]) is None


@pytest.mark.parametrize(
    "change",
    [{"min_amount": "500000.01"}, {"min_amount": "0.00"}, {"min_term_months": 37}, {"valid_from": "2028-01-01"},
     {"price": fixed(-1)}, {"price": fixed(3601)}, {"min_grade": "Z"}, {"extra": 1}, {"min_amount": "1"},
     {"amount_step": "0.00"}, {"price": {"type": "by_grade", "annual_rates_bps": {}}}, {"grace_months": 3},
     {"price": {"type": "risk_based", "margin_bps": 1, "floor_bps": 9, "cap_bps": 8}}, {"capacity": "-1.00"},
     {"fees": [{"code": "x", "charged": "late", "amount": "1.00", "share_bps": 1}]}, {"due_day": 32},
     {"fees": [{"code": "xx", "charged": "late", "amount": "1"}]}, {"repayment_methods": ["balloon"]},
     {"eligibility": [{"code": "ok", "when": {"<": [{"var": "no_such_feature"}, 1]}, "text": "xx"}]},
     {"repayment_methods": ["annuity", "annuity"]},
     {"fees": [{"code": "xx", "charged": "late", "amount": "1.00"}] * 2},
     {"eligibility": [{"code": "ok", "when": {"<": [{"var": "tax_late_count_24m"}, 1]}, "text": "xx"}] * 2}],
)  # fmt: skip
def test_terms_that_make_no_sense(change: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, InvalidInput)):
        ProductTerms.model_validate({**TERMS, **change})


JOINT = {"company": 3, "bank": 7}


@pytest.mark.parametrize(
    ("joint", "field"),
    [
        *(({**JOINT, part: size}, f"joint_lending.{part}") for part in JOINT for size in (0, -1, 101, 1.5, "3", None)),
        ({"company": 1}, "joint_lending.bank"),
        ({**JOINT, "loans_from": 0}, "joint_lending.loans_from"),
        ({**JOINT, "loans_from": 1001}, "joint_lending.loans_from"),
        *(({**JOINT, "total_from": total}, "joint_lending.total_from") for total in ("0.00", "1", "-1.00")),
        ({**JOINT, "ratio": 1}, "joint_lending.ratio"),
    ],
)  # fmt: skip
def test_impossible_joint_lending(joint: dict[str, Any], field: str) -> None:
    """Ratio to the bank and presets (J03, J04)."""
    with pytest.raises(InvalidInput) as refused:
        validated(TypeAdapter(ProductTerms), {**TERMS, "joint_lending": joint})
    assert refused.value.field == field


@pytest.mark.parametrize(("company", "bank", "n"), [(3, 7, "3/7"), (1, 100, "1/100"), (100, 1, "100"), (4, 2, "2")])
def test_the_ratio_to_the_bank_is_exact(world: World, company: int, bank: int, n: str) -> None:
    world.push(joint_lending={"company": company, "bank": bank, "loans_from": 1, "total_from": "0.01"})
    (one,) = wired.products().catalogue()
    assert one.joint_lending is not None
    assert one.joint_lending.ratio == Fraction(n)


def test_a_lender_keeps_its_own_catalogue(world: World) -> None:
    world.push("p-1")
    world.push("p-1", price=fixed(700))
    world.push("p-1", "lender-b")
    assert [(one.lender_id, one.version, one.price.model_dump()) for one in wired.products().catalogue()] == [
        ("lender-a", 2, fixed(700)), ("lender-b", 1, fixed(780)),
    ]  # fmt: skip
    wired.products().take_back(LENDER, "p-1")
    assert [one.lender_id for one in wired.products().catalogue()] == ["lender-b"]
    for act in (lambda: wired.products().take_back(BORROWER, "p-1"),
                lambda: wired.products().push(BORROWER, "p-2", ProductTerms.model_validate(TERMS))):  # fmt: skip
        with pytest.raises(Forbidden):
            act()


@pytest.mark.parametrize("tenant", ["company-registry", "tax-bureau", "lender-z", "LENDER-A", "lender-a ", ""])
def test_only_a_lender_of_the_directory_has_products(world: World, tenant: str) -> None:
    with pytest.raises(NotALender, match="directory"):
        world.push("p-1", tenant)
    assert world.items("Products") == []


def leaves(world: World, lender: str) -> None:
    """The lender is no longer in the address book, and five minutes have passed since."""
    left = {name: one for name, one in ADDRESSES.items() if name != lender}
    book = aws.text(left).encode()
    world.stack.clients["s3"].put_object(Bucket=world.stack.refs["ArtefactBucket"], Key=ADDRESS_BOOK, Body=book)
    platform().__dict__.pop("addresses")


@pytest.fixture
def directory(world: World) -> Iterator[None]:
    yield
    leaves(world, "nobody")


@pytest.mark.usefixtures("directory")
def test_a_lender_that_has_left_offers_nothing(world: World) -> None:
    world.to_assessed()
    world.push("p-1")
    world.push("p-1", "lender-b")
    leaves(world, "lender-a")
    assert [one.lender_id for one in wired.products().catalogue()] == ["lender-b"]
    wired.offers().offer(world.application_id, "t-1")
    assert [one.lender_id for one in wired.offers().of(BORROWER, world.application_id)[1]] == ["lender-b"]


@pytest.mark.usefixtures("directory")
def test_an_offer_of_a_lender_that_has_left_cannot_be_chosen(world: World) -> None:
    world.to_offered("t-1")
    leaves(world, "lender-a")
    with pytest.raises(InvalidInput) as refused:
        world.choose()
    assert refused.value.field == "lender_id"
    assert world.steps.succeeded == {}


def test_offered_chosen_and_gone_on(world: World) -> None:
    world.to_offered("t-1")
    application, offers = wired.offers().of(BORROWER, world.application_id)
    assert application.status == "offered"
    assert [one.product_id for one in offers] == ["p-1"]
    chosen = world.choose()
    assert (chosen.status, chosen.chosen_lender_id, chosen.chosen_product_id) == ("chosen", "lender-a", "p-1")
    assert world.steps.succeeded == {"t-1": {}}


def test_what_was_chosen_stays_as_it_was_offered(world: World) -> None:
    """Whatever becomes of the catalogue, or of the offers when the step runs once more."""
    world.to_offered("t-1")
    _, (offer,) = wired.offers().of(BORROWER, world.application_id)
    world.choose()
    world.push("p-1", price=fixed(1200))
    terms = world.application().chosen_terms
    assert terms is not None
    assert (terms.version, terms.amount, terms.annual_rate_bps, terms.term_months) == (1, offer.amount, 780, 12)
    assert (terms.repayment_method, terms.day_count, terms.cost) == ("annuity", "ACT/365F", offer.cost.model_dump())
    (stored,) = world.items("Applications")
    assert terms.sha256 == stored["chosen_terms"]["sha256"]


ALTERED: list[dict[str, Any]] = [
    {"lender_id": "lender-b"}, {"product_id": "p-2"}, {"version": 2}, {"amount": "100000.01"}, {"currency": "EUR"},
    {"term_months": 13}, {"repayment_method": "bullet"}, {"annual_rate_bps": 779}, {"day_count": "ACT/360"},
    {"due_day": 1}, {"grace_months": 1}, {"fees": [{"code": "entry", "charged": "late", "amount": "1.00"}]},
    {"cost": {}}, {"sha256": "0" * 64},
]  # fmt: skip


@pytest.mark.parametrize("change", ALTERED, ids=lambda change: next(iter(change)))
def test_altered_terms_are_found_wherever_they_are_read(world: World, change: dict[str, Any]) -> None:
    """Whatever is frozen, by its hash (E12)."""
    world.to_submitted()
    assert set(ChosenTerms.model_fields) == {name for one in ALTERED for name in one}
    application, closing = world.application(), wired.closing_store().find(world.application_id)
    assert closing is not None
    terms = {**closing.terms.model_dump(mode="json"), **change}
    records: list[tuple[BaseModel, str]] = [(application, "chosen_terms"), (closing, "terms")]
    for record, name in records:
        with pytest.raises(TermsAltered):
            type(record).model_validate({**record.model_dump(mode="json"), name: terms})


@pytest.mark.parametrize("changed", ["lender_id", "product_id"])
def test_the_chosen_product_must_be_that_of_the_terms(world: World, changed: str) -> None:
    world.to_chosen()
    stored = world.application().model_dump(mode="json")
    with pytest.raises(TermsAltered):
        Application.model_validate({**stored, f"chosen_{changed}": "another"})


def test_terms_stored_before_a_field_was_known_keep_their_hash(world: World) -> None:
    world.to_chosen()
    terms = world.application().chosen_terms
    assert terms is not None

    class Newer(ChosenTerms):
        calendar: str = "CN"

    Newer.model_validate(terms.model_dump(mode="json")).verify("lender-a", "p-1")


def test_nothing_fits(world: World) -> None:
    world.to_assessed()
    world.push(max_term_months=6)
    with pytest.raises(NothingMatches):
        wired.offers().offer(world.application_id, "t-1")
    application = world.application()
    assert application.outcome == Outcome.NO_MATCH
    assert application.nearest is not None
    assert application.nearest["missing"] == ["lends for at most 6 months"]
    assert "lends for at most 6 months" in (application.outcome_note or "")
    with pytest.raises(ApplicationClosed):
        wired.offers().offer(world.application_id, "t-2")


def test_an_empty_catalogue(world: World) -> None:
    world.to_assessed()
    with pytest.raises(NothingMatches):
        wired.offers().offer(world.application_id, "t-1")
    assert (world.application().nearest, world.application().outcome_note) == (None, "the catalogue is empty")


def test_the_step_run_again_waits_with_the_newest_token(world: World) -> None:
    world.to_offered("t-1")
    wired.offers().offer(world.application_id, "t-2")
    assert len(wired.offers().of(BORROWER, world.application_id)[1]) == 1
    world.choose()
    assert world.steps.succeeded == {"t-2": {}}


def test_the_step_run_again_after_the_choice_goes_on(world: World) -> None:
    world.to_chosen()
    wired.offers().offer(world.application_id, "t-2")
    assert "t-2" in world.steps.succeeded
    assert world.application().status == "chosen"


def test_a_choice_made_while_the_step_ran_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_offered("t-1")
    products, catalogue = wired.products(), wired.products().catalogue

    def slow_catalogue() -> list[Product]:
        world.choose()
        return catalogue()

    monkeypatch.setattr(products, "catalogue", slow_catalogue)
    world.clock.advance(31)  # the catalogue is read again
    wired.offers().offer(world.application_id, "t-2")
    assert world.application().status == "chosen"
    assert "t-2" in world.steps.succeeded


def test_two_different_choices(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_assessed()
    world.push("p-1")
    world.push("p-2")
    wired.offers().offer(world.application_id, "t-1")
    world.after_next_read(monkeypatch, world.choose)
    for _ in ("at the same time", "later"):
        with pytest.raises(NotAwaited):
            world.choose("lender-a", "p-2")
    assert world.choose().chosen_product_id == "p-1"
    assert world.application().chosen_product_id == "p-1"


@pytest.mark.parametrize("bound", ["limit", "capacity"])
def test_a_choice_sent_twice_at_once_finds_itself(world: World, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    """Nothing is left after it: the second must not take its own commitment for another's."""
    world.to_assessed()
    limit = world.application().risk.limit_minor or 0  # type: ignore[union-attr]
    amount = format_minor(limit if bound == "limit" else 10_000_000)
    world.push(
        max_amount=format_minor(limit), min_amount="1000.00", **({"capacity": amount} if bound != "limit" else {})
    )
    wired.offers().offer(world.application_id, "t-1")

    def first() -> None:
        world.choose(amount=amount)
        world.clock.advance(1)  # else both are one request for DynamoDB

    world.after_next_read(monkeypatch, first)
    assert world.choose(amount=amount).chosen_product_id == "p-1"


@pytest.mark.parametrize(("lender", "wanted"), [("lender-a", "p-9"), ("lender-b", "p-1"), ("", "")])
def test_a_choice_that_was_not_offered(world: World, lender: str, wanted: str) -> None:
    world.to_offered()
    with pytest.raises(InvalidInput) as refused:
        world.choose(lender, wanted)
    assert refused.value.field == "product_id"


def test_a_choice_before_the_offers_or_by_another(world: World) -> None:
    world.to_assessed()
    with pytest.raises(NotAwaited):
        world.choose()
    wanted, operator = Wanted(lender_id="lender-a", product_id="p-1"), Caller("x", Role.OPERATOR, "platform")
    with pytest.raises(Forbidden):
        wired.offers().choose(operator, world.application_id, wanted)


def test_an_application_without_a_risk_result_gets_no_offers(world: World) -> None:
    world.to_collected()
    with pytest.raises(NotAwaited):
        wired.offers().offer(world.application_id, "t-1")


def test_the_borrower_chooses_within_the_offer(world: World) -> None:
    world.to_assessed()
    world.push(repayment_methods=["annuity", "equal_principal"], amount_step="1000.00", term_step_months=3)
    wired.offers().offer(world.application_id, "t-1")
    within = {"term_months": 18, "repayment_method": Method.EQUAL_PRINCIPAL}
    world.choose(version=1, amount="80000.00", **within)
    terms = world.application().chosen_terms
    assert terms is not None
    assert (terms.amount, terms.term_months, terms.repayment_method) == ("80000.00", 18, "equal_principal")
    assert terms.cost["instalment"] == "4964.44"  # 80,000 / 18 and a month's interest at 7.8 %
    assert (
        world.choose(amount="80000.00", term_months=18, repayment_method=Method.EQUAL_PRINCIPAL).chosen_terms == terms
    )
    with pytest.raises(NotAwaited, match="another choice"):
        world.choose(amount="81000.00", **within)


@pytest.mark.parametrize(
    ("within", "field"),
    [
        ({"amount": "49999.99"}, "amount"),
        ({"amount": "500000.01"}, "amount"),
        ({"amount": "50000.01"}, "amount"),
        ({"amount": "1e5"}, "amount"),
        ({"term_months": 2}, "term_months"),
        ({"term_months": 37}, "term_months"),
        ({"repayment_method": Method.BULLET}, "repayment_method"),
        ({"version": 2}, "version"),
    ],
)
def test_a_choice_outside_the_offer(world: World, within: dict[str, Any], field: str) -> None:
    world.to_assessed()
    world.push(amount_step="1000.00")
    wired.offers().offer(world.application_id, "t-1")
    with pytest.raises(InvalidInput) as refused:
        world.choose(**within)
    assert refused.value.field == field
    if refused.value.fault == "outside_offer":
        bounds = {"amount": "50000.00", "term_months": "3 to 36", "repayment_method": "annuity"}
        assert bounds[field] in str(refused.value)
    assert world.items("Exposures") == []


FLAT = {"fees": [{"code": "entry", "charged": "at_payout", "amount": "1000.00"}], "min_amount": "1000.00"}


@pytest.mark.parametrize(
    ("terms", "within", "field", "fault"),
    [
        (FLAT, {"amount": "1000.00"}, "amount", "taken_up_by_fees"),
        (FLAT, {"amount": "1000.01"}, "amount", "taken_up_by_fees"),
        (FLAT, {"amount": "1100.00"}, "amount", "taken_up_by_fees"),
        (FLAT, {"amount": "5000.00"}, "amount", "rate_exceeds_legal_cap"),
        (FLAT, {"term_months": 3, "amount": "5000.00"}, "amount", "rate_exceeds_legal_cap"),
        ({"fees": [{"code": "entry", "charged": "at_payout", "share_bps": 700}]}, {"term_months": 3},
         "term_months", "rate_exceeds_legal_cap"),
    ],
)  # fmt: skip
def test_what_fees_make_too_dear_cannot_be_chosen(
    world: World, terms: dict[str, Any], within: dict[str, Any], field: str, fault: str
) -> None:
    world.to_assessed()
    world.push(**terms)
    wired.offers().offer(world.application_id, "t-1")
    with pytest.raises(InvalidInput) as refused:
        world.choose(**within)
    assert (refused.value.field, refused.value.fault) == (field, fault)
    assert world.items("Exposures") == []


@pytest.mark.parametrize("amount", ["100.00", "123.45", "333.33", "1000.00", "77777.77"])
def test_a_rate_at_the_cap_can_be_chosen_whatever_the_cents(world: World, amount: str) -> None:
    world.to_assessed()
    world.push(price=fixed(2400), min_amount="100.00")
    wired.offers().offer(world.application_id, "t-1")
    assert world.choose(amount=amount).chosen_terms is not None


def test_a_larger_amount_must_be_said(world: World) -> None:
    world.to_assessed()
    world.push(min_amount="200000.00")
    wired.offers().offer(world.application_id, "t-1")
    with pytest.raises(InvalidInput) as refused:
        world.choose()
    assert refused.value.field == "amount"
    assert world.choose(amount="200000.00").chosen_terms is not None


def used(world: World, taxpayer_id: str | None = None) -> int:
    return int(wired.exposures().used(taxpayer_id or world.application().taxpayer_id))


def another(world: World, key: str) -> None:
    """A further application of the same firm, offered the product."""
    world.__dict__["application_id"] = world.apply(key).application_id
    world.collect()
    wired.assessment().score_in_process(world.application_id)
    wired.assessment().decide(world.application_id)
    wired.offers().offer(world.application_id, f"t-{key}")


def test_a_choice_reserves_its_amount_and_an_end_without_a_loan_releases_it(world: World) -> None:
    world.to_chosen()
    assert used(world) == world.application().amount_minor
    assert wired.commitments().ended(world.application_id, Outcome.LENDER_REJECTED)
    assert used(world) == 0
    assert not wired.commitments().ended(world.application_id, Outcome.LENDER_REJECTED)
    assert used(world) == 0


def test_a_loan_stays_outstanding_with_what_was_paid(world: World) -> None:
    world.to_ordered()
    assert world.say("loan.disbursed", "w-3", **DISBURSEMENT)
    paid = world.application().chosen_terms
    assert paid is not None
    for _ in range(2):
        wired.commitments().ended(world.application_id, Outcome.DISBURSED)
        assert used(world) == int(paid.amount.replace(".", ""))


def test_no_limit_is_promised_twice(world: World) -> None:
    """Three applications of a firm, each within the limit, together above it (S11)."""
    world.to_assessed()
    limit = world.application().risk.limit_minor or 0  # type: ignore[union-attr]
    world.push(max_amount=format_minor(limit), min_amount="1000.00")
    wired.offers().offer(world.application_id, "t-1")
    another(world, "key-00000002")
    second = world.application_id
    world.choose(amount=format_minor(limit - 100_000))
    world.__dict__["application_id"] = next(
        one["application_id"] for one in world.items("Applications") if one["application_id"] != second
    )
    with pytest.raises(LimitExhausted) as refused:
        world.choose(amount="1000.01")
    assert refused.value.parameters == {"left": "1000.00"}
    assert world.application().status == "offered"
    world.choose(amount="1000.00")
    assert used(world) == limit


def test_what_is_left_of_the_limit_is_offered(world: World) -> None:
    world.to_chosen()
    limit, taken = world.application().risk.limit_minor or 0, used(world)  # type: ignore[union-attr]
    another(world, "key-00000002")
    _, (offer,) = wired.offers().of(BORROWER, world.application_id)
    assert offer.max_amount == format_minor(min(limit - taken, 50_000_000))


def test_no_capacity_is_promised_twice(world: World) -> None:
    world.to_assessed()
    world.push(capacity="150000.00")
    wired.offers().offer(world.application_id, "t-1")
    another(world, "key-00000002")
    world.choose(amount="100000.00")
    other = next(one for one in world.items("Applications") if one["application_id"] != world.application_id)
    world.__dict__["application_id"] = other["application_id"]
    with pytest.raises(CapacityExhausted) as refused:
        world.choose(amount="60000.00")
    assert refused.value.parameters == {"left": "50000.00"}
    world.choose(amount="50000.00")


def test_versions_never_change(world: World) -> None:
    world.push("p-1")
    world.push("p-1")
    world.push("p-1", name="Renamed")
    wired.products().take_back(LENDER, "p-1")
    world.push("p-1", name="Back again")
    world.push("p-10")
    found = wired.products().versions(LENDER, "p-1")
    assert [(one.version, one.name) for one in found] == [(3, "Back again"), (2, "Renamed"), (1, "Working capital")]
    assert [one.product_id for one in wired.products().catalogue()] == ["p-1", "p-10"]


def test_fees_are_not_deducted_where_the_country_forbids_it(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        world.push(fees=[{"code": "entry", "charged": "deducted", "share_bps": 100}])
    assert (refused.value.field, refused.value.fault) == ("fees", "deduction_not_allowed")


def test_what_is_pushed_or_taken_back_counts_at_once_where_it_happened(world: World) -> None:
    """Though applications are matched against the catalogue of up to half a minute ago."""
    world.to_offered()
    world.push("p-2")
    wired.offers().offer(world.application_id, "t-2")
    assert [one.product_id for one in wired.offers().of(BORROWER, world.application_id)[1]] == ["p-1", "p-2"]
    wired.products().take_back(LENDER, "p-1")
    wired.offers().offer(world.application_id, "t-3")
    assert [one.product_id for one in wired.offers().of(BORROWER, world.application_id)[1]] == ["p-2"]
    world.push("p-3")
    wired.offers().offer(world.application_id, "t-4")
    assert [one.product_id for one in wired.offers().of(BORROWER, world.application_id)[1]] == ["p-2", "p-3"]


def test_a_choice_counts_in_its_month(world: World) -> None:
    world.to_assessed()
    world.push(monthly_capacity="300000.00")
    wired.offers().offer(world.application_id, "t-1")
    world.choose()
    month = world.clock.today().isoformat()[:7]
    used = {one["holder"]: one["used_minor"] for one in world.items("Exposures") if "used_minor" in one}
    assert used[f"product#lender-a#p-1#{month}"] == 10_000_000


def test_all_terms_of_the_version_offered_are_chosen(world: World) -> None:
    world.to_assessed()
    agreed = {"due_day": 15, "grace_months": 2, "day_count": "30/360"}
    world.push(fees=[ENTRY], **agreed)
    wired.offers().offer(world.application_id, "t-1")
    world.push(grace_months=0)
    terms = world.choose().chosen_terms
    assert terms is not None
    assert {name: getattr(terms, name) for name in agreed} == agreed
    assert (terms.fees, terms.cost["fees"]) == ([ENTRY], "1000.00")


def test_a_bank_chooses_for_its_firm_and_others_do_not(world: World) -> None:
    world.to_offered()
    wanted = Wanted(lender_id="lender-a", product_id="p-1")
    for role in (Role.LENDER, Role.OPERATOR, Role.MANAGER, Role.AUDITOR):
        with pytest.raises(Forbidden):
            wired.offers().choose(Caller("x", role, BORROWER.tenant), world.application_id, wanted)
    bank = Caller("bank-1", Role.BANK, BORROWER.tenant)
    assert wired.offers().choose(bank, world.application_id, wanted).status == "chosen"


def test_a_choice_may_not_cost_more_than_the_cap(world: World) -> None:
    """A fee weighs more the shorter the loan."""
    world.to_assessed()
    world.push(fees=[{**ENTRY, "share_bps": 600}], price=fixed(1000))
    wired.offers().offer(world.application_id, "t-1")
    with pytest.raises(InvalidInput) as refused:
        world.choose(term_months=3)
    assert (refused.value.field, refused.value.fault) == ("term_months", "rate_exceeds_legal_cap")
    assert world.choose(term_months=12).status == "chosen"


def test_offers_keep_to_the_countrys_cap_price_and_industry(world: World) -> None:
    world.to_assessed()
    application = world.application()
    assert application.risk is not None
    world.push("dear", price=fixed(2401))
    world.push("at-cap", price=fixed(2400))
    world.push("excluded", industries_excluded=[application.industry])
    world.push("by-risk", price={"type": "risk_based", "margin_bps": 1, "floor_bps": 0, "cap_bps": 3600})
    wired.offers().offer(world.application_id, "t-1")
    rates = {one.product_id: one.annual_rate_bps for one in wired.offers().of(BORROWER, world.application_id)[1]}
    assert rates == {"at-cap": 2400, "by-risk": (application.risk.annual_rate_bps or 0) + 1}


def test_a_lender_sees_its_own_versions_whatever_it_asks_for(world: World) -> None:
    world.push("p-1", "lender-b")
    assert wired.products().versions(LENDER, "p-1", "lender-b") == []


def test_a_condition_is_tried_on_the_firms_key_data(world: World) -> None:
    world.to_assessed()
    world.push(
        "p-1", eligibility=[{"code": "old", "when": {">": [{"var": "revenue_12m_minor"}, 10**15]}, "text": "xx"}]
    )
    world.push("p-2", eligibility=[{"code": "any", "when": {">": [{"var": "revenue_12m_minor"}, 1]}, "text": "xx"}])
    wired.offers().offer(world.application_id, "t-1")
    assert [one.product_id for one in wired.offers().of(BORROWER, world.application_id)[1]] == ["p-2"]
