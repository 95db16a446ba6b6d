"""The log of decisions: one entry per application, by day, with the decision's inputs.

Rule statistics are counted from it, and simulations replay it. An entry is written after the decision is recorded on
the application, under a key derived from that record, so retries write no second entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from typing import Any
from zlib import crc32

from creditmesh.decisions.model import SHARDS, Decision
from creditmesh.kernel.clock import Clock, parse_instant
from creditmesh.platform.tables import ConditionFailed, Put, Tables


class DecisionLog:
    """The log in DynamoDB: partitions by model, day and shard."""

    def __init__(self, tables: Tables, table: str, clock: Clock) -> None:
        self._tables, self._table, self._clock = tables, table, clock

    def add(self, decision: Decision) -> None:
        """Add a decision; idempotent."""
        day = self._clock.day_of(parse_instant(decision.decided_at))
        log = partition(decision.model_id, day.isoformat(), decision.application_id)
        with suppress(ConditionFailed):
            self._tables.write(
                Put(self._table, {"log": log, "entry": decision.application_id, **asdict(decision)}, "entry")
            )

    def remove(self, model_id: str, decided_at: str, application_id: str) -> None:
        """Delete a decision; idempotent."""
        day = self._clock.day_of(parse_instant(decided_at)).isoformat()
        self._tables.delete(self._table, {"log": partition(model_id, day, application_id), "entry": application_id})

    def of_shard(
        self, model_id: str, day: date, shard: int, after: str | None = None, limit: int | None = None
    ) -> Iterator[Decision]:
        """Decisions of one day in one shard, by application id.

        Args:
            after: exclusive lower bound of the application id.
        """
        found = self._tables.query(
            self._table,
            "log",
            _partition(model_id, day.isoformat(), shard),
            after=("entry", after) if after else None,
            limit=limit,
            consistent=True,
        )
        return (_decision(item) for item in found)

    def of_day(self, model_id: str, day: date) -> Iterator[Decision]:
        """All decisions of one day."""
        for shard in range(SHARDS):
            yield from self.of_shard(model_id, day, shard)

    def totals(self, model_id: str, day: date) -> dict[str, Any] | None:
        """The stored totals of a past day, or None."""
        item = self._tables.get(self._table, {"log": f"{model_id}#totals", "entry": day.isoformat()})
        return None if item is None else dict(json.loads(item["totals"]))

    def keep_totals(self, model_id: str, day: date, totals: Mapping[str, Any]) -> None:
        """Store the totals of a past day; every count gives the same result, so overwriting is harmless."""
        item = {"log": f"{model_id}#totals", "entry": day.isoformat(), "totals": json.dumps(totals, sort_keys=True)}
        self._tables.write(Put(self._table, item, "entry", replace=True))


def partition(model_id: str, day: str, application_id: str) -> str:
    """Partition of an application's entry."""
    return _partition(model_id, day, crc32(application_id.encode()) % SHARDS)


def _partition(model_id: str, day: str, shard: int) -> str:
    return f"{model_id}#{day}#{shard}"


def _decision(item: Mapping[str, Any]) -> Decision:
    return Decision(**{name: item.get(name) for name in Decision.__dataclass_fields__})  # type: ignore[arg-type]
