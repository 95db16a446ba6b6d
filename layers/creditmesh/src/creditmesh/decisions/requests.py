"""Scoring requests in DynamoDB, through which processes and the resident Spark job communicate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from creditmesh.decisions.serving.queue import open_item, packed
from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.tables import ConditionFailed, Item, Put, Ref, Tables, Update

RETENTION_SECONDS = 30 * 86400


@dataclass(frozen=True)
class Inputs:
    """The inputs of a decision."""

    model_id: str
    features: Mapping[str, Any] = field(repr=False)
    sources: Sequence[Mapping[str, Any]] = field(repr=False)
    """Origin of the features, for the report."""


class ScoringRequestStore:
    """One request per application; the newest task token is answered.

    Args:
        shards: number of index partitions of open requests.
    """

    def __init__(self, tables: Tables, table: str, shards: int, clock: Clock) -> None:
        self._tables, self._table, self._shards, self._clock = tables, table, shards, clock

    def ref(self, application_id: str) -> Ref:
        """The item of a request, to be read together with others."""
        return Ref(self._table, {"request_id": application_id})

    def get(self, application_id: str) -> Item | None:
        return self._tables.get(self._table, {"request_id": application_id})

    def put(self, application_id: str, inputs: Inputs, token: str) -> bool:
        """Create a request; False if there is one. An older request without a result is replaced."""
        item = self._item(application_id, inputs, token, self._clock.today())
        earlier = self._tables.put_or_find(Put(self._table, item, "request_id"))
        if earlier and earlier["state"] == "done":
            return False
        if earlier:
            self._tables.write(Put(self._table, item, "request_id", replace=True))
        return True

    def answer(self, application_id: str, inputs: Inputs, result: Mapping[str, Any], on: date) -> None:
        """Store a result of the fallback evaluator, unless Spark's has arrived.

        Args:
            inputs: what was scored; stored if the request itself was not.
            on: the day whose rules applied; stored likewise.
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
            return  # has its result

    def _item(self, application_id: str, inputs: Inputs, token: str, on: date) -> Item:
        now = self._clock.now()
        item = open_item(
            request_id=application_id,
            application_id=application_id,
            task_token=token,
            model_id=inputs.model_id,
            features=inputs.features,
            created_at=iso(now),
            shards=self._shards,
            rules_of=on,
        )
        sources = packed(json.dumps(inputs.sources, ensure_ascii=False))
        return {**item, "sources": sources, "expires_at": int(now.timestamp()) + RETENTION_SECONDS}
