"""The limit of many firms at once, in 64-bit integers that cannot overflow."""

from __future__ import annotations

from functools import reduce
from math import gcd

import numpy as np
import numpy.typing as npt

from creditmesh.risk.bulk.columns import Mask
from creditmesh.risk.bulk.masks import Columns, unread
from creditmesh.risk.model import AMOUNT_CEILING_MINOR, BPS, LimitFormula, LimitMethod, LimitTerm

Amounts = npt.NDArray[np.int64]
_LEAST = np.int64(-(2**63))


def rounded(formula: LimitFormula, factors_bps: Amounts, columns: Columns) -> tuple[Amounts, Mask | None]:
    """Return the least method times the grade's factor, rounded down to a whole step.

    Also returns where a method is not applied because a value could not be read; None if nowhere.
    """
    lost: list[Mask] = []
    least: Amounts = np.full(
        len(factors_bps), min(m.amount_minor for m in formula.methods if m.amount_minor is not None)
    )
    most = least.max(initial=0)
    for method in formula.methods:
        if method.amount_minor is None:
            value, skipped, lacking = _method(method, columns)
            if lacking is not None:
                lost.append(lacking)
            if skipped is not None:
                value = np.where(skipped, most, value)
            np.minimum(least, value, out=least)
    whole = np.floor_divide(least, BPS)  # quotient and remainder apart: the product may exceed 64 bits
    rest = (least - whole * BPS) * factors_bps
    factored = whole * factors_bps + np.floor_divide(rest, BPS, out=rest)
    steps: Amounts = np.floor_divide(factored, formula.step_minor) * formula.step_minor
    return steps, _any(lost)


def _method(method: LimitMethod, columns: Columns) -> tuple[Amounts, Mask | None, Mask | None]:
    """A method's amounts, where it does not apply, and where that is because a value could not be read."""
    total: Amounts | None = None
    skipped: list[Mask] = []
    zeroed: list[Mask] = []
    lost: list[Mask] = []
    for term in method.terms:
        amount, unknown = _term(term, columns)
        if unknown is not None and term.if_missing != "ignore":
            (skipped if term.if_missing == "skip" else zeroed).append(unknown)
            if term.if_missing == "zero" and (named := unread(term.features, columns)) is not None:
                lost.append(unknown & named)
                zeroed[-1] = unknown & ~named
        total = amount if total is None else np.add(total, amount, out=total)
    assert total is not None  # a method has at least one term or a fixed amount
    np.maximum(total, 0, out=total)
    if not zeroed:
        return total, _any(skipped), None
    zero = reduce(np.logical_or, zeroed)
    total[zero] = 0
    lacking = _any(lost)  # also where the limit is 0 for another reason: it declines before anything is referred
    left_out = _any([*skipped, *lost])
    return total, None if left_out is None else left_out & ~zero, lacking


def _any(masks: list[Mask]) -> Mask | None:
    return reduce(np.logical_or, masks) if masks else None


def _term(term: LimitTerm, columns: Columns) -> tuple[Amounts, Mask | None]:
    """A term's amounts (0 where all its features are unknown), and where they are unknown."""
    greatest: Amounts | None = None
    unknown: Mask | None = None
    every = [columns[name] for name in term.features]
    if all(column.known is not None for column in every):
        unknown = ~reduce(np.logical_or, (column.known for column in every if column.known is not None))
    for column in every:
        values = column.values if column.known is None else np.where(column.known, column.values, _LEAST)
        greatest = values if greatest is None else np.maximum(greatest, values)
    bounded = np.clip(greatest, 0, AMOUNT_CEILING_MINOR)  # type: ignore[arg-type]  # a term has a feature
    amount = _share(bounded, abs(term.factor_bps))
    return np.negative(amount, out=amount) if term.factor_bps < 0 else amount, unknown


def _share(amount: Amounts, factor_bps: int) -> Amounts:
    """floor(amount × factor / 10,000), by quotient and remainder because the product may exceed 64 bits."""
    common = gcd(factor_bps, BPS)
    times, parts = factor_bps // common, BPS // common
    if AMOUNT_CEILING_MINOR * times < 2**63:
        product: Amounts = amount * times
        return product if parts == 1 else np.floor_divide(product, parts, out=product)
    whole = np.floor_divide(amount, parts)
    rest = (amount - whole * parts) * times
    result: Amounts = whole * times + np.floor_divide(rest, parts, out=rest)
    return result
