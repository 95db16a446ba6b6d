"""From an answer to third information: JMESPath rules, completeness, the fallback rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from creditmesh.gateway.channels.document import Structure
from creditmesh.gateway.channels.expressions import search

MOST_VALUES = 500_000
"""Maximum size of third information: a few doublings in a rule can turn a small answer into more than memory holds."""


@dataclass(frozen=True)
class Structured:
    """Third information."""

    document: Any
    """The rule's result; None if there was none."""
    missing: tuple[str, ...]
    """Completeness expressions without a result."""
    by_fallback: bool = False
    """Made by the fallback rule."""


def structured(structure: Structure, document: Any) -> Structured:
    """Apply the rule; if its result is incomplete, the fallback rule."""
    first = _applied(structure, structure.rule, document)
    if not first.missing or structure.fallback is None:
        return first
    second = _applied(structure, structure.fallback, document)
    if second.missing:
        return first
    return Structured(second.document, (), by_fallback=True)


def _applied(structure: Structure, rule: str, document: Any) -> Structured:
    found = search(rule, document)
    if not isinstance(found, dict) or not _bounded(found):
        return Structured(None, tuple(structure.complete) or ("@",))
    missing = tuple(one for one in structure.complete if search(one, found) in (None, "", [], {}))
    return Structured(found, missing)


def _bounded(document: Any) -> bool:
    open_, count = [document], 0
    while open_:
        one = open_.pop()
        inner = list(one.values()) if isinstance(one, dict) else one if isinstance(one, list) else []
        count += len(inner)
        if count > MOST_VALUES:
            return False
        open_ += inner
    return True
