"""Dead letters as AWS writes them, and the failures that they report.

Lambda, «Retain discarded records for a DynamoDB event source» (with S3) and «Capturing records of asynchronous
invocations»; EventBridge, «Using dead-letter queues»; EventBridge Scheduler, «Configuring a dead-letter queue»; S3,
«Event message structure».
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_plus

from creditmesh.failures.model import Failure, Kind, Unreadable, Way
from creditmesh.platform.failed_records import StreamRecord
from creditmesh.platform.tables import decode

Json = dict[str, Any]
Batch = tuple[Json, list[StreamRecord]]

_TICKET = {"message_id", "lane", "attempt"}
_SHOWN = ("application_id", "authorization_id", "model_id", "name")
"""Ids in the detail of an event; `name` is that of an execution."""
_EACH_TIME = ("id", "time")
"""Members of a scheduled event that differ each time."""


def failures(message: Mapping[str, Any], batch: Callable[[str], Batch]) -> Iterator[Failure]:
    """The failures that a message of a dead-letter queue reports; none for S3's test message.

    Args:
        message: a record of an SQS event.
        batch: reads the batch of stream records under a key (`failed_records.kept_batch`).

    Raises:
        Unreadable: no source writes such a message.
    """
    given = {name: str(one.get("stringValue")) for name, one in (message.get("messageAttributes") or {}).items()}
    if "SCHEDULE_ARN" in given:
        yield _of_schedule(_read(message["body"], {}), given)
        return
    body = _read(message["body"])
    if "RULE_ARN" in given:
        yield _of_rule(body, given["TARGET_ARN"], given["ERROR_CODE"], _last(given["RULE_ARN"]))
    elif body.get("Event") == "s3:TestEvent":
        return
    elif "requestPayload" in body:
        yield _of_invocation(body)
    elif body.keys() == _TICKET:
        yield _of_ticket(message, body)
    elif body.get("Records"):
        for one in body["Records"]:
            key = unquote_plus(one["s3"]["object"]["key"])
            yield from _of_batch(key, *batch(key))
    else:
        raise Unreadable("not a dead letter of a known source")


def _read(text: str, default: Json | None = None) -> Json:
    try:
        found = json.loads(text)
    except ValueError:
        found = default
    if not isinstance(found, dict):
        raise Unreadable("not a JSON object")
    return found


def _of_schedule(body: Json, given: Mapping[str, str]) -> Failure:
    """Scheduler could not reach the target; the body is the target's input, or the request that holds it."""
    inner = next((body[name] for name in ("Payload", "Input", "input") if isinstance(body.get(name), str)), None)
    event = body if inner is None else _read(inner, {})
    return _scheduled(event, given["TARGET_ARN"], given["ERROR_CODE"], _last(given["SCHEDULE_ARN"]))


def _of_invocation(body: Json) -> Failure:
    """A function failed that a rule or schedule had invoked."""
    event, target = body["requestPayload"], _function(body["requestContext"]["functionArn"])
    answer = body.get("responsePayload")
    named = answer.get("errorType") if isinstance(answer, dict) else None
    error = str(named or body["requestContext"]["condition"])
    if event.get("source") not in (None, "aws.scheduler"):
        return _of_rule(event, target, error, None)
    resources = event.get("resources") or [None]
    return _scheduled(event, target, error, resources[0] and _last(resources[0]))


def _scheduled(event: Json, target: str, error: str, schedule: str | None) -> Failure:
    always = {name: value for name, value in event.items() if name not in _EACH_TIME}
    keys = {} if "source" in event else {name: value for name, value in event.items() if isinstance(value, str)}
    return Failure(
        Kind.SCHEDULE, _way(target), _function(target), error, event, keys, json.dumps(always, sort_keys=True), schedule
    )


def _of_rule(event: Json, target: str, error: str, rule: str | None) -> Failure:
    detail = event.get("detail") or {}
    keys = {name: detail[name] for name in _SHOWN if isinstance(detail.get(name), str)}
    keys = {"event_id": event["id"], **keys}
    return Failure(Kind.RULE, _way(target), _function(target), error, event, keys, event["id"], rule)


def _of_ticket(message: Mapping[str, Any], ticket: Json) -> Failure:
    text = json.dumps(ticket, sort_keys=True)
    event = {"Records": [{"messageId": ticket["message_id"], "eventSource": "aws:sqs", "body": text}]}
    keys = {"message_id": ticket["message_id"]}
    queue = _last(message["eventSourceARN"])
    return Failure(Kind.DELIVERY, Way.DELIVERY, "", "ReceivedTooOften", event, keys, text, queue)


def _of_batch(key: str, document: Json, records: list[StreamRecord]) -> Iterator[Failure]:
    """Each record of its own: whether money moves, and what is replayed, is a matter of one."""
    context = document["requestContext"]
    target, table = _function(context["functionArn"]), document["DDBStreamBatchInfo"]["streamArn"].split("/")[1]
    for position, record in enumerate(records):
        event = {"failed_record": {"key": key, "position": position}}
        change = record["dynamodb"]
        keys = {name: str(value) for name, value in decode(change["Keys"]).items()}
        yield Failure(
            Kind.STREAM, Way.FUNCTION, target, context["condition"], event, keys, change["SequenceNumber"], table
        )


def _way(target: str) -> Way:
    ways = {"lambda": Way.FUNCTION, "states": Way.PROCESS, "logs": Way.BUS}
    service = target.split(":")[2]
    if service not in ways:
        raise Unreadable("its target is neither function, process nor log")
    return ways[service]


def _function(arn: str) -> str:
    """An ARN without a function's version."""
    return ":".join(arn.split(":")[:7])


def _last(arn: str) -> str:
    return arn.replace("/", ":").rpartition(":")[2]
