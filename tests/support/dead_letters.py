"""Dead letters as AWS writes them (sources in creditmesh.failures.dead_letters)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.template import ACCOUNT, REGION

DEAD_LETTERS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:DeadLetters"
BUCKET = "failed-records"


def dead_letter(
    body: Any, attributes: Mapping[str, str] | None = None, sent_ms: int = 1_795_305_600_000, queue: str = DEAD_LETTERS
) -> dict[str, Any]:
    """The event of a function that reads a queue, with one message."""
    typed = {name: {"stringValue": value, "dataType": "String"} for name, value in (attributes or {}).items()}
    message = {
        "messageId": f"m-{sent_ms}",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"SentTimestamp": str(sent_ms), "ApproximateReceiveCount": "1"},
        "messageAttributes": typed,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
    }
    return {"Records": [message]}


def stored_at(key: str) -> dict[str, Any]:
    """S3's notification of a new object; it quotes keys as forms do."""
    quoted = key.replace("+", "%2B").replace(" ", "+")
    place = {"bucket": {"name": BUCKET}, "object": {"key": quoted}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": place}]}


def failed_batch(function: str, table: str, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What Lambda writes to S3 of a batch of stream records that it gives up."""
    stream = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/2026-11-30T00:00:00.000"
    return {
        "requestContext": {
            "requestId": "r-1",
            "functionArn": function,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 21,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-11-22T00:00:00.000Z",
        "DDBStreamBatchInfo": {"shardId": "shardId-1", "batchSize": len(records), "streamArn": stream},
        "payload": json.dumps({"Records": records}),
    }


def failed_invocation(function: str, event: Any, error: str = "AwsCallFailed") -> dict[str, Any]:
    """What Lambda sends of an asynchronous invocation that failed each time."""
    return {
        "version": "1.0",
        "timestamp": "2026-11-22T00:00:00.000Z",
        "requestContext": {
            "requestId": "r-1",
            "functionArn": f"{function}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 2,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": error, "errorMessage": "secret text"},
    }
