"""The firm's name as the applicant wrote it, compared with the registry's, which contracts carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from creditmesh.intake.model import NameMatch
from creditmesh.kernel.text import name_of

ALIKE_BPS = 8_800
"""Names less similar than this may be another firm's, so a person looks. Typing errors and a missing place or trade
stay above it, two firms of one place or family below."""
_SAME_BPS = 10_000


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
    registry: Any = sources.get("registry")
    registration = registry.get("registration") if isinstance(registry, Mapping) else None
    written = registration.get("name") if isinstance(registration, Mapping) else None
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
