"""A feature: one entry of the feature table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from creditmesh.features.formula import Expression

Type = Literal["integer", "string", "boolean"]
Unit = Literal["fen", "bps", "count", "months", "days", "points", "× 100", "code", "flag"]

_TYPES: dict[str, Type] = {"code": "string", "flag": "boolean"}


@dataclass(frozen=True)
class Feature:
    """One feature: its name, unit, window, meaning and formula."""

    name: str
    unit: Unit
    """For example ``fen``, ``bps`` (basis points), ``code`` (a word) or ``flag`` (a boolean)."""
    window: str
    """``12m`` and the like: full calendar months before the as-of day."""
    meaning: str
    """One sentence."""
    formula: Expression

    @property
    def type(self) -> Type:
        return _TYPES.get(self.unit, "integer")
