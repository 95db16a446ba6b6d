"""Offers keep to product, request and limit; their order does not depend on the catalogue's (C18-C20, S12)."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from creditmesh.kernel.money import Money, format_minor
from creditmesh.offers.catalogue import Catalogue
from creditmesh.offers.matching import Matched, match
from creditmesh.offers.model import GRADES, Product
from creditmesh.offers.offer import Fit, Need, within
from creditmesh.offers.schedule import Method
from tests.support.world import RANKING

TODAY = date(2026, 11, 21)
amounts = st.integers(1, 50).map(lambda units: units * 1_000_000)
days = st.integers(-2, 2).map(lambda number: TODAY + timedelta(days=number))
grades = st.sampled_from(GRADES)
industries = st.sampled_from(["A01", "C34", "F51"])
rates = st.integers(0, 3600)
prices = st.one_of(
    rates.map(lambda bps: {"type": "fixed", "annual_rate_bps": bps}),
    st.dictionaries(grades, rates, min_size=1).map(lambda found: {"type": "by_grade", "annual_rates_bps": found}),
    st.builds(
        lambda margin, bounds: {
            "type": "risk_based", "margin_bps": margin, "floor_bps": min(bounds), "cap_bps": max(bounds)
        },
        st.integers(-500, 500), st.tuples(rates, rates),
    ),
)  # fmt: skip
fees = st.lists(
    st.builds(
        lambda code, charged, share: {"code": code, "charged": charged, "share_bps": share},
        st.sampled_from(["entry", "service"]), st.sampled_from(["deducted", "at_payout", "late"]), st.integers(1, 500),
    ),
    max_size=2, unique_by=lambda fee: str(fee["code"]),
)  # fmt: skip


@st.composite
def products(draw: st.DrawFn) -> Product:
    low, high = sorted((draw(amounts), draw(amounts)))
    first, last = sorted((draw(st.integers(1, 36)), draw(st.integers(1, 36))))
    start, end = sorted((draw(days), draw(days)))
    return Product.model_validate({
        "lender_id": draw(st.sampled_from(["l-1", "l-2", "l-3"])), "version": 1, "pushed_at": "x", "pushed_by": "u",
        "product_id": draw(st.sampled_from(["p-1", "p-2", "p-3"])), "name": "Test",
        "currency": draw(st.sampled_from(["CNY", "CNY", "CNY", "EUR"])), "min_amount": format_minor(low),
        "max_amount": format_minor(high), "amount_step": draw(st.sampled_from(["0.01", "1000.00", "70000.00"])),
        "min_term_months": first, "max_term_months": last, "term_step_months": draw(st.sampled_from([1, 1, 6])),
        "repayment_methods": draw(st.lists(st.sampled_from(Method), min_size=1, max_size=4, unique=True)),
        "price": draw(prices), "fees": draw(fees), "disbursement_hours": draw(st.integers(0, 720)),
        "min_grade": draw(grades), "industries_excluded": draw(st.lists(industries, max_size=1)),
        "valid_from": start, "valid_until": end,
    })  # fmt: skip


@st.composite
def needs(draw: st.DrawFn) -> Need:
    return Need(
        amount_minor=draw(amounts), currency="CNY", term_months=draw(st.integers(1, 36)),
        available_minor=draw(st.integers(-10, 50_000_000)), grade=draw(grades), industry=draw(st.none() | industries),
        model_rate_bps=draw(st.none() | rates), today=TODAY, cap_bps=draw(st.sampled_from([1_000, 2_400, 3_600])),
    )  # fmt: skip


catalogues = st.lists(products(), max_size=12, unique_by=lambda one: (one.lender_id, one.product_id))


def matched(catalogue: list[Product], need: Need) -> Matched:
    return match(Catalogue.of(catalogue), need, RANKING)


def minor(text: str) -> int:
    return Money.parse(text, "CNY").minor


@given(catalogues, needs())
def test_every_offer_keeps_to_product_request_and_limit(catalogue: list[Product], need: Need) -> None:
    by_key = {(one.lender_id, one.product_id): one for one in catalogue}
    for offer in matched(catalogue, need).offers:
        product = by_key[offer.lender_id, offer.product_id]
        amount, most = minor(offer.amount), minor(offer.max_amount)
        assert product.min_minor <= amount <= most <= min(product.max_minor, need.available_minor)
        assert within(offer, amount, offer.term_months, offer.repayment_methods[0]) is None
        assert within(offer, most, offer.term_months, offer.repayment_methods[-1]) is None
        step = minor(product.amount_step)
        assert most + step > min(product.max_minor, need.available_minor)
        fits = {
            Fit.FULL: amount <= need.amount_minor < amount + step,
            Fit.REDUCED: amount == most < need.amount_minor,
            Fit.LARGER: amount == product.min_minor > need.amount_minor,
        }
        assert fits[offer.fit]
        assert product.min_term_months <= offer.term_months == need.term_months <= product.max_term_months
        assert offer.currency == product.currency == need.currency
        assert GRADES.index(need.grade) <= GRADES.index(product.min_grade)
        assert need.industry not in product.industries_excluded
        assert product.valid_from <= TODAY <= product.valid_until
        assert float(offer.cost.apr_percent) * 100 <= need.cap_bps + 1
        assert minor(offer.cost.net_paid) <= amount
        assert 0 <= offer.rank_points <= 10_000


@given(catalogues, needs())
def test_what_is_not_offered_lacks_something(catalogue: list[Product], need: Need) -> None:
    offered = {(offer.lender_id, offer.product_id) for offer in matched(catalogue, need).offers}
    for product in catalogue:
        alone = matched([product], need)
        assert bool(alone.offers) == ((product.lender_id, product.product_id) in offered)
        assert alone.offers or (alone.nearest and alone.nearest.missing)


@given(catalogues, needs(), st.randoms())
def test_the_catalogues_order_does_not_matter(catalogue: list[Product], need: Need, random: Random) -> None:
    assert matched(random.sample(catalogue, len(catalogue)), need) == matched(catalogue, need)


@given(catalogues, needs())
def test_full_before_reduced_before_larger_and_the_best_first(catalogue: list[Product], need: Need) -> None:
    offers = matched(catalogue, need).offers
    order = list(Fit)
    places = [(order.index(offer.fit), -offer.rank_points) for offer in offers]
    assert places == sorted(places)


@given(catalogues.filter(bool), needs())
def test_the_nearest_has_the_fewest_missing(catalogue: list[Product], need: Need) -> None:
    found = matched(catalogue, need)
    assert (found.nearest is None) == bool(found.offers)
    if found.nearest:
        alone = [matched([one], need).nearest for one in catalogue]
        assert len(found.nearest.missing) == min(len(one.missing) for one in alone if one)
