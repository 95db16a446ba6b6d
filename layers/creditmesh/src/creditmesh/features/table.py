"""The feature table: every feature of ``features.json``, in the order of docs/reference/key-data.md.

The first forty are those of the risk model ``key-data-1``; new ones are appended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files

from creditmesh.features.document import parse
from creditmesh.features.feature import Feature
from creditmesh.features.formula import Expression, Field, Fold, Item, Last, Rows, Volatility, children
from creditmesh.features.generated import Value, function_of
from creditmesh.features.row import BY_NAME, TOP_BY_NAME
from creditmesh.features.schema import Column, Values

_SET = parse(files(__package__).joinpath("features.json").read_text(encoding="utf-8"))
FEATURES: tuple[Feature, ...] = _SET.features
VERSION = _SET.version

_NAMES = tuple(feature.name for feature in FEATURES)
_MONEY = ("amount", "signed")


@lru_cache(maxsize=1)
def values_of() -> Callable[[Values], tuple[Value, ...]]:
    """A function from a clean row to all features' values in the table's order; compiled at first use."""
    return function_of([feature.formula for feature in FEATURES])


def features_of(row: Values) -> dict[str, Value]:
    """Every feature of one clean row, by name; None if unknown."""
    return dict(zip(_NAMES, values_of()(row), strict=True))


@lru_cache(maxsize=1)
def lineage() -> Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """For each feature, by source, the paths in third information that it is computed from."""
    return {feature.name: _paths(feature.formula) for feature in FEATURES}


def _paths(formula: Expression) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, dict[str, None]] = {}
    for source, column in _columns(formula, None):
        paths = found.setdefault(source, {})
        paths.update(dict.fromkeys(column.paths))
        if column.kind in _MONEY:
            paths["currency"] = None
    return tuple((source, tuple(paths)) for source, paths in found.items())


def _columns(node: Expression | Rows, section: str | None) -> list[tuple[str, Column]]:
    """The clean row's columns that a formula reads, with their sources."""
    match node:
        case Field(path):
            head, _, name = path.partition(".")
            if name:
                return [(BY_NAME[head].source, BY_NAME[head].column(name))]
            return [_input(path)] if TOP_BY_NAME[path].paths else []
        case Last(name, column):
            return [(BY_NAME[name].source, BY_NAME[name].column(column))]
        case Item(name):
            return [(BY_NAME[section or ""].source, BY_NAME[section or ""].column(name))]
        case Rows(name, _):
            section = name
        case Fold(rows=rows) | Volatility(rows=rows):
            section = rows.section
    return [column for child in children(node) for column in _columns(child, section)]


def _input(name: str) -> tuple[str, Column]:
    """A value supplied by the platform; its only path begins with its origin."""
    column = TOP_BY_NAME[name]
    source, _, path = column.paths[0].partition(".")
    return source, Column(column.name, "count", column.meaning, (path,))
