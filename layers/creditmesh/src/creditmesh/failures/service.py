"""Replays of failed events: by one person or, where money moves, by two."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from creditmesh.failures.model import KEPT_DAYS, FailedEvent, State
from creditmesh.kernel.clock import Clock, parse_instant
from creditmesh.platform.replays import NotReplayable, Replays
from creditmesh.platform.tables import Item, Ref, Tables

LONGEST_REPLAY = timedelta(minutes=30)
"""A replay that has not ended by then has been lost; longer than its process may last."""


class EventReplays:
    """Gives failed events to their targets again.

    Args:
        message_moves_money: whether an outbox message, by its id, does.
        start: starts the process of a replay, given its name and input; idempotent.
    """

    def __init__(
        self,
        tables: Tables,
        table: str,
        clock: Clock,
        message_moves_money: Callable[[str], bool],
        start: Callable[[str, Mapping[str, Any]], bool],
    ) -> None:
        self._table, self._clock = table, clock
        self._message_moves_money, self._start = message_moves_money, start
        self._replays = Replays(tables, clock, "failed event", self._ref, self._check, self._moves_money, self._again)

    def ask(self, failed_event_id: str, by: str, note: str) -> FailedEvent:
        """Replay an event, or ask for it; see `Replays.ask`."""
        return self._started(self._replays.ask(failed_event_id, by, note))

    def decide(self, failed_event_id: str, by: str, *, confirm: bool, note: str) -> FailedEvent:
        """See `Replays.decide`."""
        return self._started(self._replays.decide(failed_event_id, by, confirm=confirm, note=note))

    def _started(self, item: Item) -> FailedEvent:
        """Start the process once the state is written, which the process changes at its end."""
        if item["state"] == State.REPLAYING:
            given = {name: item.get(name, "") for name in ("failed_event_id", "run", "way", "target")}
            self._start(f"{item['failed_event_id']}-{item['run']}", {**given, "event": json.loads(item["event"])})
        return FailedEvent.of(item)

    def _check(self, item: Item) -> None:
        now = self._clock.now()
        lost = item["state"] == State.REPLAYING and now >= parse_instant(item["replays"][-1]["at"]) + LONGEST_REPLAY
        if item["state"] != State.OPEN and not lost:
            raise NotReplayable("the event is {state}", state=item["state"])
        if now.timestamp() >= item["expires_at"]:
            raise NotReplayable("the event is kept for {days} days only", days=KEPT_DAYS)

    def _moves_money(self, item: Item) -> bool:
        """Money is ordered and told of by messages only, so what counts is the message that the event is about."""
        message_id = item["keys"].get("message_id")
        return message_id is not None and self._message_moves_money(message_id)

    def _again(self, item: Item) -> Mapping[str, Any]:
        return {"state": State.REPLAYING.value, "run": item.get("run", 0) + 1}

    def _ref(self, failed_event_id: str) -> Ref:
        return Ref(self._table, {"failed_event_id": failed_event_id})
