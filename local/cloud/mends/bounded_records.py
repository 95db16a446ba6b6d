"""Bounds logs, metrics, events and execution histories, so that memory does not grow over days.

Upstream creates a log stream for every invocation and keeps every log line, metric value, event and execution history
for ever. We use one stream per function version and process, as Lambda does, and keep the newest lines, values, events
and histories; older executions keep their first and last event.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from datetime import UTC, datetime
from typing import Any

from cloud.config import Config
from cloud.upstream import app, eventbridge, lambda_svc
from cloud.upstream import stepfunctions as sf

_KEPT_LINES = 5_000  # of a log stream
_KEPT_VALUES = 2_000  # of a metric
_KEPT_EVENTS = 1_000
_KEPT_HISTORIES = 1_000  # of executions that have ended
_SWEEP_SECONDS = 20.0
_RUN = uuid.uuid4().hex


def apply(_config: Config) -> None:
    """Replace the writing of functions' logs; truncate the other records now and then."""
    lambda_svc._emit_lambda_logs = emit
    _bound_histories()
    threading.Thread(target=_sweep_for_ever, name="cloud-bounds", daemon=True).start()


def _bound_histories() -> None:
    upstream, ended = sf._emit_execution_status_event, deque[dict[str, Any]]()

    def status_event(execution: dict[str, Any]) -> None:
        """Called by upstream at every change of status."""
        if execution["status"] != "RUNNING":
            ended.append(execution)
            if len(ended) > _KEPT_HISTORIES:
                old = ended.popleft()
                old["events"] = [old["events"][0], old["events"][-1]]
        upstream(execution)

    sf._emit_execution_status_event = status_event


def emit(
    func: dict[str, Any], request_id: str, text: str, error: bool, duration_ms: int, *, log_source: str | None = None
) -> None:
    """Write START, the function's output, END and REPORT into its log group, as Lambda does."""
    del error, log_source
    config = func.get("config") or func
    version = config.get("Version", "$LATEST")
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config.get('FunctionName')}"
    start, end = f"START RequestId: {request_id} Version: {version}", f"END RequestId: {request_id}"
    report = f"REPORT RequestId: {request_id}\tDuration: {duration_ms} ms\tMemory Size: {config.get('MemorySize')} MB"
    stream = f"{datetime.now(UTC):%Y/%m/%d}/{config.get('FunctionName')}[{version}]{_RUN}"
    write(group, stream, [start, *text.splitlines(), end, report])


def write(group_name: str, stream_name: str, lines: list[str]) -> None:
    """Append lines to a log stream, creating it and its group if missing."""
    logs = app._get_module("cloudwatch_logs")
    now = int(time.time() * 1000)
    group = logs._log_groups.get(group_name)
    if group is None:
        group = logs._log_groups[group_name] = {
            "arn": logs._make_group_arn(group_name), "creationTime": now, "retentionInDays": None, "tags": {},
            "subscriptionFilters": {}, "streams": {},
        }  # fmt: skip
    stream = group["streams"].get(stream_name)
    if stream is None:
        stream = group["streams"][stream_name] = {
            "events": [], "uploadSequenceToken": "1", "creationTime": now, "firstEventTimestamp": None,
            "lastEventTimestamp": None, "lastIngestionTime": None,
        }  # fmt: skip
    events = [{"timestamp": now, "message": line, "ingestionTime": now} for line in lines]
    logs._append_log_events(stream, events)
    if len(stream["events"]) > 2 * _KEPT_LINES:
        stream["events"] = stream["events"][-_KEPT_LINES:]
    if group.get("subscriptionFilters"):
        logs._fanout_to_subscription_filters(group_name, stream_name, events)


def _sweep_for_ever() -> None:
    while True:
        time.sleep(_SWEEP_SECONDS)
        sweep(app._get_module("cloudwatch")._metrics.all_values(), _KEPT_VALUES)
        sweep(eventbridge._events_log.all_values(), _KEPT_EVENTS)


def sweep(records: list[Any], keep: int) -> None:
    """Truncate each list to its newest entries."""
    for values in records:
        if isinstance(values, list) and len(values) > keep:
            del values[:-keep]
