"""Matching: offers keep to product, request and limit; their order does not depend on the catalogue's (C18-C20)."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from creditmesh.kernel.money import Money, format_minor
from creditmesh.offers.model import GRADES, Need, Product, match, missing_terms, nearest

TODAY = date(2026, 11, 21)
amounts = st.integers(1, 50).map(lambda units: units * 1_000_000)
days = st.integers(-2, 2).map(lambda number: TODAY + timedelta(days=number))
grades = st.sampled_from(GRADES)
industries = st.sampled_from(["A01", "C34", "F51"])


@st.composite
def products(draw: st.DrawFn) -> Product:
    low, high = sorted((draw(amounts), draw(amounts)))
    first, last = sorted((draw(st.integers(1, 36)), draw(st.integers(1, 36))))
    start, end = sorted((draw(days), draw(days)))
    return Product(
        lender_id=draw(st.sampled_from(["l-1", "l-2", "l-3"])), product_id=draw(st.sampled_from(["p-1", "p-2", "p-3"])),
        name="Test", currency=draw(st.sampled_from(["CNY", "CNY", "CNY", "EUR"])), min_amount=format_minor(low),
        max_amount=format_minor(high), min_term_months=first, max_term_months=last, pushed_at="x",
        annual_rate_bps=draw(st.integers(1, 3600)), disbursement_hours=draw(st.integers(0, 720)),
        min_grade=draw(grades), industries_excluded=draw(st.lists(industries, max_size=1)), valid_from=start,
        valid_until=end,
    )  # fmt: skip


@st.composite
def needs(draw: st.DrawFn) -> Need:
    return Need(
        amount_minor=draw(amounts), currency="CNY", term_months=draw(st.integers(1, 36)), limit_minor=draw(amounts),
        grade=draw(grades), industry=draw(st.none() | industries), today=TODAY,
    )  # fmt: skip


catalogues = st.lists(products(), max_size=12, unique_by=lambda one: (one.lender_id, one.product_id))


def minor(text: str) -> int:
    return Money.parse(text, "CNY").minor


@given(catalogues, needs())
def test_every_offer_keeps_to_product_request_and_limit(catalogue: list[Product], need: Need) -> None:
    by_key = {(one.lender_id, one.product_id): one for one in catalogue}
    for offer in match(catalogue, need):
        product = by_key[offer.lender_id, offer.product_id]
        assert product.min_minor <= minor(offer.amount) <= minor(offer.approvable_amount)
        assert minor(offer.approvable_amount) <= min(product.max_minor, need.limit_minor)
        assert minor(offer.amount) >= need.amount_minor
        assert product.min_term_months <= offer.term_months == need.term_months <= product.max_term_months
        assert offer.currency == product.currency == need.currency
        assert GRADES.index(need.grade) <= GRADES.index(product.min_grade)
        assert need.industry not in product.industries_excluded
        assert product.valid_from <= TODAY <= product.valid_until
        assert 0 <= offer.rank_points <= 10_000


@given(catalogues, needs())
def test_offered_is_what_lacks_nothing(catalogue: list[Product], need: Need) -> None:
    offered = {(offer.lender_id, offer.product_id) for offer in match(catalogue, need)}
    assert offered == {(one.lender_id, one.product_id) for one in catalogue if not missing_terms(one, need)}


@given(catalogues, needs(), st.randoms())
def test_the_catalogues_order_does_not_matter(catalogue: list[Product], need: Need, random: Random) -> None:
    shuffled = random.sample(catalogue, len(catalogue))
    assert match(shuffled, need) == match(catalogue, need)
    assert nearest(shuffled, need) == nearest(catalogue, need)


@given(catalogues, needs())
def test_the_best_comes_first_and_no_better_product_stands_behind(catalogue: list[Product], need: Need) -> None:
    offers = match(catalogue, need)
    assert [offer.rank_points for offer in offers] == sorted((offer.rank_points for offer in offers), reverse=True)
    for place, offer in enumerate(offers):
        for behind in offers[place + 1 :]:
            better = (
                minor(behind.approvable_amount) > minor(offer.approvable_amount)
                and behind.annual_rate_bps < offer.annual_rate_bps
                and behind.disbursement_hours < offer.disbursement_hours
            )
            assert not better


@given(catalogues.filter(bool), needs())
def test_the_nearest_has_the_fewest_missing(catalogue: list[Product], need: Need) -> None:
    found = nearest(catalogue, need)
    assert found is not None
    assert len(found.missing) == min(len(missing_terms(one, need)) for one in catalogue)
    assert bool(found.missing) == (not match(catalogue, need))


@given(amounts, amounts)
def test_the_example_of_c18(low: int, high: int) -> None:
    """A limit of 300,000 and a request of 100,000 match what lends between 100,000 and 300,000."""
    low, high = sorted((low, high))
    product = Product(
        lender_id="l", product_id="p", name="Test", currency="CNY", min_amount=format_minor(low), pushed_at="x",
        max_amount=format_minor(high), min_term_months=1, max_term_months=36, annual_rate_bps=500, disbursement_hours=1,
        min_grade="E", valid_from=TODAY, valid_until=TODAY,
    )  # fmt: skip
    need = Need(amount_minor=10_000_000, currency="CNY", term_months=12, limit_minor=30_000_000, grade="A",
                industry=None, today=TODAY)  # fmt: skip
    lends_between = low <= 30_000_000 and high >= 10_000_000
    assert bool(match([product], need)) == lends_between
