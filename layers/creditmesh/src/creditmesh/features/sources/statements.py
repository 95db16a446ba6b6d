"""Financial statements of the 24 months up to the latest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from creditmesh.features.answer import Answer, Row, keyed
from creditmesh.features.cleaning import date_of
from creditmesh.features.row import WINDOW
from creditmesh.features.schema import Values
from creditmesh.features.sources.common import day_number, month_index

YEAR = 12
# A statement is due within a month of its quarter's end; two quarters later its figures are outdated.
STALE_AFTER_MONTHS = 6


def clean_statements(answer: Answer, as_of: date) -> list[Values] | None:
    """The statements, oldest first, without overlaps; None if a period is unreadable."""
    by_day = keyed(answer, "statements", lambda row: row.day("period_end"))
    if by_day is None:
        return None
    found: list[Values] = []
    for period_end in sorted(by_day, reverse=True):
        row = by_day[period_end]
        if period_end > day_number(as_of):
            row.note("period_end", "in_the_future")
            continue
        months = row.count("months")
        if months is None or not 1 <= months <= YEAR:
            answer.spoil("statements", "months_unreadable")
            return None
        last = month_index(date_of(period_end))
        if found and last >= found[-1]["first"]:
            row.note("period_end", "overlap")
        elif not found or last - months + 1 > found[0]["last"] - WINDOW:
            found.append(_statement(row, months, last, found[0]["last"] if found else last))
    _tell_age_and_gaps(answer, found, as_of)
    return found[::-1]


def _statement(row: Row, months: int, last: int, latest: int) -> Values:
    first = last - months + 1
    year, other = (latest - last) // YEAR, (latest - first) // YEAR
    return {
        "first": first,
        "last": last,
        "months": months,
        "year": year if year == other else 2,
        "revenue": row.amount("revenue"),
        "profit": row.amount("profit", signed=True),
        "operating_cash_flow": row.amount("operating_cash_flow", signed=True),
        "total_assets": row.amount("total_assets"),
        "current_assets": row.amount("current_assets"),
        "total_liabilities": row.amount("total_liabilities"),
        "current_liabilities": row.amount("current_liabilities"),
    }


def _tell_age_and_gaps(answer: Answer, latest_first: Sequence[Values], as_of: date) -> None:
    if not latest_first:
        return
    latest, oldest = latest_first[0]["last"], latest_first[-1]["first"]
    if month_index(as_of) - latest > STALE_AFTER_MONTHS:
        answer.note("statements", "stale")
    for year in (0, 1):
        covered = sum(one["months"] for one in latest_first if one["year"] == year)
        if covered < YEAR and oldest <= latest - YEAR * year - YEAR + 1:
            answer.note("statements", "gap")
