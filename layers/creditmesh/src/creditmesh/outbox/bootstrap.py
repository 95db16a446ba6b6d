"""Wires delivery, and which context handles a message's result."""

from __future__ import annotations

from collections.abc import Iterator

from creditmesh.authorization.bootstrap import revocations
from creditmesh.authorization.revocations import TYPE as REVOKED
from creditmesh.closing.model import moves_money
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.deliveries import Deliveries, Ticket, overdue
from creditmesh.platform.queue import DeliveryQueue, SqsRetryQueue
from creditmesh.platform.settings import settings
from creditmesh.platform.tables import Item, Write
from creditmesh.platform.undelivered import Undelivered


@singleton
def delivery_queue() -> DeliveryQueue:
    return DeliveryQueue(platform().client("sqs"), settings().delivery_queue_url)


@singleton
def deliveries() -> Deliveries:
    own = platform()
    queue = SqsRetryQueue(own.client("sqs"), settings().retry_queue_url)

    def beside(item: Item, state: str) -> list[Write]:
        return [revocations().settled(item, state)] if item["type"] == REVOKED else []

    def parked(item: Item) -> None:
        from creditmesh.closing.bootstrap import closings

        if item["type"] != REVOKED:
            closings().message_parked(item)

    return Deliveries(
        own.tables, settings().outbox_table, own.cipher, own.directory, own.http, own.clock, queue, beside, parked
    )


@singleton
def undelivered() -> Undelivered:
    from creditmesh.closing.bootstrap import closings

    own = platform()
    return Undelivered(
        own.tables, settings().outbox_table, own.clock, delivery_queue(), closings().awaits, moves_money
    )  # fmt: skip


def overdue_messages() -> Iterator[Ticket]:
    """Tickets for messages whose ticket was lost."""
    return overdue(platform().tables, settings().outbox_table, platform().clock)
