"""The log of decisions: of each application once, by the day it was decided, with what it was decided from.

Statistics of the rules are counted from it, and changed rules are tried on it. An entry is written once the decision is
recorded on the application, under a key that follows from that record, so no retry of the step writes a second one.
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
from creditmesh.platform.tables import ConditionFailed, Put, Tables


class DecisionLog:
    """The log in DynamoDB: partitions by model, day and shard."""

    def __init__(self, tables: Tables, table: str) -> None:
        self._tables, self._table = tables, table

    def add(self, decision: Decision) -> None:
        """Enter a decision; the same once more changes nothing."""
        log = partition(decision.model_id, decision.decided_at[:10], decision.application_id)
        with suppress(ConditionFailed):
            self._tables.write(
                Put(self._table, {"log": log, "entry": decision.application_id, **asdict(decision)}, "entry")
            )

    def of_shard(
        self, model_id: str, day: date, shard: int, after: str | None = None, limit: int | None = None
    ) -> Iterator[Decision]:
        """Decisions of one day in one shard, by application id.

        Args:
            after: the application id that those wanted come after.
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
        """What was counted of a day that is over, or None if nobody has counted it yet."""
        item = self._tables.get(self._table, {"log": f"{model_id}#totals", "entry": day.isoformat()})
        return None if item is None else dict(json.loads(item["totals"]))

    def keep_totals(self, model_id: str, day: date, totals: Mapping[str, Any]) -> None:
        """Keep a day's count; whoever counts a day that is over comes to the same, so the last one may stay."""
        item = {"log": f"{model_id}#totals", "entry": day.isoformat(), "totals": json.dumps(totals, sort_keys=True)}
        self._tables.write(Put(self._table, item, "entry", replace=True))


def partition(model_id: str, day: str, application_id: str) -> str:
    """Where the entry of an application lies."""
    return _partition(model_id, day, crc32(application_id.encode()) % SHARDS)


def _partition(model_id: str, day: str, shard: int) -> str:
    return f"{model_id}#{day}#{shard}"


def _decision(item: Mapping[str, Any]) -> Decision:
    return Decision(**{name: item.get(name) for name in Decision.__dataclass_fields__})  # type: ignore[arg-type]
