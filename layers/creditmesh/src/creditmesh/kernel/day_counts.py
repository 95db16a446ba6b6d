"""Day counts: the share of a year between two days, exact."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from fractions import Fraction

from creditmesh.kernel.calendars import after_months, whole_months


class DayCount(StrEnum):
    """How days become a share of a year."""

    ACT_365F = "ACT/365F"
    ACT_360 = "ACT/360"
    THIRTY_360 = "30/360"
    """By period: a whole month is 30 days whatever its dates, a part of one its share of 30 days."""
    ACT_ACT_ISDA = "ACT/ACT ISDA"
    """Days of a leap year over 366, others over 365; 31 December belongs to the old year."""


def year_fraction(convention: DayCount, start: date, end: date) -> Fraction:
    """The share of a year from `start` to `end`, which must not be earlier."""
    days = (end - start).days
    if days < 0:
        raise ValueError(f"{end} is before {start}")
    match convention:
        case DayCount.ACT_365F:
            return Fraction(days, 365)
        case DayCount.ACT_360:
            return Fraction(days, 360)
        case DayCount.ACT_ACT_ISDA:
            return sum((_within(year, start, end) for year in range(start.year, end.year + 1)), Fraction())
        case DayCount.THIRTY_360:
            return _thirty_360(start, end)


def _within(year: int, start: date, end: date) -> Fraction:
    first, last = max(start, date(year, 1, 1)), min(end, date(year + 1, 1, 1))
    return Fraction((last - first).days, (date(year + 1, 1, 1) - date(year, 1, 1)).days)


def _thirty_360(start: date, end: date) -> Fraction:
    months = whole_months(start, end)
    reached = after_months(start, months)
    rest = (end - reached).days
    month = (after_months(start, months + 1) - reached).days
    return Fraction(months, 12) + Fraction(rest, 12 * month)
