"""Settles the commitments of applications that have ended, and tells their lenders (stream of the applications)."""

from __future__ import annotations

from typing import Any

from creditmesh.closing.bootstrap import closings, commitments
from creditmesh.platform.failed_records import stream_records
from creditmesh.platform.observability import LambdaContext, logger, observed
from creditmesh.platform.tables import decode


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle each; failed ones are reported for a retry."""
    failed = []
    for record in stream_records(event):
        image = decode(record["dynamodb"]["NewImage"])
        try:
            commitments().ended(image["application_id"], image["outcome"])
            closings().tell_end(image["application_id"], image["outcome"])
        except Exception as error:  # one bad record must not block its batch
            logger.error("end not handled", extra={"error": type(error).__name__})
            failed.append({"itemIdentifier": str(record["dynamodb"]["SequenceNumber"])})
    return {"batchItemFailures": failed}
