"""Months and business days: due days from an anchor, and their adjustment to days on which banks work."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Container
from datetime import date, timedelta
from enum import StrEnum

SATURDAY = 5


def after_months(anchor: date, months: int, *, day: int | None = None) -> date:
    """The same day some months later; the month's last day where there is no such day.

    Args:
        day: the day of the month to keep; the anchor's by default.
    """
    place = anchor.month - 1 + months
    year, month = anchor.year + place // 12, place % 12 + 1
    return date(year, month, min(day or anchor.day, monthrange(year, month)[1]))


def whole_months(start: date, end: date) -> int:
    """How many months of `start` have passed at `end`; a month's end completes a month that has no such day."""
    months = (end.year - start.year) * 12 + end.month - start.month
    return months if after_months(start, months) <= end else months - 1


class Adjustment(StrEnum):
    """What becomes of a payment that is due on no business day."""

    NONE = "none"
    FOLLOWING = "following"
    PRECEDING = "preceding"
    MODIFIED_FOLLOWING = "modified_following"
    """The next business day of the same month, else the one before."""


def adjusted(day: date, adjustment: Adjustment, holidays: Container[date], working: Container[date] = ()) -> date:
    """The business day on which what is due on `day` is paid.

    Args:
        holidays: days besides Saturdays and Sundays on which banks do not work.
        working: Saturdays and Sundays on which they do, as around China's holidays.
    """

    def open_on(one: date) -> bool:
        return one in working or (one.weekday() < SATURDAY and one not in holidays)

    def walk(step: int) -> date:
        found = day
        while not open_on(found):
            found += timedelta(days=step)
        return found

    match adjustment:
        case Adjustment.NONE:
            return day
        case Adjustment.PRECEDING:
            return walk(-1)
        case Adjustment.FOLLOWING:
            return walk(1)
        case Adjustment.MODIFIED_FOLLOWING:
            later = walk(1)
            return later if later.month == day.month else walk(-1)
