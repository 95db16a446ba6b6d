"""What failed for good, as it is recorded and shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import Field

from creditmesh.platform.replays import Replayable
from creditmesh.platform.tables import Item

KEPT_DAYS = 30
"""After the last failure; the bucket keeps the batches of stream records as long."""


class Kind(StrEnum):
    """Where the event came from."""

    STREAM = "stream"
    """A record of a table's stream."""
    SCHEDULE = "schedule"
    RULE = "rule"
    """An event on a bus that a rule's target did not take."""
    DELIVERY = "delivery"
    """The ticket of an outbox message."""


class State(StrEnum):
    """What became of it."""

    OPEN = "open"
    REPLAYING = "replaying"
    DONE = "done"


class Way(StrEnum):
    """How the event reaches its target again (stepfunctions/event_replay.asl.yaml)."""

    FUNCTION = "function"
    DELIVERY = "delivery"
    """Through the queue of the message's lane."""
    PROCESS = "process"
    BUS = "bus"


class Unreadable(Exception):
    """A dead letter has a form that no source writes; it stays in its queue."""


@dataclass(frozen=True)
class Failure:
    """One event that its target did not handle."""

    kind: Kind
    way: Way
    target: str
    """ARN; empty for a delivery."""
    error: str
    """A name or code, without values."""
    event: Any = field(repr=False)
    """What a replay gives the target; a stream's record by its place only."""
    keys: Mapping[str, str]
    """Ids of what it is about."""
    same: str = field(repr=False)
    """Equal for further failures of the same event."""
    source: str | None = None
    """Table, schedule, rule or queue, where the dead letter names it."""

    @property
    def id(self) -> str:
        """32 hexadecimal digits; the same for every failure of one event."""
        text = json.dumps([self.kind, self.target, self.source, self.same])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class FailedEvent(Replayable):
    """A failed event, without its content."""

    failed_event_id: str
    kind: Kind
    state: State
    source: str | None = Field(default=None, description="table, schedule, rule or queue that it came from")
    target: str | None = Field(default=None, description="function, process or log that did not take it")
    keys: dict[str, str] = Field(description="ids of what it is about, such as a table's key")
    error: str = Field(description="name or code of the last error")
    failures: int = Field(description="how often it has failed for good, replays aside")
    first_failed_at: str
    failed_at: str

    @classmethod
    def of(cls, item: Item) -> FailedEvent:
        """The stored item without its content; of ARNs, the name alone."""
        target = item.get("target", "").replace("/", ":").rpartition(":")[2]
        return cls.model_validate({**item, "target": target or None})
