"""Matches a catalogue to an assessed application: what can be lent, at which yearly cost, in which order.

Pure. A product fits where whole steps lie within its bounds and what is left of limit and capacity. Full offers cover
the request, reduced ones less, larger ones more; in this order, and within by utility. Utility compares the disclosed
yearly cost, the fit of the amount and the speed; nobody pays for rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.money import Money, format_minor
from creditmesh.kernel.yearly_cost import Flow, NoRate, apr_actuarial
from creditmesh.offers.model import GRADES, FixedPrice, GradedPrice, Product, RiskBasedPrice
from creditmesh.offers.schedule import Method, undated
from creditmesh.risk.expression import Condition, FeatureValue

MOST_OFFERS = 50
"""Stored for an application."""
WEIGHTS = {"cost": 40, "amount": 40, "speed": 20}
DEAREST_BPS = 3600
"""Yearly cost without any points."""
_MOST_PERCENT = 1_000
"""Above this, fees leave next to nothing of the amount."""


class Fit(StrEnum):
    """How an offer covers the request."""

    FULL = "full"
    REDUCED = "reduced"
    LARGER = "larger"


_ORDER = {fit: place for place, fit in enumerate(Fit)}


class Need(BaseModel):
    """The requirements of an assessed application."""

    model_config = ConfigDict(frozen=True)

    amount_minor: int
    currency: str
    term_months: int
    available_minor: int
    """Of the limit, what other loans and choices leave."""
    grade: str
    model_rate_bps: int | None = None
    """The model's price of the risk."""
    industry: str | None
    features: dict[str, FeatureValue] = {}
    today: date
    cap_bps: int | None = None
    """Most that the yearly cost may be where the platform lends; None where no law says."""


class Unmet(BaseModel):
    """A term that a product does not meet."""

    model_config = ConfigDict(frozen=True)

    code: str
    parameters: dict[str, str | int] = {}


class LoanCost(BaseModel):
    """What a loan costs, disclosed before it is chosen; the schedule has months of equal length."""

    model_config = ConfigDict(frozen=True)

    instalment: str = Field(description="the first instalment with principal; a bullet loan's one payment")
    total_repaid: str = Field(description="all instalments, and fees paid beside the payout")
    fees: str = Field(description="deducted or paid with the payout")
    net_paid: str = Field(description="what the borrower gets: the amount less deducted fees")
    apr_percent: str = Field(description="nominal yearly rate with fees (Regulation Z, actuarial)")
    effective_rate_percent: str = Field(description="compounded yearly rate with fees (Directive 2008/48/EC)")


class RankPoints(BaseModel):
    """Why an offer stands where it stands: points from 0 to 10,000, before weights."""

    model_config = ConfigDict(frozen=True)

    cost: int
    amount: int
    speed: int


class Offer(BaseModel):
    """A matching product with its terms for this application."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    product_id: str
    version: int
    name: str
    fit: Fit
    amount: str = Field(description="nearest to the request")
    min_amount: str
    max_amount: str = Field(description="the most that product, limit and capacity allow")
    amount_step: str
    currency: str
    term_months: int = Field(description="as asked for")
    min_term_months: int
    max_term_months: int
    term_step_months: int
    repayment_methods: list[Method]
    annual_rate_bps: int
    disbursement_hours: int = Field(description="promised")
    measured_hours: int | None = Field(
        default=None,
        description="from choice to payment of 90 % of this product's loans, in place of the promised hours in the "
        "ranking; null until 20 are measured",
    )
    cost: LoanCost = Field(description="of the amount, the term asked for and the first method")
    rank_points: int = Field(description="0 to 10,000, weighted")
    points: RankPoints


class Nearest(BaseModel):
    """The product with the fewest unmet terms, and these terms."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    product_id: str
    name: str
    missing: list[str] = Field(description="the unmet terms in English")
    unmet: list[Unmet] = Field(description="the same for programs and translations")


