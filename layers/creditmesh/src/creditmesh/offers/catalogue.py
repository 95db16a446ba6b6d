"""The catalogue prepared for comparing, and why a product does not fit an application."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from creditmesh.kernel.money import Money, format_minor
from creditmesh.offers.cost import percent
from creditmesh.offers.model import GRADES, FixedPrice, GradedPrice, Product, RiskBasedPrice
from creditmesh.offers.offer import Nearest, Need, Unmet
from creditmesh.risk.expression import Condition


class Row(NamedTuple):
    """A product prepared for comparing many; amounts in minor units."""

    product: Product
    low: int
    high: int
    step: int
    worst: int
    terms: range
    rates: tuple[int | None, ...]
    excluded: frozenset[str]
    conditions: tuple[tuple[str, str, Condition], ...]
    left: int | None
    """Of its capacity; None if it has no bound."""
    measured: int | None
    """Hours; None: the promised ones count."""
    speed: int


@dataclass(frozen=True)
class Catalogue:
    """Products prepared once for many applications."""

    rows: tuple[Row, ...]

    @classmethod
    def of(
        cls,
        products: Iterable[Product],
        left: Mapping[tuple[str, str], int] | None = None,
        hours: Mapping[tuple[str, str], int] | None = None,
    ) -> Catalogue:
        """Prepare products.

        Args:
            left: of products with a capacity, by lender and product: what is left of it, in minor units.
            hours: the measured ones, where there are enough payments.
        """
        bounds, measured = left or {}, hours or {}
        keyed = (((product.lender_id, product.product_id), product) for product in products)
        return cls(tuple(_row(product, bounds.get(key), measured.get(key)) for key, product in keyed))


def rate_of(product: Product, grade: str, model_rate_bps: int | None) -> int | None:
    """The yearly rate for a firm in basis points; None if the product has none for it."""
    match product.price:
        case FixedPrice(annual_rate_bps=rate):
            return rate
        case GradedPrice(annual_rates_bps=rates):
            return next((rate for known, rate in rates.items() if known == grade), None)
        case RiskBasedPrice(margin_bps=margin, floor_bps=floor, cap_bps=cap):
            return None if model_rate_bps is None else min(cap, max(floor, model_rate_bps + margin))


def unmet_codes(row: Row, need: Need, grade: int, rate: int | None, most: int) -> Iterator[str]:
    """The terms that a product does not meet; whoever only asks whether there is one stops at the first.

    Args:
        most: what limit and capacity leave.
    """
    product = row.product
    if product.currency != need.currency:
        yield "other_currency"
    if need.term_months not in row.terms:
        if need.term_months < product.min_term_months:
            yield "term_too_short"
        else:
            yield "term_too_long" if need.term_months > product.max_term_months else "term_between_steps"
    if not product.valid_from <= need.today <= product.valid_until:
        yield "not_on_offer"
    if grade > row.worst:
        yield "grade_too_low"
    if need.industry in row.excluded:
        yield "industry_excluded"
    for code, _, condition in row.conditions:
        if (holds := condition.holds(need.features)) is not True:
            yield f"{'eligibility_unknown' if holds is None else 'not_eligible'}:{code}"
    if rate is None:
        yield "no_rate_for_grade"
    elif need.cap_bps is not None and rate > need.cap_bps:
        yield "rate_exceeds_legal_cap"
    if most < row.low:
        yield "capacity_exhausted" if row.left is not None and row.left < row.low else "limit_below_minimum"


def nearest(row: Row, codes: Sequence[str], need: Need) -> Nearest:
    product = row.product
    unmet = [_unmet(code, row, need) for code in codes]
    return Nearest(
        lender_id=product.lender_id, product_id=product.product_id, name=product.name,
        missing=[_SENTENCES[one.code].format(**one.parameters) for one in unmet], unmet=unmet,
    )  # fmt: skip


_SENTENCES = {
    "other_currency": "lends in {currency} only",
    "term_too_short": "lends for at least {min} months",
    "term_too_long": "lends for at most {max} months",
    "term_between_steps": "lends for {min} months and steps of {step} more",
    "not_on_offer": "is not on offer today",
    "grade_too_low": "asks for grade {grade} or better",
    "industry_excluded": "does not lend to industry {industry}",
    "no_rate_for_grade": "has no rate for grade {grade}",
    "rate_exceeds_legal_cap": "costs more than the legal cap of {cap} % a year",
    "taken_up_by_fees": "has fees that take up the amount",
    "limit_below_minimum": "lends at least {min}, {left} of the limit is left",
    "capacity_exhausted": "lends at least {min}, {left} of its capacity is left",
    "not_eligible": "asks for: {condition}",
    "eligibility_unknown": "asks for: {condition}; the firm's data does not say whether it is so",
}


def _unmet(code: str, row: Row, need: Need) -> Unmet:
    product = row.product
    code, _, condition = code.partition(":")
    parameters: dict[str, str | int] = {}
    match code:
        case "other_currency":
            parameters = {"currency": product.currency}
        case "term_too_short":
            parameters = {"min": product.min_term_months}
        case "term_too_long":
            parameters = {"max": product.max_term_months}
        case "term_between_steps":
            parameters = {"min": product.min_term_months, "step": product.term_step_months}
        case "grade_too_low":
            parameters = {"grade": product.min_grade}
        case "industry_excluded":
            parameters = {"industry": str(need.industry)}
        case "no_rate_for_grade":
            parameters = {"grade": need.grade}
        case "rate_exceeds_legal_cap" if need.cap_bps is not None:
            parameters = {"cap": percent(Decimal(need.cap_bps) / 100)}
        case "limit_below_minimum":
            parameters = {"min": product.min_amount, "left": format_minor(max(0, need.available_minor))}
        case "capacity_exhausted":
            parameters = {"min": product.min_amount, "left": format_minor(max(0, row.left or 0))}
        case "not_eligible" | "eligibility_unknown":
            asked = next(text for name, text, _ in row.conditions if name == condition)
            parameters = {"condition": asked, "eligibility": condition}
    return Unmet(code=code, parameters=parameters)


def _row(product: Product, left: int | None, measured: int | None) -> Row:
    worst = GRADES.index(product.min_grade)
    risk_based = isinstance(product.price, RiskBasedPrice)
    rates = tuple(None if risk_based else rate_of(product, grade, None) for grade in GRADES)
    return Row(
        product=product,
        low=product.min_minor,
        high=product.max_minor,
        step=Money.parse(product.amount_step, product.currency).minor,
        worst=worst,
        terms=range(product.min_term_months, product.max_term_months + 1, product.term_step_months),
        rates=rates,
        excluded=frozenset(product.industries_excluded),
        conditions=tuple((one.code, one.text, one.condition()) for one in product.eligibility),
        left=left,
        measured=measured,
        speed=240_000 // (24 + (product.disbursement_hours if measured is None else measured)),
    )
