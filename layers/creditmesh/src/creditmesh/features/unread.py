"""Finds the features that are unknown because a source was unavailable or unreadable."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from creditmesh.features.generated import Value
from creditmesh.features.table import FEATURES, lineage
from creditmesh.kernel.unread import write_unread

_NUMBER = re.compile(r"\[[0-9]+\]")
_DOUBTS = frozenset({"overlap", "restated", "sources_disagree", "stale"})
"""Findings of severity ``warning`` that make no value unknown."""


def unread(values: Sequence[Value], notes: Iterable[tuple[str, str, str, object]]) -> str | None:
    """The text of `creditmesh.kernel.unread` for one firm.

    Args:
        values: the features in the table's order.
        notes: the notes made while cleaning.
    """
    lost: dict[int, set[str]] = {}
    for field, severity, finding, _ in notes:
        if severity != "info" and finding not in _DOUBTS:
            for index, source in _readers().get(_NUMBER.sub("[*]", field), ()):
                if values[index] is None:
                    lost.setdefault(index, set()).add(source)
    return write_unread({FEATURES[index].name: lost[index] for index in sorted(lost)}) if lost else None


@lru_cache(maxsize=1)
def _readers() -> dict[str, list[tuple[int, str]]]:
    """For each path of an answer, section or field: the features that read it, by position, and its source."""
    found: dict[str, list[tuple[int, str]]] = {}
    for index, feature in enumerate(FEATURES):
        for source, paths in lineage()[feature.name]:
            whole = {f"{source}.{path}" for path in paths}
            places = {source, *whole}
            for path in whole:
                places |= {path[: match.start()] for match in re.finditer(r"\.|\[\*\]", path)}
                places |= {path[: match.end()] for match in re.finditer(r"\[\*\]", path)}
            for place in places:
                found.setdefault(place, []).append((index, source))
    return found
