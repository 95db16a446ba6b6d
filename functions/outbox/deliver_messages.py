"""Delivers one outbox message per call; unexpected failures are retried by the queue, then dead-lettered."""

from __future__ import annotations

from typing import Any

from creditmesh.outbox.bootstrap import deliveries
from creditmesh.platform.observability import LambdaContext, count, observed
from creditmesh.platform.queue import ticket


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Deliver the message of the one ticket; a batch of several could mix institutions."""
    (record,) = event["Records"]
    one = ticket(record["body"])
    result = deliveries().deliver(one.message_id, one.attempt)
    count("OutboxDeliveries", result=result)
    return {"result": result}
