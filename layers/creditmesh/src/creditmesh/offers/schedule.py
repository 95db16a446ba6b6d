"""Repayment schedules: what is due when, adding up to the cent.

Pure. Interest is rounded once per period, half to even; what rounding leaves is in the last instalment. Due days come
from the anchor day, so month ends stay month ends; an adjustment to business days moves the payment, not the interest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from creditmesh.kernel.calendars import after_months
from creditmesh.kernel.day_counts import DayCount, year_fraction

MOST_INSTALMENTS = 480
_PRECISION = 60
"""Digits of an annuity's factors: exact fractions would have thousands."""


class Method(StrEnum):
    """How a loan is repaid."""

    ANNUITY = "annuity"
    """Equal instalments."""
    EQUAL_PRINCIPAL = "equal_principal"
    """Equal parts of principal, and the interest on what is left."""
    INTEREST_ONLY = "interest_only"
    """Interest each period, the principal at the end."""
    BULLET = "bullet"
    """Principal and all interest, which does not compound, at the end."""


@dataclass(frozen=True)
class Instalment:
    """One instalment, in minor units; `due` is None in a schedule without dates."""

    number: int
    due: date | None
    principal: int
    interest: int
    balance: int
    """Principal that is left afterwards."""

    @property
    def payment(self) -> int:
        return self.principal + self.interest


def due_days(
    start: date, count: int, *, months: int = 1, day: int | None = None, days: int | None = None
) -> list[date]:
    """The due days after `start`, the payout.

    Args:
        months: between two; or
        days: between two.
        day: day of the month on which instalments are due; the payout's by default. The first is then at least half a
            period away.
    """
    if days is not None:
        return [start + timedelta(days=days * number) for number in range(1, count + 1)]
    found = [after_months(start, months * number, day=day) for number in range(count + 2)]
    first = 1 if day is None else next(at for at, one in enumerate(found) if (one - start).days >= 15 * months)
    return [after_months(start, months * number, day=day) for number in range(first, first + count)]


def undated(principal: int, annual_rate: Fraction, method: Method, count: int, *, grace: int = 0) -> list[Instalment]:
    """The schedule of an offer, whose payout has no day yet: every month is a twelfth of a year.

    Args:
        principal: in minor units.
        annual_rate: nominal, as a share.
        count: instalments, monthly; of a bullet loan its months.
        grace: first instalments without principal; they do not lengthen the loan.
    """
    return _built(principal, annual_rate, method, [Fraction(1, 12)] * count, [None] * count, grace)


def dated(
    principal: int,
    annual_rate: Fraction,
    method: Method,
    start: date,
    due: Sequence[date],
    day_count: DayCount = DayCount.ACT_365F,
    *,
    grace: int = 0,
) -> list[Instalment]:
    """The schedule of a loan that was paid out on `start`.

    Args:
        principal: in minor units.
        annual_rate: nominal, as a share.
        due: due days before any adjustment; of a bullet loan only the last counts.
        grace: first instalments without principal; they do not lengthen the loan.
    """
    periods = [year_fraction(day_count, one, other) for one, other in pairwise([start, *due])]
    return _built(principal, annual_rate, method, periods, list(due), grace)


def _built(
    principal: int,
    annual_rate: Fraction,
    method: Method,
    periods: list[Fraction],
    due: Sequence[date | None],
    grace: int,
) -> list[Instalment]:
    if not 1 <= len(periods) <= MOST_INSTALMENTS:
        raise ValueError(f"must have 1 to {MOST_INSTALMENTS} instalments")
    if principal <= 0 or annual_rate < 0 or not 0 <= grace < len(periods):
        raise ValueError("principal must be positive, the rate not negative, and grace shorter than the loan")
    rates = [annual_rate * period for period in periods]
    if method is Method.BULLET:
        return [Instalment(1, due[-1], principal, round(principal * sum(rates)), 0)]
    regular = _regular(principal, method, rates[grace:])
    rows, balance, last = [], principal, len(rates)
    for number, (rate, day) in enumerate(zip(rates, due, strict=True), 1):
        interest = round(balance * rate)
        if number == last:
            part = balance
        elif number <= grace or method is Method.INTEREST_ONLY:
            part = 0
        else:
            part = min(balance, regular - interest if method is Method.ANNUITY else regular)
        balance -= part
        rows.append(Instalment(number, day, part, interest, balance))
    return rows


def _regular(principal: int, method: Method, rates: Sequence[Fraction]) -> int:
    """The instalment of an annuity, the principal of equal parts; in minor units, half to even."""
    if method is Method.EQUAL_PRINCIPAL:
        return round(Fraction(principal, len(rates)))
    with localcontext() as context:
        context.prec = _PRECISION
        worth, factor = Decimal(), Decimal(1)
        for rate in rates:
            factor /= 1 + Decimal(rate.numerator) / rate.denominator
            worth += factor
        return int((principal / worth).to_integral_value(ROUND_HALF_EVEN))
