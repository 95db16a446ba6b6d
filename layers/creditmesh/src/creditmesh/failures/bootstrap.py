"""Wires the context of failures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from creditmesh.failures.store import FailedEvents
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.settings import settings

if TYPE_CHECKING:
    from creditmesh.failures.service import EventReplays


@singleton
def failed_events() -> FailedEvents:
    return FailedEvents(platform().tables, settings().failed_events_table)


@singleton
def event_replays() -> EventReplays:
    from creditmesh.closing.model import moves_money
    from creditmesh.failures.service import EventReplays

    own, outbox = platform(), settings().outbox_table

    def message_moves_money(message_id: str) -> bool:
        """Also where it is unknown: it may have been an order to pay."""
        found = own.tables.get(outbox, {"message_id": message_id})
        return found is None or moves_money(found["type"])

    def start(name: str, given: Mapping[str, Any]) -> bool:
        return own.process(settings().event_replay_arn).start(name, given)

    return EventReplays(own.tables, settings().failed_events_table, own.clock, message_moves_money, start)
