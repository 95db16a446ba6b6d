"""Resumes executions whose score Spark has written (stream of the scoring requests)."""

from __future__ import annotations

from typing import Any

from creditmesh.decisions.bootstrap import assessment
from creditmesh.platform.failed_records import stream_records
from creditmesh.platform.observability import LambdaContext, logger, observed
from creditmesh.platform.tables import decode


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer each request's task; failed records are reported for a retry."""
    failed = []
    for record in stream_records(event):
        try:
            assessment().complete(decode(record["dynamodb"]["NewImage"]))
        except Exception as error:
            # One bad record must not block its batch; it is retried.
            logger.error("score not delivered", extra={"error": type(error).__name__})
            failed.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failed}