class Wanted(BaseModel):
    """A choice within one of the offers; what is not given is as offered."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    product_id: str
    version: int | None = None
    amount: str | None = None
    term_months: int | None = None
    repayment_method: Method | None = None


@dataclass(frozen=True)
class Matched:
    """The result of matching."""

    offers: list[Offer]
    """At most `MOST_OFFERS`, best first."""
    nearest: Nearest | None
    """None if something fits, or the catalogue is empty."""


class CannotBeLent(ValueError):
    """No amount of this product can be lent on these terms."""


class _Row(NamedTuple):
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

    rows: tuple[_Row, ...]

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


class _Candidate(NamedTuple):
    row: _Row
    fit: Fit
    amount: int
    high: int
    rate: int


def match(catalogue: Catalogue, need: Need, weights: Mapping[str, int] = WEIGHTS) -> Matched:
    """The best offers; or, where nothing fits, the product that lacks least."""
    fitting: list[tuple[int, int, int, _Candidate]] = []
    lacking: tuple[int, int, str, str] | None = None
    closest: tuple[_Row, list[str]] | None = None
    grade, whole = GRADES.index(need.grade), sum(weights.values())
    term, industry = need.term_months, need.industry
    for row in catalogue.rows:
        # Once something fits, nobody asks what all the others lack: what is told fastest rules most of them out.
        if fitting and (grade > row.worst or term not in row.terms or industry in row.excluded):
            continue
        rate = row.rates[grade]
        if rate is None:
            rate = rate_of(row.product, need.grade, need.model_rate_bps)
        most = need.available_minor if row.left is None else min(row.left, need.available_minor)
        codes = _unmet_codes(row, need, grade, rate, most)
        unmet = next(codes, None)
        if unmet is None and rate is not None:
            candidate = _candidate(row, need.amount_minor, min(row.high, most), rate)
            # Fees only add to the cost, so this is the most that the offer can reach.
            points = _weighted(_points(candidate, need, rate), weights, whole)
            fitting.append((_ORDER[candidate.fit], -points, len(fitting), candidate))
        elif unmet is not None and not fitting:
            named = [unmet, *codes]
            key = (len(named), -row.high, row.product.lender_id, row.product.product_id)
            if lacking is None or key < lacking:
                lacking, closest = key, (row, named)
    fitting.sort()  # the third of each is its own
    if offers := _best(fitting, need, weights, whole):
        return Matched(offers, None)
    if fitting:  # but for the fees of each
        closest = fitting[0][3].row, ["taken_up_by_fees" if need.cap_bps is None else "rate_exceeds_legal_cap"]
    return Matched([], _nearest(*closest, need) if closest else None)


def cost_of(product: Product, amount: int, annual_rate_bps: int, method: Method, months: int) -> LoanCost:
    """The cost of a loan without a date.

    Args:
        amount: in minor units.

    Raises:
        CannotBeLent: fees take up the amount, or nearly so.
    """
    rows = undated(amount, Fraction(annual_rate_bps, 10_000), method, months, grace=product.grace_months)
    deducted, beside = product.fees_of(amount, "deducted"), product.fees_of(amount, "at_payout")
    net = amount - deducted - beside
    at = [months] if method is Method.BULLET else [row.number for row in rows]
    try:
        apr = apr_actuarial(net, [Flow(row.payment, month) for row, month in zip(rows, at, strict=True)], 12)
    except NoRate:
        raise CannotBeLent("fees take up the amount") from None
    if apr > _MOST_PERCENT:
        raise CannotBeLent("fees take up nearly all of the amount")
    effective = ((1 + apr / 1200) ** 12 - 1) * 100  # the same, as every period is a twelfth of a year
    first = next(row for row in rows if row.principal or method is Method.INTEREST_ONLY)
    return LoanCost(
        instalment=format_minor(first.payment),
        total_repaid=format_minor(sum(row.payment for row in rows) + beside),
        fees=format_minor(deducted + beside),
        net_paid=format_minor(amount - deducted),
        apr_percent=_percent(apr),
        effective_rate_percent=_percent(effective),
    )


def cost_bps_of(product: Product, cost: LoanCost, annual_rate_bps: int) -> int:
    """The yearly cost that cap and rank compare; without fees the rate, as cents move the APR of a small loan."""
    return int(Decimal(cost.apr_percent) * 100) if _has_fees(product) else annual_rate_bps


def rate_of(product: Product, grade: str, model_rate_bps: int | None) -> int | None:
    """The yearly rate for a firm in basis points; None if the product has none for it."""
    match product.price:
        case FixedPrice(annual_rate_bps=rate):
            return rate
        case GradedPrice(annual_rates_bps=rates):
            return next((rate for known, rate in rates.items() if known == grade), None)
        case RiskBasedPrice(margin_bps=margin, floor_bps=floor, cap_bps=cap):
            return None if model_rate_bps is None else min(cap, max(floor, model_rate_bps + margin))


def within(offer: Offer, amount: int, months: int, method: Method) -> str | None:
    """The field that lies outside an offer; None if all are within."""
    bounds = offer.min_amount, offer.max_amount, offer.amount_step
    low, high, step = (Money.parse(bound, offer.currency).minor for bound in bounds)
    if not low <= amount <= high or (amount - low) % step:
        return "amount"
    least = offer.min_term_months
    if not least <= months <= offer.max_term_months or (months - least) % offer.term_step_months:
        return "term_months"
    return None if method in offer.repayment_methods else "repayment_method"


def _row(product: Product, left: int | None, measured: int | None) -> _Row:
    worst = GRADES.index(product.min_grade)
    risk_based = isinstance(product.price, RiskBasedPrice)
    rates = tuple(None if risk_based else rate_of(product, grade, None) for grade in GRADES)
    return _Row(
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


def _has_fees(product: Product) -> bool:
    return any(fee.charged in ("deducted", "at_payout") for fee in product.fees)


def _unmet_codes(row: _Row, need: Need, grade: int, rate: int | None, most: int) -> Iterator[str]:
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


def _candidate(row: _Row, asked: int, high: int, rate: int) -> _Candidate:
    high -= (high - row.low) % row.step
    if asked < row.low:
        return _Candidate(row, Fit.LARGER, row.low, high, rate)
    if asked > high:
        return _Candidate(row, Fit.REDUCED, high, high, rate)
    return _Candidate(row, Fit.FULL, asked - (asked - row.low) % row.step, high, rate)


def _points(candidate: _Candidate, need: Need, cost_bps: int) -> tuple[int, int, int]:
    amount, asked = candidate.amount, need.amount_minor
    fit = min(amount, asked) * 10_000 // max(amount, asked)
    return max(0, 10_000 - cost_bps * 10_000 // DEAREST_BPS), fit, candidate.row.speed


def _weighted(points: tuple[int, int, int], weights: Mapping[str, int], whole: int) -> int:
    cost, amount, speed = points
    return (weights["cost"] * cost + weights["amount"] * amount + weights["speed"] * speed) // whole


def _best(
    fitting: list[tuple[int, int, int, _Candidate]], need: Need, weights: Mapping[str, int], whole: int
) -> list[Offer]:
    """The best offers by their exact cost, which is worked out for as few as the order allows."""
    exact: list[tuple[int, int, int, str, str, Offer]] = []
    for order, bound, _, candidate in fitting:
        if len(exact) >= MOST_OFFERS:
            exact = sorted(exact, key=lambda one: one[:5])[:MOST_OFFERS]
            if exact[-1][:2] < (order, bound):
                break
        offer = _offer(candidate, need, weights, whole)
        if offer is not None:
            exact.append((order, -offer.rank_points, candidate.rate, offer.lender_id, offer.product_id, offer))
    return [one[5] for one in sorted(exact, key=lambda one: one[:5])[:MOST_OFFERS]]


def _offer(candidate: _Candidate, need: Need, weights: Mapping[str, int], whole: int) -> Offer | None:
    """The offer; None where fees take up the amount, or lift its cost above the legal cap."""
    product = candidate.row.product
    try:
        cost = cost_of(product, candidate.amount, candidate.rate, product.repayment_methods[0], need.term_months)
    except CannotBeLent:
        return None
    cost_bps = cost_bps_of(product, cost, candidate.rate)
    if need.cap_bps is not None and cost_bps > need.cap_bps:
        return None
    points = _points(candidate, need, cost_bps)
    return Offer(
        lender_id=product.lender_id,
        product_id=product.product_id,
        version=product.version,
        name=product.name,
        fit=candidate.fit,
        amount=format_minor(candidate.amount),
        min_amount=product.min_amount,
        max_amount=format_minor(candidate.high),
        amount_step=product.amount_step,
        currency=product.currency,
        term_months=need.term_months,
        min_term_months=product.min_term_months,
        max_term_months=product.max_term_months,
        term_step_months=product.term_step_months,
        repayment_methods=product.repayment_methods,
        annual_rate_bps=candidate.rate,
        disbursement_hours=product.disbursement_hours,
        measured_hours=candidate.row.measured,
        cost=cost,
        rank_points=_weighted(points, weights, whole),
        points=RankPoints(cost=points[0], amount=points[1], speed=points[2]),
    )


def _nearest(row: _Row, codes: Sequence[str], need: Need) -> Nearest:
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


def _unmet(code: str, row: _Row, need: Need) -> Unmet:
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
            parameters = {"cap": _percent(Decimal(need.cap_bps) / 100)}
        case "limit_below_minimum":
            parameters = {"min": product.min_amount, "left": format_minor(max(0, need.available_minor))}
        case "capacity_exhausted":
            parameters = {"min": product.min_amount, "left": format_minor(max(0, row.left or 0))}
        case "not_eligible" | "eligibility_unknown":
            asked = next(text for name, text, _ in row.conditions if name == condition)
            parameters = {"condition": asked, "eligibility": condition}
    return Unmet(code=code, parameters=parameters)


def _percent(rate: Decimal) -> str:
    return str(rate.quantize(Decimal("0.01"), ROUND_HALF_EVEN))
