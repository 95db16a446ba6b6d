"""Immutable histories: a firm's draws define events by year, and a day shows those before it."""

from __future__ import annotations

from datetime import date
from typing import Any

from institutions.draw import Draw
from institutions.population import Firm

CURRENCY = "CNY"


def years(firm: Firm, as_of: date, back: int) -> range:
    """The years from ``back`` years ago (or the firm's establishment) to the current one."""
    return range(max(firm.established_on.year, as_of.year - back), as_of.year + 1)


def day_in(draw: Draw, year: int) -> date:
    return date(year, draw.whole(1, 12), draw.whole(1, 28))


def happened(day: date | None, as_of: date) -> str | None:
    """The day as text, or None if it is in the future."""
    return None if day is None or day > as_of else day.isoformat()


def in_order(rows: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Oldest first."""
    return sorted(rows, key=lambda row: str(row[key]))
