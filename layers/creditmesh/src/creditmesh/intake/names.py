"""Who the firm is by the registry: its name, compared with the applicant's, and its legal representative's key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from pydantic_core import PydanticCustomError

from creditmesh.intake.model import NameMatch
from creditmesh.kernel.text import name_of

ALIKE_BPS = 8_800
"""Names less similar than this may be another firm's, so a person looks. Typing errors and a missing place or trade
stay above it, two firms of one place or family below."""
_SAME_BPS = 10_000
_KEY = re.compile("[0-9A-Z][0-9A-Z-]{3,63}", re.ASCII)


@dataclass(frozen=True)
class RegisteredName:
    """The registry's name of a firm, and how the applicant's fits it."""

    name: str
    match: NameMatch
    score_bps: int

    def findings(self) -> list[dict[str, Any]]:
        """The difference as a finding about the data, without the names."""
        if self.match is NameMatch.SAME:
            return []
        severity = "error" if self.match is NameMatch.VERY_DIFFERENT else "warning"
        values = {"similarity_bps": str(self.score_bps)}
        return [{"field": "application.firm_name", "severity": severity, "finding": "name_differs", "values": values}]


def registered_name(
    given: str, sources: Mapping[str, Mapping[str, Any] | None], likeness: Callable[[str, str], int]
) -> RegisteredName | None:
    """The registry's name; None if it gave none that can be read."""
    written = _registration(sources).get("name")
    if not isinstance(written, str):
        return None
    try:
        name = name_of(written)
    except PydanticCustomError:
        return None
    score = likeness(given, name)
    if score == _SAME_BPS:
        return RegisteredName(name, NameMatch.SAME, score)
    return RegisteredName(name, NameMatch.DIFFERENT if score >= ALIKE_BPS else NameMatch.VERY_DIFFERENT, score)


def representative_key(sources: Mapping[str, Mapping[str, Any] | None]) -> str | None:
    """The registry's key of the legal representative, ignoring case and width; None if it gives none.

    Names are no keys: too many persons share one.
    """
    written = _registration(sources).get("legal_representative_key")
    key = normalize("NFKC", written).strip().upper() if isinstance(written, str) else ""
    return key if _KEY.fullmatch(key) else None


def _registration(sources: Mapping[str, Mapping[str, Any] | None]) -> Mapping[str, Any]:
    registry: Any = sources.get("registry")
    registration = registry.get("registration") if isinstance(registry, Mapping) else None
    return registration if isinstance(registration, Mapping) else {}
