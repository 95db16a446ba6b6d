"""The catalogue, the offers and the choice (C17-C21)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from creditmesh.intake.model import ApplicationClosed, ChosenTerms, NotAwaited, Outcome
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.errors import Forbidden, InvalidInput
from creditmesh.offers.model import (
    Need,
    NotALender,
    NothingMatches,
    Product,
    ProductTerms,
    match,
    nearest,
    sentence,
    unmet_terms,
)
from creditmesh.offers.store import OfferStore
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.institutions import ADDRESS_BOOK
from tests.support import aws, wired
from tests.support.world import ADDRESSES, BORROWER, LENDER, TERMS, World


def product(product_id: str = "p-1", lender: str = "lender-a", **changes: Any) -> Product:
    return Product.model_validate({**TERMS, "lender_id": lender, "product_id": product_id, "pushed_at": "x", **changes})


def need(**changes: Any) -> Need:
    given = {"amount_minor": 10_000_000, "currency": "CNY", "term_months": 12, "limit_minor": 30_000_000, "grade": "B",
             "industry": "C34", "today": date(2026, 11, 21)}  # fmt: skip
    return Need.model_validate({**given, **changes})


@pytest.mark.parametrize(
    ("low", "high"), [("100000.00", "300000.00"), ("1000.00", "100000.00"), ("300000.00", "500000.00")]
)
def test_a_limit_of_300000_and_a_request_of_100000_match(low: str, high: str) -> None:
    """The example of C18, at its edges."""
    (offer,) = match([product(min_amount=low, max_amount=high)], need())
    assert 100_000 <= float(offer.amount) <= float(offer.approvable_amount) <= 300_000


@pytest.mark.parametrize(
    ("changes", "need_changes", "told"),
    [
        ({"max_amount": "99999.99"}, {}, "lends at most 99999.99"),
        ({"min_amount": "300000.01"}, {}, "lends at least 300000.01, the limit is 300000.00"),
        ({}, {"limit_minor": 9_999_999}, "the limit 99999.99 is below the amount asked for"),
        ({"currency": "EUR"}, {}, "lends in EUR only"),
        ({"min_term_months": 13}, {}, "lends for at least 13 months"),
        ({"max_term_months": 11}, {}, "lends for at most 11 months"),
        ({"min_grade": "A"}, {}, "asks for grade A or better"),
        ({"industries_excluded": ["C34"]}, {}, "does not lend to industry C34"),
        ({"valid_from": "2026-11-22"}, {}, "is not on offer today"),
        ({"valid_until": "2026-11-20"}, {}, "is not on offer today"),
    ],
)
def test_what_keeps_a_product_from_fitting(changes: Any, need_changes: Any, told: str) -> None:
    one = product(**changes)
    (unmet,) = unmet_terms(one, need(**need_changes))
    assert sentence(unmet) == told
    assert all(str(value) in told for value in unmet.parameters.values())
    assert match([one], need(**need_changes)) == []


def test_the_ranking_weighs_amount_rate_and_speed() -> None:
    cheap = product("cheap", annual_rate_bps=500, disbursement_hours=72)
    fast = product("fast", annual_rate_bps=900, disbursement_hours=1)
    small = product("small", annual_rate_bps=900, disbursement_hours=72, max_amount="100000.00")
    offers = match([small, fast, cheap], need())
    # 40 % amount, 40 % rate, 20 % speed, each against the best of its kind (C19); figures worked out by hand.
    points = [(offer.product_id, offer.rank_points) for offer in offers]
    assert points == [("fast", 8222), ("cheap", 8054), ("small", 3609)]


def test_a_product_best_in_everything_has_all_points() -> None:
    (offer,) = match([product()], need())
    assert offer.rank_points == 10_000


@pytest.mark.parametrize("count", [49, 50, 51, 2000])
def test_the_best_fifty_are_offered(count: int) -> None:
    """With the longest names they fit an item (X9)."""
    texts = {"name": "好" * 80, "industries_excluded": ["x" * 40] * 100}
    products = [product(f"p-{number:05}", annual_rate_bps=3600 - number, **texts) for number in range(count)]
    offers = match(products, need())
    assert [one.annual_rate_bps for one in offers] == sorted(one.annual_rate_bps for one in products)[:50]
    item = OfferStore("Offers").put("app_1", offers).item
    assert len(json.dumps(item, ensure_ascii=False).encode()) < 100_000


def test_ties_are_broken_by_rate_and_then_by_name() -> None:
    twins = [product(name, lender) for name, lender in (("b", "l-2"), ("a", "l-2"), ("z", "l-1"))]
    expected = [("l-1", "z"), ("l-2", "a"), ("l-2", "b")]
    for order in (twins, twins[::-1]):
        assert [(offer.lender_id, offer.product_id) for offer in match(order, need())] == expected


def test_the_nearest_lacks_least() -> None:
    far = product("far", max_term_months=3, min_grade="AAA")
    close = product("close", max_term_months=11)
    found = nearest([far, close], need())
    assert found is not None
    assert (found.product_id, found.missing) == ("close", ["lends for at most 11 months"])
    assert nearest([], need()) is None


@pytest.mark.parametrize(
    "change",
    [{"min_amount": "500000.01"}, {"min_amount": "0.00"}, {"min_term_months": 37}, {"valid_from": "2028-01-01"},
     {"annual_rate_bps": 0}, {"annual_rate_bps": 3601}, {"min_grade": "Z"}, {"extra": 1}, {"min_amount": "1"}],
)  # fmt: skip
def test_terms_that_make_no_sense(change: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, InvalidInput)):
        ProductTerms.model_validate({**TERMS, **change})


def test_a_lender_keeps_its_own_catalogue(world: World) -> None:
    world.push("p-1")
    world.push("p-1", annual_rate_bps=700)
    world.push("p-1", "lender-b")
    assert [(one.lender_id, one.annual_rate_bps) for one in wired.offers().catalogue()] == [
        ("lender-a", 700), ("lender-b", 780),
    ]  # fmt: skip
    wired.offers().take_back(LENDER, "p-1")
    assert [one.lender_id for one in wired.offers().catalogue()] == ["lender-b"]
    for act in (lambda: wired.offers().take_back(BORROWER, "p-1"),
                lambda: wired.offers().push(BORROWER, "p-2", ProductTerms.model_validate(TERMS))):  # fmt: skip
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
    assert [one.lender_id for one in wired.offers().catalogue()] == ["lender-b"]
    wired.offers().offer(world.application_id, "t-1")
    assert [one.lender_id for one in wired.offers().of(BORROWER, world.application_id)[1]] == ["lender-b"]


@pytest.mark.usefixtures("directory")
def test_an_offer_of_a_lender_that_has_left_cannot_be_chosen(world: World) -> None:
    world.to_offered("t-1")
    leaves(world, "lender-a")
    with pytest.raises(InvalidInput) as refused:
        wired.offers().choose(BORROWER, world.application_id, "lender-a", "p-1")
    assert refused.value.field == "product_id"
    assert world.steps.succeeded == {}


def test_offered_chosen_and_gone_on(world: World) -> None:
    world.to_offered("t-1")
    application, offers = wired.offers().of(BORROWER, world.application_id)
    assert application.status == "offered"
    assert [one.product_id for one in offers] == ["p-1"]
    chosen = wired.offers().choose(BORROWER, world.application_id, "lender-a", "p-1")
    assert (chosen.status, chosen.chosen_lender_id, chosen.chosen_product_id) == ("chosen", "lender-a", "p-1")
    assert world.steps.succeeded == {"t-1": {}}


def test_what_was_chosen_stays_as_it_was_offered(world: World) -> None:
    """Whatever becomes of the catalogue, or of the offers when the step runs once more."""
    world.to_offered("t-1")
    _, (offer,) = wired.offers().of(BORROWER, world.application_id)
    wired.offers().choose(BORROWER, world.application_id, "lender-a", "p-1")
    world.push("p-1", annual_rate_bps=1200)
    terms = world.application().chosen_terms
    assert terms is not None
    assert terms.model_dump() == {name: getattr(offer, name) for name in ChosenTerms.model_fields}


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
    wired.offers().choose(BORROWER, world.application_id, "lender-a", "p-1")
    assert world.steps.succeeded == {"t-2": {}}


def test_the_step_run_again_after_the_choice_goes_on(world: World) -> None:
    world.to_chosen()
    wired.offers().offer(world.application_id, "t-2")
    assert "t-2" in world.steps.succeeded
    assert world.application().status == "chosen"


def test_a_choice_made_while_the_step_ran_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_offered("t-1")
    offers = wired.offers()
    catalogue = offers.catalogue

    def slow_catalogue() -> list[Product]:
        offers.choose(BORROWER, world.application_id, "lender-a", "p-1")
        return catalogue()

    monkeypatch.setattr(offers, "catalogue", slow_catalogue)
    offers.offer(world.application_id, "t-2")
    assert world.application().status == "chosen"
    assert "t-2" in world.steps.succeeded


def test_two_different_choices(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.to_assessed()
    world.push("p-1")
    world.push("p-2")
    wired.offers().offer(world.application_id, "t-1")
    first = (BORROWER, world.application_id, "lender-a", "p-1")
    world.after_next_read(monkeypatch, lambda: wired.offers().choose(*first))
    for _ in ("at the same time", "later"):
        with pytest.raises(NotAwaited):
            wired.offers().choose(BORROWER, world.application_id, "lender-a", "p-2")
    assert wired.offers().choose(BORROWER, world.application_id, "lender-a", "p-1").chosen_product_id == "p-1"
    assert world.application().chosen_product_id == "p-1"


@pytest.mark.parametrize(("lender", "wanted"), [("lender-a", "p-9"), ("lender-b", "p-1"), ("", "")])
def test_a_choice_that_was_not_offered(world: World, lender: str, wanted: str) -> None:
    world.to_offered()
    with pytest.raises(InvalidInput) as refused:
        wired.offers().choose(BORROWER, world.application_id, lender, wanted)
    assert refused.value.field == "product_id"


def test_a_choice_before_the_offers_or_by_another(world: World) -> None:
    world.to_assessed()
    with pytest.raises(NotAwaited):
        wired.offers().choose(BORROWER, world.application_id, "lender-a", "p-1")
    with pytest.raises(Forbidden):
        wired.offers().choose(Caller("x", Role.OPERATOR, "platform"), world.application_id, "lender-a", "p-1")


def test_an_application_without_a_risk_result_gets_no_offers(world: World) -> None:
    world.to_collected()
    with pytest.raises(NotAwaited):
        wired.offers().offer(world.application_id, "t-1")
