"""Faults on demand, for every institution: the next N requests or callbacks fail as ordered."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REQUEST_KINDS = (
    "delay", "status", "garbage", "cut", "wrong_charset", "huge", "drift", "xml_bomb", "redirect",
)  # fmt: skip
OUTGOING_KINDS = ("wrong_signature", "drop", "fail_disbursement")
DRIFTS = ("rename", "retype")
LONGEST_DELAY_MS = 120_000
_LONGEST_TEXT = 2_048


@dataclass
class Fault:
    """An order: the fault, how many more times, and where (a path prefix, or a callback's type)."""

    id: int
    kind: str
    count: int
    path: str | None
    status: int
    """For ``status``; ``retry_after`` is its ``Retry-After`` in seconds."""
    retry_after: int | None
    delay_ms: int
    """For ``delay``."""
    megabytes: int
    """For ``huge``: size of the answer."""
    location: str | None
    """For ``redirect``: its target."""
    field: str | None
    """For ``drift``: the field that changes, at any depth; None for the document's first."""
    how: str
    """For ``drift``: ``rename`` or ``retype``."""


class FaultRefused(ValueError):
    """An order for a fault is malformed; the text names the field."""


class Faults:
    """Pending faults, in memory: a restart clears them."""

    def __init__(self) -> None:
        self._orders: list[Fault] = []
        self._ids = itertools.count(1)

    def order(self, document: Mapping[str, Any]) -> Fault:
        """Accept an order.

        Raises:
            FaultRefused: a field is malformed.
        """
        kind, how = document.get("kind"), document.get("how", "rename")
        if kind not in REQUEST_KINDS + OUTGOING_KINDS:
            raise FaultRefused("kind")
        if how not in DRIFTS:
            raise FaultRefused("how")
        location = _text(document, "location")
        if kind == "redirect" and location is None:
            raise FaultRefused("location")
        later = document.get("retry_after")
        fault = Fault(
            id=next(self._ids),
            kind=str(kind),
            count=_whole(document, "count", 1, 1, 1_000_000),
            path=_text(document, "path"),
            status=_whole(document, "status", 503, 400, 599),
            retry_after=None if later is None else _whole(document, "retry_after", 0, 0, 86_400),
            delay_ms=_whole(document, "delay_ms", 2_000, 0, LONGEST_DELAY_MS),
            megabytes=_whole(document, "megabytes", 50, 1, 10_000),
            location=location,
            field=_text(document, "field"),
            how=str(how),
        )
        self._orders.append(fault)
        return fault

    def pending(self) -> list[Fault]:
        """Orders that are not used up."""
        return list(self._orders)

    def clear(self) -> None:
        self._orders.clear()

    def take(self, kinds: tuple[str, ...], path: str) -> Fault | None:
        """Use up one count of the oldest matching order, if any."""
        for fault in self._orders:
            if fault.kind in kinds and (fault.path is None or path.startswith(fault.path)):
                fault.count -= 1
                if fault.count == 0:
                    self._orders.remove(fault)
                return fault
        return None


def _text(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    if value is not None and (not isinstance(value, str) or not value.isascii() or len(value) > _LONGEST_TEXT):
        raise FaultRefused(name)
    return value


def _whole(document: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = document.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise FaultRefused(name)
    return value
