"""Helpers shared by the sources' cleaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from creditmesh.features.answer import Answer, Row, tell_again
from creditmesh.features.cleaning import day_number
from creditmesh.features.exact import month_index
from creditmesh.features.schema import Values

__all__ = ["by_id", "day_number", "listed", "month_index", "month_text", "not_after", "tell_gap"]


def listed(answer: Answer, name: str, read: Callable[[Row], Values]) -> list[Values] | None:
    """A section's rows, each converted by ``read``; None if the section is absent."""
    rows = answer.rows(name)
    return None if rows is None else [read(row) for row in rows]


def by_id(answer: Answer, name: str, id_of: Callable[[Row], object]) -> list[Row] | None:
    """A section's rows, the last one of each id; a row without an id is kept."""
    rows = answer.rows(name)
    if rows is None:
        return None
    found: dict[object, Row] = {}
    for row in rows:
        key = id_of(row)
        if key is None:
            key = ("", row.path)
        elif key in found:
            before = found.pop(key)
            tell_again(answer, before, row)
        found[key] = row
    return list(found.values())


def not_after(row: Row, key: str, day: int | None, as_of: date) -> int | None:
    """The day, with a note if it is after ``as_of``."""
    if day is not None and day > day_number(as_of):
        row.note(key, "in_the_future")
    return day


def tell_gap(answer: Answer, name: str, months: Sequence[int]) -> None:
    """Note the months of a monthly series that have no row and so count as zero turnover."""
    if months:
        answer.tell(name, "gap", {"months": ", ".join(map(month_text, months))})


def month_text(month: int) -> str:
    """``2026-09``."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"
