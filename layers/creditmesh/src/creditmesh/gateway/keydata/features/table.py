"""The feature table: every feature, in the order of docs/reference/key-data.md.

The first forty are those that the risk model ``key-data-1`` is made of; new ones go to the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from creditmesh.gateway.keydata.evaluate import Value, compiled
from creditmesh.gateway.keydata.features import courts, credit, invoices, people, registry, shop, tax
from creditmesh.gateway.keydata.features.feature import Feature
from creditmesh.gateway.keydata.formula import Expression, Field, Fold, Item, Last, Rows, Volatility, children
from creditmesh.gateway.keydata.row import BY_NAME, TOP_BY_NAME
from creditmesh.gateway.keydata.schema import Column, Values

_INPUTS = (
    Feature("blacklist_hits", "count", "as of", "Entries on blacklists that match the firm.", Field("blacklist_hits")),
    Feature("requested_amount_minor", "fen", "application", "The amount applied for.",
            Field("requested_amount_minor")),
    Feature("requested_term_months", "months", "application", "The term applied for.", Field("requested_term_months")),
)  # fmt: skip

_LISTS = (
    Feature("greylist_hits", "count", "as of", "Entries on grey lists that match the firm.", Field("greylist_hits")),
    Feature("whitelist_hits", "count", "as of", "Entries on white lists that match the firm.",
            Field("whitelist_hits")),
    Feature("blacklist_name_score_bps", "bps", "as of",
            "Jaro-Winkler similarity of the firm's name and the most similar blacklisted one; 0 below 8,000.",
            Field("blacklist_name_score_bps")),
    Feature("greylist_name_score_bps", "bps", "as of",
            "Jaro-Winkler similarity of the firm's name and the most similar greylisted one; 0 below 8,000.",
            Field("greylist_name_score_bps")),
)  # fmt: skip

FEATURES: tuple[Feature, ...] = (
    *tax.STANDING, *tax.STATEMENTS, *tax.PAYMENTS, *invoices.INVOICES, *registry.REGISTRY, *_INPUTS,
    *tax.MORE, *invoices.MORE, *registry.MORE, *courts.COURTS, *credit.CREDIT, *shop.SHOP, *people.PEOPLE,
    *_LISTS, *registry.STAFF,
)  # fmt: skip

_MONEY = ("amount", "signed")
_compiled = {feature.name: compiled(feature.formula) for feature in FEATURES}


def features_of(row: Values) -> dict[str, Value]:
    """Every feature of one clean row, by name; None is not known."""
    return {name: value(row) for name, value in _compiled.items()}


@lru_cache(maxsize=1)
def lineage() -> Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """For each feature, by source, the paths of the third information that it is computed from."""
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
