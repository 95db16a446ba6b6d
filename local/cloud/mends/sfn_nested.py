"""Nested executions (``startExecution.sync``) are executions like any other.

Upstream runs the child as an express execution on the waiting task's thread: it continues when the parent is stopped,
and its failure carries the child's error where AWS says ``States.TaskFailed`` with the child's description as cause. We
start it normally and wait for its end; if the parent ends first, the child is stopped.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from cloud.config import Config
from cloud.executions import current
from cloud.upstream import stepfunctions as sf

_LOOK_AGAIN_SECONDS = 1.0
_DESCRIBED = (
    "executionArn", "stateMachineArn", "name", "status", "startDate", "stopDate", "input", "output", "error", "cause",
)  # fmt: skip
_waiting: dict[str, threading.Event] = {}


def apply(_config: Config) -> None:
    """Replace the nested start that waits, and subscribe to ends of executions."""
    sf._invoke_nested_start_execution_sync = _run
    upstream = sf._emit_execution_status_event

    def emit(execution: dict[str, Any]) -> None:
        upstream(execution)
        if execution["status"] != "RUNNING" and (waiter := _waiting.get(execution["executionArn"])):
            waiter.set()

    sf._emit_execution_status_event = emit


def _run(resource: str, given: dict[str, Any]) -> dict[str, Any]:
    status, _, body = sf._start_execution(sf._nested_start_execution_request(given))
    started = json.loads(body) if body else {}
    if status >= 400:
        kind = started.get("__type", "SdkClientException")
        raise sf._ExecutionError(f"StepFunctions.{kind}", started.get("message", ""))
    child = _ended(started["executionArn"])
    described = {name[0].upper() + name[1:]: child.get(name) for name in _DESCRIBED if child.get(name) is not None}
    if child["status"] != "SUCCEEDED":
        raise sf._ExecutionError("States.TaskFailed", json.dumps(described, default=str))
    if resource.endswith(":2"):
        described["Output"] = json.loads(child.get("output") or "null")
    return described


def _ended(arn: str) -> dict[str, Any]:
    """The child's record once it has ended; stops it if the waiting execution ends first."""
    waiter = _waiting.setdefault(arn, threading.Event())
    parent = current.get()
    try:
        while sf._executions[arn]["status"] == "RUNNING":
            if parent is not None and parent.ended.is_set():
                sf._stop_execution({"executionArn": arn, "error": "States.TaskFailed", "cause": "the parent ended"})
                break
            waiter.wait(_LOOK_AGAIN_SECONDS)
    finally:
        _waiting.pop(arn, None)
    return dict(sf._executions[arn])
