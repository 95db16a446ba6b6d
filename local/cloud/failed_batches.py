"""Batches of stream records that a mapping gives up, as Lambda writes them to a bucket (S3 as OnFailure destination).

Lambda Developer Guide, "Retain discarded records for a DynamoDB event source": the object has the metadata that a queue
would get and, as ``payload``, the event that the function was given.
"""

from __future__ import annotations

import json
import time
from typing import Any

from cloud.upstream import lambda_svc, responses, s3

_SHARD = "shardId-00000000000000000000-00000000"


def report(
    mapping: dict[str, Any], function: dict[str, Any], batch: list[Any], result: dict[str, Any], reason: str
) -> None:
    """Send a batch to the mapping's OnFailure destination; upstream knows queues and topics."""
    destination = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination") or ""
    if ":s3:::" not in destination:
        lambda_svc._send_ddb_stream_failure_record(
            mapping, function, batch, mapping["EventSourceArn"], result, reason
        )  # fmt: skip
        return
    now = time.gmtime()
    key = f"aws/lambda/{mapping['UUID']}/{_SHARD}/{time.strftime('%Y-%m-%dT%H.%M.%S', now)}-{responses.new_uuid()}"
    document = _document(mapping, function, batch, result, reason)
    s3._put_object(
        destination.rpartition(":")[2], key, json.dumps(document).encode(), {"content-type": "application/json"}
    )


def _document(
    mapping: dict[str, Any], function: dict[str, Any], batch: list[Any], result: dict[str, Any], reason: str
) -> dict[str, Any]:
    changes = [record["dynamodb"] for record in batch]
    arrivals = [_iso(float(one["ApproximateCreationDateTime"])) for one in (changes[0], changes[-1])]
    return {
        "requestContext": {
            "requestId": responses.new_uuid(),
            "functionArn": (function.get("config") or function)["FunctionArn"],
            "condition": reason,
            "approximateInvokeCount": int(mapping.get("MaximumRetryAttempts") or 0) + 1,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": result.get("function_error") or "Unhandled",
        },
        "version": "1.0",
        "timestamp": _iso(time.time()),
        "DDBStreamBatchInfo": {
            "shardId": _SHARD,
            "startSequenceNumber": str(changes[0]["SequenceNumber"]),
            "endSequenceNumber": str(changes[-1]["SequenceNumber"]),
            "approximateArrivalOfFirstRecord": arrivals[0],
            "approximateArrivalOfLastRecord": arrivals[1],
            "batchSize": len(batch),
            "streamArn": mapping["EventSourceArn"],
        },
        "payload": json.dumps({"Records": batch}),
    }


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
