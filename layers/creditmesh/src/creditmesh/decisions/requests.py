"""Scoring requests in DynamoDB: the hand-over between a process and the resident Spark job."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from creditmesh.decisions.serving.queue import open_item, packed
from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.tables import ConditionFailed, Item, Put, Ref, Tables, Update

RETENTION_SECONDS = 30 * 86400


@dataclass(frozen=True)
class Inputs:
    """What a decision is made from."""

    features: Mapping[str, Any] = field(repr=False)
    sources: Sequence[Mapping[str, Any]] = field(repr=False)
    """Where the features come from, as the report tells."""


class ScoringRequestStore:
    """One request per application; the newest token is the one that is answered.

    Args:
        shards: over how many index partitions open requests are spread.
        utc_offset: what the days on which rules begin and end are ahead of those in UTC.
    """

    def __init__(
        self, tables: Tables, table: str, shards: int, clock: Clock, utc_offset: timedelta = timedelta()
    ) -> None:
        self._tables, self._table, self._shards, self._clock = tables, table, shards, clock
        self._utc_offset = utc_offset

    def today(self) -> date:
        """The day whose rules decide on what is asked now."""
        return (self._clock.now() + self._utc_offset).date()

    def ref(self, application_id: str) -> Ref:
        """Where a request lies, to be read by one call with other items."""
        return Ref(self._table, {"request_id": application_id})

    def get(self, application_id: str) -> Item | None:
        """The request, or None."""
        return self._tables.get(self._table, {"request_id": application_id})

    def put(self, application_id: str, inputs: Inputs, token: str) -> bool:
        """Ask for a score; False if there is one. An older request without an answer is replaced."""
        item = self._item(application_id, inputs, token, self.today())
        earlier = self._tables.put_or_find(Put(self._table, item, "request_id"))
        if earlier and earlier["state"] == "done":
            return False
        if earlier:
            self._tables.write(Put(self._table, item, "request_id", replace=True))
        return True

    def answer(self, application_id: str, inputs: Inputs, result: Mapping[str, Any], on: date) -> None:
        """Store a result made by the fallback evaluator, unless Spark's has come in after all.

        Args:
            inputs: what was scored; kept where the request itself never reached the table.
            on: the day whose rules decided; kept likewise.
        """
        change = {
            "state": "done",
            "result": packed(json.dumps(result, ensure_ascii=False, sort_keys=True)),
            "engine": "python",
            "scored_at_ms": int(self._clock.now().timestamp() * 1000),
        }
        key = {"request_id": application_id}
        open_states = ("open", "claimed", "failed")
        try:
            self._tables.write(Update(self._table, key, set=change, remove=("queue",), where={"state": open_states}))
        except ConditionFailed:
            asked = self._item(application_id, inputs, "", on)
            unasked = {name: value for name, value in asked.items() if name not in ("queue", "task_token")}
            self._answer_unasked({**unasked, **change})

    def _answer_unasked(self, item: Item) -> None:
        try:
            self._tables.write(Put(self._table, item, "request_id"))
        except ConditionFailed:
            return  # it has its result already

    def _item(self, application_id: str, inputs: Inputs, token: str, on: date) -> Item:
        now = self._clock.now()
        item = open_item(
            request_id=application_id,
            application_id=application_id,
            task_token=token,
            features=inputs.features,
            created_at=iso(now),
            shards=self._shards,
            rules_of=on,
        )
        sources = packed(json.dumps(inputs.sources, ensure_ascii=False))
        return {**item, "sources": sources, "expires_at": int(now.timestamp()) + RETENTION_SECONDS}
