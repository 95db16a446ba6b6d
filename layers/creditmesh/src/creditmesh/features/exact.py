"""Integer arithmetic for features: ratios in basis points, month indexes, deviation. No floats."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from datetime import date
from math import isqrt

BPS = 10_000
# Keeps every ratio within 32 bits; a firm that grew 100,000-fold has an error in its data.
MAX_RATIO_BPS = 1_000_000_000


def divide_half_up(numerator: int, denominator: int) -> int:
    """The quotient rounded to the nearest integer, halves away from zero; the denominator must be positive."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def ratio_bps(numerator: int | None, denominator: int | None) -> int | None:
    """``numerator / denominator`` in basis points, half up, capped; None if unknown or undefined."""
    if numerator is None or denominator is None or denominator <= 0:
        return None
    value = divide_half_up(numerator * BPS, denominator)
    return max(-MAX_RATIO_BPS, min(MAX_RATIO_BPS, value))


def quotient(numerator: int | None, denominator: int | None) -> int | None:
    """``numerator / denominator`` rounded half up; None if either is unknown or the denominator is not positive."""
    if numerator is None or denominator is None or denominator <= 0:
        return None
    return divide_half_up(numerator, denominator)


def volatility_bps(values: Sequence[int | None]) -> int | None:
    """Population standard deviation over mean, in basis points, exact to the last half.

    With n values, S their sum and Q the sum of their squares it is √(n·Q − S²) / S. The square root is taken on
    integers: ⌊x/d + ½⌋ = (⌊2x⌋ + d) // 2d for any real x ≥ 0 and integer d > 0.
    """
    total = sum_known(values)
    if total is None or total <= 0:
        return None
    spread = len(values) * sum(value * value for value in values if value is not None) - total * total
    return min(MAX_RATIO_BPS, (isqrt(4 * spread * BPS * BPS) + total) // (2 * total))


def sum_known(values: Iterable[int | None]) -> int | None:
    """The sum, or None if any addend is unknown."""
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def month_index(day: date) -> int:
    """Months since year 0, so that calendar months are consecutive integers."""
    return day.year * 12 + day.month - 1


def full_months(start: date, end: date) -> int:
    """Completed months from ``start`` to ``end``; the 31st completes a month on the last day of a shorter one."""
    months = month_index(end) - month_index(start)
    short_month_end = end.day == monthrange(end.year, end.month)[1]
    return months if end.day >= start.day or short_month_end else months - 1
