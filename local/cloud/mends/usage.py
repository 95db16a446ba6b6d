"""Records the calls to AWS, for benchmarks and cost tests. Off by default.

``POST /_usage`` starts an empty record, ``GET /_usage`` returns it, ``DELETE /_usage`` ends it. It holds what a bill
depends on: the calling function, the operation, and for DynamoDB the items before and after a write or those that a
read examined.
"""

from __future__ import annotations

import contextvars
import functools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cloud.config import Config
from cloud.mends.dynamodb_pace import plain_copy
from cloud.stream_mapping import operations
from cloud.upstream import dynamodb

PATH = "/_usage"
_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")
_READS = ("GetItem", "BatchGetItem", "TransactGetItems")
_SEARCHES = ("Query", "Scan")
_KEPT_OF_A_SEARCH = (
    "TableName", "IndexName", "KeyConditionExpression", "ExpressionAttributeValues", "ScanIndexForward", "Limit",
    "ExclusiveStartKey", "ConsistentRead",
)  # fmt: skip

_records: list[dict[str, Any]] | None = None
_caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="")
_inside = threading.local()


def apply(_config: Config) -> None:
    """Wrap DynamoDB's operations; costs one attribute look-up while recording is off."""
    for action in (*_WRITES, *_READS, *_SEARCHES):
        name = "_" + "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in action).lstrip("_")
        setattr(dynamodb, name, _watched(action, getattr(dynamodb, name)))


def control(method: str) -> tuple[int, dict[str, Any], str]:
    """Answer a request for ``/_usage``."""
    global _records
    found = list(_records or ())
    if method != "GET":
        _records = [] if method == "POST" else None
    return 200, {"Content-Type": "application/json"}, json.dumps(found)


def note_caller(headers: Mapping[str, str]) -> None:
    """Remember the sender of the current request: functions and jobs use sessions with their name."""
    _caller.set(headers.get("x-amz-security-token", "").rpartition("/")[2])


def note_call(service: str, action: str, path: str, body: bytes) -> None:
    """Record a call of a service other than DynamoDB, whose calls are recorded with their items."""
    if _records is None or service == "dynamodb" or path == PATH:
        return
    record = {"service": service, "action": action, "caller": _caller.get(), "path": path, "bytes": len(body)}
    if action == "PutEvents":
        record["entries"] = len(json.loads(body)["Entries"])
    _records.append(record)


def note_invocation(function: str, memory_mb: int, wall_ms: float, cpu_ms: float, log: str) -> None:
    if _records is not None:
        _records.append({
            "service": "lambda", "action": "Invocation", "caller": function, "memory_mb": memory_mb,
            "wall_ms": wall_ms, "cpu_ms": cpu_ms, "log_bytes": len(log.encode()), "metrics": _metrics(log),
        })  # fmt: skip


def _metrics(log: str) -> list[list[str]]:
    """The metrics in a log by namespace, name and dimensions; each is billed separately."""
    found = []
    for line in log.splitlines():
        if '"_aws"' in line:
            document = json.loads(line)
            for directive in document["_aws"]["CloudWatchMetrics"]:
                for names in directive["Dimensions"]:
                    dimensions = [f"{name}={document.get(name)}" for name in names]
                    found += [[directive["Namespace"], metric["Name"], *dimensions] for metric in directive["Metrics"]]
    return found


def _watched(action: str, upstream: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    @functools.wraps(upstream)
    def run(data: dict[str, Any]) -> Any:
        if _records is None or getattr(_inside, "now", False):
            return upstream(data)
        record: dict[str, Any] = {"service": "dynamodb", "action": action, "caller": _caller.get()}
        _inside.now = True
        try:
            with operations:
                if action in _SEARCHES:
                    record.update(_searched(data, upstream))
                keys = list(_keys(action, data))
                before = [_image(table, key) for table, key in keys]
                answer = upstream(data)
                after = [_image(table, key) for table, key in keys] if action in _WRITES else before
        finally:
            _inside.now = False
        record["ok"] = answer[0] == 200
        record.setdefault("consistent", bool(data.get("ConsistentRead")))
        record.setdefault(
            "items",
            [
                {"table": table, "before": old, "after": new}
                for (table, _), old, new in zip(keys, before, after, strict=True)
            ],
        )
        if _records is not None:
            _records.append(record)
        return answer

    return run


def _keys(action: str, data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Table and key (or the whole item, which contains it) of each item that a call names."""
    if action in ("PutItem", "UpdateItem", "DeleteItem", "GetItem"):
        yield data["TableName"], data.get("Key") or data["Item"]
    elif action in ("TransactWriteItems", "TransactGetItems"):
        for one in data["TransactItems"]:
            (part,) = one.values()
            yield part["TableName"], part.get("Key") or part["Item"]
    elif action == "BatchGetItem":
        for table, asked in data["RequestItems"].items():
            yield from ((table, key) for key in asked["Keys"])
    elif action == "BatchWriteItem":
        for table, asked in data["RequestItems"].items():
            for one in asked:
                (part,) = one.values()
                yield table, part.get("Key") or part["Item"]


def _image(table: str, key: dict[str, Any]) -> Any:
    found = dynamodb._tables.get(table)
    return plain_copy(dynamodb._get_item_by_key(found, key)) if found else None


def _searched(data: dict[str, Any], upstream: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The items that a query or scan examines, which are billed even if filtered out."""
    whole = {name: data[name] for name in _KEPT_OF_A_SEARCH if name in data}
    condition = whole.get("KeyConditionExpression", "")
    names = {name: text for name, text in (data.get("ExpressionAttributeNames") or {}).items() if name in condition}
    values = {name: value for name, value in (data.get("ExpressionAttributeValues") or {}).items() if name in condition}
    whole |= {"ExpressionAttributeNames": names} if names else {}
    whole.pop("ExpressionAttributeValues", None)
    whole |= {"ExpressionAttributeValues": values} if values else {}
    status, _, body = upstream(whole)
    found = json.loads(body)["Items"] if status == 200 else []
    items = [{"table": data["TableName"], "before": item, "after": item} for item in found]
    return {"items": items, "index": data.get("IndexName"), "table": data["TableName"]}
