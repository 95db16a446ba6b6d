"""Clean rows that nobody chose: within the schema's bounds, with nulls, extremes, empty and full lists."""

from __future__ import annotations

import random
from typing import Any

from creditmesh.features.cleaning import date_of
from creditmesh.features.exact import month_index
from creditmesh.features.row import SECTIONS, TOP
from creditmesh.features.schema import KINDS, Column, Section

TEXTS = ("C34", "", "银行", "a ", "A", "😀", "'", "\\", None)


def rows(seed: int, count: int) -> list[dict[str, Any]]:
    """``count`` rows drawn from a seed."""
    chance = random.Random(seed)
    return [row(chance) for _ in range(count)]


def row(chance: random.Random) -> dict[str, Any]:
    """One row; of each some values are unknown, and now and then a whole section."""
    unknown = chance.choice((0.0, 0.0, 0.02, 0.3))
    as_of = chance.randint(0, 40_000)
    found: dict[str, Any] = {column.name: value(chance, column, 0.0, as_of) for column in TOP}
    # Both are made of the same day, which windows and ages rely on.
    found |= {"as_of": as_of, "as_of_month": month_of(as_of)}
    for section in SECTIONS:
        found[section.name] = None if chance.random() < unknown / 2 else section_of(chance, section, unknown, as_of)
    return found


def month_of(day: int) -> int:
    """The month index of a day number."""
    return month_index(date_of(day))


def section_of(chance: random.Random, section: Section, unknown: float, as_of: int) -> Any:
    """A struct, or a list of them: mostly short, sometimes empty or as long as it may be."""
    if not section.is_list:
        return {column.name: value(chance, column, unknown, as_of) for column in section.columns}
    if section.name == "statements" and chance.random() < 0.5:
        return [quarter(chance, section, unknown, as_of, year) for year in (1, 0) for _ in range(4)]
    length = chance.choice((0, 1, 3, min(section.most, 24), min(section.most, 24)))
    items = [{c.name: value(chance, c, unknown, as_of) for c in section.columns} for _ in range(length)]
    if chance.random() < 0.5:
        # Unbroken months up to the as-of month, as cleaning makes them.
        for back, item in zip(range(length, 0, -1), items, strict=True):
            item |= {name: month_of(as_of) - back for name in ("month", "period") if name in item}
            item |= {"lived": True} if "lived" in item else {}
    return items


def quarter(chance: random.Random, section: Section, unknown: float, as_of: int, year: int) -> dict[str, Any]:
    """One of the quarters that cover two years wholly."""
    item = {column.name: value(chance, column, unknown, as_of) for column in section.columns}
    return item | {"months": 3, "year": year}


def value(chance: random.Random, column: Column, unknown: float, as_of: int) -> Any:
    """A value of a column, near the windows' ends and the bounds more often than elsewhere."""
    kind = KINDS[column.kind]
    if chance.random() < unknown and not column.always:
        return None
    match column.kind:
        case "flag":
            return chance.random() < 0.6
        case "word":
            return chance.choice(column.words)
        case "text":
            return chance.choice(TEXTS)
        case "month":
            near = month_of(as_of) + chance.choice((-25, -24, -13, -12, -7, -6, -1, 0, 1))
            return chance.choice((near, near, chance.randint(kind.low, kind.high)))
        case "day":
            near = as_of + chance.choice((-800, -730, -400, -365, -31, -30, -28, -1, 0, 1, 40))
            return chance.choice((near, chance.randint(0, as_of), chance.randint(kind.low, kind.high)))
    if column.name in ("year", "months", "rank"):
        return chance.choice((0, 1, 2, 3, 6, 12))
    around = (kind.low, kind.high, chance.randint(kind.low, kind.high), *small(chance))
    return min(max(chance.choice(around), kind.low), kind.high)


def small(chance: random.Random) -> tuple[int, ...]:
    """Numbers whose ratios fall on halves."""
    return (0, 1, 3, 20_000, 40_000, -1, -20_000, chance.randint(0, 1_000), chance.randint(0, 10**8))
