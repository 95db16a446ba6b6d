"""Yearly cost of credit: APR after Regulation Z (actuarial method) and the effective rate of the EU's directive.

Both solve for the rate at which what is paid back is worth what was paid out. Floating point finds the neighbourhood;
the result is from decimals of 40 digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction

from creditmesh.kernel.calendars import after_months, whole_months

_PRECISION = 40
_NEAR = 1e-3
"""Width of the neighbourhood, from which secants converge."""
_ENOUGH = Decimal("1e-18")
_LARGEST = 1e9
"""Largest rate per period that is looked for."""


class NoRate(ValueError):
    """No rate makes both sides equal: nothing is paid out, or not enough comes back."""


@dataclass(frozen=True)
class Flow:
    """A payment by the borrower.

    Args:
        amount: in minor units.
        periods: whole unit-periods from the payout.
        part: of a further unit-period.
    """

    amount: int
    periods: int
    part: Fraction = Fraction()


def unit_periods(start: date, end: date, *, months: int | None = 1, days: int | None = None) -> tuple[int, Fraction]:
    """Whole unit-periods and the part of one between two days, counted back from the later (Appendix J, b).

    Args:
        months: length of the unit-period; or
        days: its length in days. A part of a month is counted in days over 30, of other periods in their days.
    """
    if days is not None:
        whole, rest = divmod((end - start).days, days)
        return whole, Fraction(rest, days)
    length = months or 1
    whole = whole_months(start, end) // length
    while after_months(end, -whole * length) < start:  # month ends: counted back from the later day
        whole -= 1
    return whole, Fraction((after_months(end, -whole * length) - start).days, 30 * length)


def apr_actuarial(net: int, flows: Sequence[Flow], periods_per_year: int) -> Decimal:
    """APR after Regulation Z, Appendix J: the nominal rate in percent, unrounded.

    Within a part of a unit-period interest is simple: (1 + f·i)(1 + i)^t.

    Args:
        net: what the borrower gets, in minor units, fees deducted.

    Raises:
        NoRate: there is none.
    """

    def worth(rate: Decimal) -> Decimal:
        return sum(
            (one.amount / ((1 + _decimal(one.part) * rate) * (1 + rate) ** one.periods) for one in flows), Decimal()
        )

    def roughly(rate: float) -> float:
        return math.fsum(one.amount / ((1 + float(one.part) * rate) * (1 + rate) ** one.periods) for one in flows)

    return _solved(net, worth, roughly) * periods_per_year * 100


def effective_rate(net: int, flows: Sequence[tuple[int, Fraction]]) -> Decimal:
    """Annual percentage rate of charge (Directive 2008/48/EC, annex I): compounded, in percent, unrounded.

    Args:
        net: what the borrower gets, in minor units, fees deducted.
        flows: amounts in minor units and the years from the payout; see `years_between`.

    Raises:
        NoRate: there is none.
    """

    def worth(rate: Decimal) -> Decimal:
        return sum((amount / (1 + rate) ** _decimal(years) for amount, years in flows), Decimal())

    def roughly(rate: float) -> float:
        return math.fsum(amount / (1 + rate) ** float(years) for amount, years in flows)

    return _solved(net, worth, roughly) * 100


def years_between(start: date, end: date) -> Fraction:
    """Whole months as twelfths, counted back from the later day, and the days before them over 365."""
    months, part = unit_periods(start, end)
    return Fraction(months, 12) + part * 30 / 365


def _decimal(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / number.denominator


def _solved(net: int, worth: Callable[[Decimal], Decimal], roughly: Callable[[float], float]) -> Decimal:
    """The rate above -1 at which `worth`, which falls with the rate, is `net`."""
    if net <= 0:
        raise NoRate("nothing is paid out")

    def above(rate: float) -> bool:
        try:
            return roughly(rate) > net
        except (OverflowError, ZeroDivisionError):  # near -1 everything is worth more than a float holds
            return True

    low, high = -0.999999, 1.0
    while above(high):
        low, high = high, high * 10
        if high > _LARGEST:
            raise NoRate("the rate is without bounds")
    if not above(low):
        raise NoRate("less comes back than any rate explains")
    while high - low > _NEAR * max(1.0, abs(low)):
        middle = (low + high) / 2
        low, high = (middle, high) if above(middle) else (low, middle)
    with localcontext() as context:
        context.prec = _PRECISION
        near, far = Decimal(low), Decimal(high)
        over, under = worth(near) - net, worth(far) - net
        while abs(far - near) > _ENOUGH and over != under:  # secants: from three digits to forty in six steps
            near, far = far - under * (far - near) / (under - over), near
            over, under = worth(near) - net, over
        return near
