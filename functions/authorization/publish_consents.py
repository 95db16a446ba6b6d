"""Publishes changes of authorisations on the event bus and completes their follow-up."""

from __future__ import annotations

from typing import Any

from creditmesh.authorization.bootstrap import consent_follow_up
from creditmesh.authorization.endings import consent_event
from creditmesh.authorization.records import ConsentRecord
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.failed_records import stream_records
from creditmesh.platform.observability import LambdaContext, logger, observed
from creditmesh.platform.tables import decode


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle each new record; failed ones are reported for a retry."""
    failed = [
        {"itemIdentifier": str(record["dynamodb"]["SequenceNumber"])}
        for record in stream_records(event)
        if not _handled(record["dynamodb"]["NewImage"])
    ]
    return {"batchItemFailures": failed}


def _handled(image: dict[str, Any]) -> bool:
    if "moved" in image:  # published when it happened; it has a new index now
        return True
    try:
        record = ConsentRecord.model_validate(decode(image))
        consent_follow_up().again(record)
        platform().events.publish("ConsentChanged", [consent_event(record)])
    except Exception as error:
        # One bad record must not block its batch; it is retried, then set aside by the event source.
        logger.error("consent record not handled", extra={"error": type(error).__name__})
        return False
    return True
