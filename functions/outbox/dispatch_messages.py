"""Delivers outbox messages: new ones from the table's stream, failed ones from the retry queue (DESIGN 7)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, count, logger, observed
from creditmesh.platform.tables import decode

PARALLEL = 8


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Deliver each record's message; the records that could not be handled at all are named for another try."""
    records = event["Records"]
    wiring.outbox()  # made once, before threads share it
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        failed = [identifier for identifier in pool.map(_deliver, records) if identifier]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _deliver(record: dict[str, Any]) -> str | None:
    try:
        if record["eventSource"] == "aws:sqs":
            result = wiring.outbox().deliver_by_id(json.loads(record["body"])["message_id"])
        else:
            result = wiring.outbox().deliver(decode(record["dynamodb"]["NewImage"]))
    except Exception as error:
        # One bad record must not take the others of its batch along; it is tried again, then set aside by the source.
        logger.error("message not handled", extra={"error": type(error).__name__})
        identifier = record.get("messageId") or record["dynamodb"]["SequenceNumber"]
        return str(identifier)
    count("OutboxDeliveries", result=result)
    return None
