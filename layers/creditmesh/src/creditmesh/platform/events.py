"""Publishes every state change as an event on the platform's bus, without personal data."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from creditmesh.kernel.errors import Unavailable
from creditmesh.platform.tables import Item, decode

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

ENTRIES_PER_CALL = 10


class BusUnavailable(Unavailable):
    """The bus did not accept all events; the whole batch is retried, so consumers deduplicate by event id."""

    code = "bus_unavailable"


def application_events(before: Item | None, after: Item) -> list[dict[str, Any]]:
    """One event per timeline entry that a change of an application added."""
    known = len(before["timeline"]) if before else 0
    return [
        {
            "event_id": f"{after['application_id']}.{number}",
            "application_id": after["application_id"],
            "tenant": after["tenant"],
            "status": entry["status"],
            "outcome": after.get("outcome") if entry["status"] == "closed" else None,
            "at": entry["at"],
            "by": entry["by"],
        }
        for number, entry in enumerate(after["timeline"])
        if number >= known
    ]


def stream_events(
    records: Sequence[Mapping[str, Any]], events_of: Callable[[Item | None, Item], Sequence[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """The events of a table's stream records.

    Args:
        events_of: returns the events of one change, given the item before (None if new) and after.
    """
    details: list[dict[str, Any]] = []
    for record in records:
        images = record["dynamodb"]
        before = decode(images["OldImage"]) if "OldImage" in images else None
        details += events_of(before, decode(images["NewImage"]))
    return details


@dataclass(frozen=True)
class EventPublisher:
    """Puts events on the bus."""

    client: EventBridgeClient
    bus: str

    def publish(self, kind: str, details: Sequence[dict[str, Any]]) -> None:
        """Publish events of one kind.

        Raises:
            BusUnavailable: not all were accepted.
        """
        for start in range(0, len(details), ENTRIES_PER_CALL):
            answer = self.client.put_events(
                Entries=[
                    {
                        "EventBusName": self.bus,
                        "Source": "creditmesh",
                        "DetailType": kind,
                        "Detail": json.dumps(detail, ensure_ascii=False),
                    }
                    for detail in details[start : start + ENTRIES_PER_CALL]
                ]
            )
            if answer["FailedEntryCount"]:
                raise BusUnavailable(f"{answer['FailedEntryCount']} events were not accepted")
