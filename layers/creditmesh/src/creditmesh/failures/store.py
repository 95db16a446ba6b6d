"""The table of failed events: each is recorded once, and listed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from creditmesh.failures.model import KEPT_DAYS, FailedEvent, Failure, Kind, State
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.paging import FIRST, Page, Partition, Window, matching, read
from creditmesh.platform.tables import ConditionFailed, Put, Tables, Update

_KEY = "failed_event_id"


class FailedEvents:
    """Failed events, without their content for those who list them."""

    def __init__(self, tables: Tables, table: str) -> None:
        self._tables, self._table = tables, table

    def record(self, failure: Failure, sent_ms: int) -> bool:
        """Record a failure; an event that had failed before, done or not, is open again.

        Args:
            sent_ms: when the dead letter was written, in milliseconds since 1970.

        Returns:
            Whether it is new. The same or an older dead letter of the event changes nothing.
        """
        at = datetime.fromtimestamp(sent_ms / 1000, UTC)
        now: dict[str, Any] = {
            "state": State.OPEN.value,
            "error": failure.error,
            "event": json.dumps(failure.event, ensure_ascii=False, separators=(",", ":")),
            "failed_at": iso(at),
            "failed_ms": sent_ms,
            "expires_at": int((at + timedelta(days=KEPT_DAYS)).timestamp()),
        }
        first = {
            _KEY: failure.id,
            "kind": failure.kind.value,
            "way": failure.way.value,
            "source": failure.source,
            "target": failure.target or None,
            "keys": dict(failure.keys),
            "first_failed_at": iso(at),
            "failures": 1,
        }
        if self._tables.put_or_find(Put(self._table, {**first, **now}, _KEY)) is None:
            return True
        again = Update(
            self._table, {_KEY: failure.id}, now, add={"failures": 1}, at_most={"failed_ms": sent_ms - 1}
        )  # fmt: skip
        try:
            self._tables.write(again)
        except ConditionFailed:
            return False
        return True

    def list(
        self, window: Window = FIRST, *, state: State | None = None, kind: Kind | None = None
    ) -> Page[FailedEvent]:
        """Failed events, the latest first."""
        partitions = [
            Partition(self._table, (_KEY,), "state", one.value, sort="failed_at", index="by-state", newest_first=True)
            for one in ([state] if state else State)
        ]
        return read(self._tables, partitions, window, matching({"kind": kind})).map(FailedEvent.of)

    def get(self, failed_event_id: str) -> FailedEvent:
        """A failed event in any state.

        Raises:
            NotFound: no such event.
        """
        found = self._tables.get(self._table, {_KEY: failed_event_id})
        if found is None:
            raise NotFound("no such failed event", field="failed_event_id")
        return FailedEvent.of(found)
