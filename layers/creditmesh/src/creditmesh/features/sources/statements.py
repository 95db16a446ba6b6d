"""Financial statements of the 24 months up to the latest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise

from creditmesh.features.answer import Answer, Row, keyed
from creditmesh.features.cleaning import MAX_MINOR, date_of
from creditmesh.features.row import WINDOW
from creditmesh.features.schema import Values
from creditmesh.features.sources.common import day_number, month_index

YEAR = 12
Period = tuple[int, int]
# A statement is due within a month of its quarter's end; two quarters later its figures are outdated.
STALE_AFTER_MONTHS = 6
_FLOWS = ("revenue", "profit", "operating_cash_flow")
_STOCKS = ("total_assets", "current_assets", "total_liabilities", "current_liabilities")


def clean_statements(answer: Answer, as_of: date) -> list[Values] | None:
    """The periods that the statements cover, oldest first, without overlaps; None if a period is unreadable.

    Statements of the year to date are taken apart: twelve months less the first nine are the last quarter.
    """
    days: dict[Period, int] = {}
    rows = keyed(answer, "statements", lambda row: _period(row, days))
    if rows is None:
        return None
    read: list[Values] = []
    for last, months in sorted(rows, reverse=True):
        row = rows[last, months]
        if days[last, months] > day_number(as_of):
            row.note("period_end", "in_the_future")
            continue
        if not 1 <= months <= YEAR:
            answer.spoil("statements", "months_unreadable")
            return None
        if not read or last > read[0]["last"] - 2 * WINDOW:
            read.append(_statement(last - months + 1, last, _figures(row)))
    found = read if _apart(read) else _taken_apart(answer, rows, read)
    if found:
        latest = found[0]["last"]
        found = [one for one in found if one["first"] > latest - WINDOW]
        for one in found:
            year = (latest - one["last"]) // YEAR
            one["year"] = year if year == (latest - one["first"]) // YEAR else 2
    _tell_age_and_gaps(answer, found, as_of)
    return found[::-1]


def _period(row: Row, days: dict[Period, int]) -> Period | None:
    """The last month and the number of months; keeps the last day in ``days``."""
    last, months = row.day("period_end"), row.count("months")
    if last is None or months is None:
        return None
    period = month_index(date_of(last)), months
    days[period] = last
    return period


def _figures(row: Row) -> Values:
    return {
        "revenue": row.amount("revenue"),
        "profit": row.amount("profit", signed=True),
        "operating_cash_flow": row.amount("operating_cash_flow", signed=True),
        "total_assets": row.amount("total_assets"),
        "current_assets": row.amount("current_assets"),
        "total_liabilities": row.amount("total_liabilities"),
        "current_liabilities": row.amount("current_liabilities"),
    }


def _statement(first: int, last: int, figures: Values) -> Values:
    """A row of the section; its year is set once the latest month is known."""
    return {"first": first, "last": last, "months": last - first + 1, "year": 2, **figures}


def _apart(newest_first: Sequence[Values]) -> bool:
    return all(older["last"] < newer["first"] for newer, older in pairwise(newest_first))


def _taken_apart(answer: Answer, rows: Mapping[Period, Row], newest_first: Sequence[Values]) -> list[Values]:
    """The periods between all months in which statements begin or end, newest first.

    Statements that share a beginning or an end with others are added and subtracted. Of statements that overlap
    otherwise, the older ones give way.
    """
    found: list[Values] = []
    left = list(newest_first)
    while left:
        joined, left = [left[0]], left[1:]
        ends = set(_ends(joined[0]))
        while more := [one for one in left if not ends.isdisjoint(_ends(one))]:
            left = [one for one in left if ends.isdisjoint(_ends(one))]
            joined += more
            ends.update(*map(_ends, more))
        found += _differences(answer, joined, sorted(ends, reverse=True))
        for one in left:
            if one["last"] > min(ends):
                rows[one["last"], one["last"] - one["first"] + 1].note("period_end", "overlap")
        left = [one for one in left if one["last"] <= min(ends)]
    return found


def _ends(statement: Values) -> tuple[int, int]:
    """The month before the statement's first, and its last."""
    return statement["first"] - 1, statement["last"]


def _differences(answer: Answer, statements: Sequence[Values], ends: Sequence[int]) -> list[Values]:
    """The figures between neighbouring ends: flows as differences, stocks of the longest statement that ends there."""
    totals = {name: _totals(answer, statements, ends[0], name) for name in _FLOWS}
    nothing = dict.fromkeys(_STOCKS)
    stocks = {one["last"]: one for one in sorted(statements, key=lambda one: -int(one["first"]))}
    return [
        _statement(
            before + 1,
            last,
            {name: _difference(answer, found.get(before), found.get(last)) for name, found in totals.items()}
            | {name: stocks.get(last, nothing)[name] for name in _STOCKS},
        )
        for last, before in pairwise(ends)
    ]


def _totals(answer: Answer, statements: Sequence[Values], latest: int, name: str) -> dict[int, int]:
    """A flow from each end to ``latest``, negative; ends that known statements do not lead to are left out."""
    known = [one for one in statements if one[name] is not None]
    found = {latest: 0}
    while True:
        reached = len(found)
        for one in known:
            before, last = one["first"] - 1, one["last"]
            if last in found and before in found and found[last] - found[before] != one[name]:
                answer.note("statements", "contradictory")
                return {latest: 0}
            if last in found:
                found[before] = found[last] - one[name]
            elif before in found:
                found[last] = found[before] + one[name]
        if len(found) == reached:
            return found


def _difference(answer: Answer, before: int | None, last: int | None) -> int | None:
    if before is None or last is None:
        return None
    if abs(last - before) > MAX_MINOR:
        answer.note("statements", "out_of_range")
        return None
    return last - before


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
