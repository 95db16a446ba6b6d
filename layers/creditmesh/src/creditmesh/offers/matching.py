"""Matches a catalogue to an assessed application: what can be lent, at which yearly cost, in which order.

Pure. A product fits where whole steps lie within its bounds and what is left of limit and capacity. Full offers cover
the request, reduced ones less, larger ones more; in this order, and within by utility. Utility compares the disclosed
yearly cost, the fit of the amount and the speed; nobody pays for rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from creditmesh.kernel.money import format_minor
from creditmesh.offers.catalogue import Catalogue, Row, nearest, rate_of, unmet_codes
from creditmesh.offers.cost import CannotBeLent, cost_bps_of, cost_of
from creditmesh.offers.model import GRADES
from creditmesh.offers.offer import Fit, Nearest, Need, Offer, RankPoints

MOST_OFFERS = 50
"""Stored for an application."""
DEAREST_BPS = 3600
"""Yearly cost without any points."""
_ORDER = {fit: place for place, fit in enumerate(Fit)}


@dataclass(frozen=True)
class Matched:
    """The result of matching."""

    offers: list[Offer]
    """At most `MOST_OFFERS`, best first."""
    nearest: Nearest | None
    """None if something fits, or the catalogue is empty."""


class _Candidate(NamedTuple):
    row: Row
    fit: Fit
    amount: int
    high: int
    rate: int


def match(catalogue: Catalogue, need: Need, weights: Mapping[str, int]) -> Matched:
    """The best offers; or, where nothing fits, the product that lacks least.

    Args:
        weights: of cost, amount and speed, as the application's loan flow has them.
    """
    fitting: list[tuple[int, int, int, _Candidate]] = []
    lacking: tuple[int, int, str, str] | None = None
    closest: tuple[Row, list[str]] | None = None
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
        codes = unmet_codes(row, need, grade, rate, most)
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
    return Matched([], nearest(*closest, need) if closest else None)


def _candidate(row: Row, asked: int, high: int, rate: int) -> _Candidate:
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
