"""Day counts, month ends and business days, with outside figures (S02)."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from creditmesh.kernel.calendars import Adjustment, adjusted, after_months, whole_months
from creditmesh.kernel.day_counts import DayCount, year_fraction

LABOUR_DAY = {date(2024, 5, 1), date(2024, 5, 2), date(2024, 5, 3)}


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("convention", "start", "end", "fraction"),
    [
        # ISDA's example, as in QuantLib's tests.
        (DayCount.ACT_ACT_ISDA, "2003-11-01", "2004-05-01", Fraction(61, 365) + Fraction(121, 366)),
        (DayCount.ACT_ACT_ISDA, "2023-12-12", "2024-01-12", Fraction(20, 365) + Fraction(11, 366)),
        (DayCount.ACT_ACT_ISDA, "2023-01-01", "2026-01-01", Fraction(3)),
        (DayCount.ACT_360, "2024-01-31", "2024-02-29", Fraction(29, 360)),
        (DayCount.ACT_360, "2023-12-31", "2024-12-31", Fraction(366, 360)),
        (DayCount.ACT_365F, "2024-02-28", "2024-03-01", Fraction(2, 365)),
        (DayCount.ACT_365F, "2023-02-28", "2023-03-01", Fraction(1, 365)),
        (DayCount.THIRTY_360, "2024-01-01", "2024-03-01", Fraction(2, 12)),
        (DayCount.THIRTY_360, "2025-01-31", "2025-02-28", Fraction(1, 12)),
        (DayCount.THIRTY_360, "2025-01-17", "2025-01-31", Fraction(14, 31 * 12)),
        (DayCount.THIRTY_360, "2024-02-12", "2024-02-29", Fraction(17, 29 * 12)),
        (DayCount.ACT_360, "2024-02-29", "2024-02-29", Fraction(0)),
    ],
)
def test_the_share_of_a_year(convention: DayCount, start: str, end: str, fraction: Fraction) -> None:
    assert year_fraction(convention, day(start), day(end)) == fraction


@pytest.mark.parametrize("convention", DayCount)
def test_time_does_not_run_backwards(convention: DayCount) -> None:
    with pytest.raises(ValueError, match="is before"):
        year_fraction(convention, day("2026-01-02"), day("2026-01-01"))


@pytest.mark.parametrize(
    ("start", "months", "keep", "reached"),
    [
        ("2024-01-31", 1, None, "2024-02-29"),
        ("2024-01-31", 2, None, "2024-03-31"),
        ("2024-02-29", 12, None, "2025-02-28"),
        ("2024-02-15", 1, 31, "2024-03-31"),
        ("2024-12-31", 2, None, "2025-02-28"),
        ("2024-03-31", -1, None, "2024-02-29"),
    ],
)
def test_months_from_an_anchor(start: str, months: int, keep: int | None, reached: str) -> None:
    assert after_months(day(start), months, day=keep) == day(reached)


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [("2025-01-31", "2025-02-28", 1), ("2025-01-31", "2025-02-27", 0), ("2024-01-30", "2024-02-29", 1),
     ("2024-12-12", "2025-01-12", 1), ("2024-12-12", "2025-01-11", 0), ("2024-05-05", "2024-05-05", 0)],
)  # fmt: skip
def test_months_that_have_passed(start: str, end: str, months: int) -> None:
    assert whole_months(day(start), day(end)) == months


@pytest.mark.parametrize(
    ("due", "preceding"),
    [("2024-01-31", "2024-01-31"), ("2024-02-29", "2024-02-29"), ("2024-03-31", "2024-03-29"),
     ("2024-04-30", "2024-04-30"), ("2024-05-31", "2024-05-31"), ("2024-06-30", "2024-06-28"),
     ("2024-07-31", "2024-07-31"), ("2024-08-31", "2024-08-30"), ("2024-05-01", "2024-04-30")],
)  # fmt: skip
def test_the_business_day_before(due: str, preceding: str) -> None:
    """As QuantLib's calendar of weekends with three holidays gives it."""
    assert adjusted(day(due), Adjustment.PRECEDING, LABOUR_DAY) == day(preceding)


@pytest.mark.parametrize(
    ("due", "adjustment", "paid"),
    [
        ("2024-05-01", Adjustment.FOLLOWING, "2024-05-06"),
        ("2024-05-01", Adjustment.NONE, "2024-05-01"),
        ("2024-06-29", Adjustment.FOLLOWING, "2024-07-01"),
        ("2024-06-29", Adjustment.MODIFIED_FOLLOWING, "2024-06-28"),
        ("2024-06-22", Adjustment.MODIFIED_FOLLOWING, "2024-06-24"),
    ],
)
def test_the_business_day_after(due: str, adjustment: Adjustment, paid: str) -> None:
    assert adjusted(day(due), adjustment, LABOUR_DAY) == day(paid)


def test_a_weekend_may_be_worked() -> None:
    assert adjusted(day("2024-04-28"), Adjustment.FOLLOWING, LABOUR_DAY, {day("2024-04-28")}) == day("2024-04-28")
