"""Puts outbox messages into the delivery queue: new ones, retries and, on schedule, lost ones."""

from __future__ import annotations

from typing import Any

from creditmesh.outbox.bootstrap import delivery_queue, overdue_messages
from creditmesh.platform.deliveries import Ticket
from creditmesh.platform.failed_records import stream_records
from creditmesh.platform.observability import LambdaContext, logger, observed
from creditmesh.platform.queue import ticket
from creditmesh.platform.tables import decode


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Enqueue a ticket for each record; failed records are reported for a retry."""
    if "Records" not in event and "failed_record" not in event:
        lost = {ticket.message_id: ticket for ticket in overdue_messages()}
        return {"found": len(lost), "left": len(delivery_queue().enqueue(lost))}
    tickets: dict[str, Ticket] = {}
    failed: list[str] = []
    for record in stream_records(event):
        identifier = record.get("messageId") or record["dynamodb"]["SequenceNumber"]
        try:
            tickets[identifier] = _ticket(record)
        except (KeyError, TypeError, ValueError) as error:
            # One bad record must not block its batch; the event source sets it aside.
            logger.error("message not queued", extra={"error": type(error).__name__})
            failed.append(identifier)
    failed += delivery_queue().enqueue(tickets)
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _ticket(record: dict[str, Any]) -> Ticket:
    if record["eventSource"] == "aws:sqs":
        return ticket(record["body"])
    return Ticket.of(decode(record["dynamodb"]["NewImage"]))
