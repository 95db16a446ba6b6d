"""The education register's answer about the legal representative; the name does not enter the row."""

from __future__ import annotations

from datetime import date

from creditmesh.features.answer import Answer, Row
from creditmesh.features.schema import DEGREES, Values
from creditmesh.features.sources.common import day_number


def clean(answer: Answer, as_of: date) -> Values:
    rows = answer.rows("degrees")
    if rows is None:
        return {"degrees": None}
    read = [_degree(row, day_number(as_of)) for row in rows]
    return {"degrees": [degree for degree in read if degree is not None]}


def _degree(row: Row, today: int) -> Values | None:
    """A degree; None if it is of a later day. If the day is unreadable, the degree does not count as verified."""
    level = row.choice("level", DEGREES)
    graduated_on, verified = row.day("graduated_on"), row.flag("verified")
    if graduated_on is not None and graduated_on > today:
        row.note("graduated_on", "in_the_future")
        return None
    return {
        "rank": None if level is None else DEGREES.index(level) + 1,
        "verified": verified if graduated_on is not None or verified is False else None,
    }
