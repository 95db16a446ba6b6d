"""Task tokens: a failing Lambda fails its task, heartbeats count, used tokens are refused.

Upstream ignores the error of a Lambda in a ``.waitForTaskToken`` task and waits until the time-out, ignores
``HeartbeatSeconds``, uses one token for all attempts of a task, accepts several answers for one token, and answers
``TaskDoesNotExist`` to any unknown token.

We fail the task at once with the function's error, raise ``States.HeartbeatTimeout``, give every attempt its own token,
accept the first answer only, and answer as AWS does: ``TaskTimedOut`` for a task that has ended, ``InvalidToken`` for
what never was a token, ``InvalidOutput`` for output that is not JSON. Tokens are as long as AWS's, so that items with
one have a realistic size.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from cloud.config import Config
from cloud.executions import Running, current
from cloud.task_token import issue, machine_of
from cloud.upstream import responses
from cloud.upstream import stepfunctions as sf

_NO_LIMIT = 365 * 86_400.0  # seconds; the maximum duration of a standard execution
_answers = threading.Lock()


def apply(_config: Config) -> None:
    """Replace the callback pattern and the three SendTask actions."""
    upstream_arguments = sf._apply_jsonata_arguments

    def arguments(state: dict[str, Any], raw_input: Any, ctx: dict[str, Any] | None = None) -> Any:
        if ctx is not None and ".waitForTaskToken" in state.get("Resource", ""):
            execution = current.get()  # called once per attempt
            ctx["Task"] = {"Token": issue(sf._executions[execution.arn]["stateMachineArn"] if execution else "")}
        return upstream_arguments(state, raw_input, ctx)

    sf._apply_jsonata_arguments = arguments
    sf._invoke_with_callback = _invoke_with_callback
    sf._send_task_success = _send_task_success
    sf._send_task_failure = _send_task_failure
    sf._send_task_heartbeat = _send_task_heartbeat


def _invoke_with_callback(resource: str, arguments: Any, token: str, state: dict[str, Any]) -> Any:
    started = time.monotonic()
    info: dict[str, Any] = {"event": threading.Event(), "result": None, "error": None, "heartbeat": started}
    sf._task_tokens[token] = info
    try:
        _send(resource.replace(".waitForTaskToken", ""), arguments)
        _wait(info, started, state)
    finally:
        with _answers:
            sf._task_tokens.pop(token, None)
    if info["error"]:
        raise sf._ExecutionError(info["error"]["Error"], info["error"]["Cause"])
    return json.loads(info["result"])


def _send(resource: str, arguments: Any) -> None:
    """Call a Lambda with its payload, any other integration as it is."""
    payload = arguments
    if "states:::lambda:invoke" in resource:
        reference = sf._resolve_lambda_function_ref(arguments.get("FunctionName", ""), optimized=True)
        payload = arguments.get("Payload", arguments)
    else:
        reference = sf._extract_lambda_ref(resource)
    if reference:
        sf._call_lambda(reference, payload)
    else:
        sf._invoke_resource(resource, arguments)


def _wait(info: dict[str, Any], started: float, state: dict[str, Any]) -> None:
    deadline = started + float(state.get("TimeoutSeconds") or _NO_LIMIT)
    beat = float(state.get("HeartbeatSeconds") or _NO_LIMIT)
    execution = current.get() or Running("")
    with execution.waiting(info["event"]):
        while True:
            now = time.monotonic()
            late = min(deadline, info["heartbeat"] + beat)
            if info["event"].wait(max(0.0, late - now)):
                break
            with _answers:
                now = time.monotonic()
                if info["event"].is_set():
                    break
                if now >= deadline:
                    info["event"].set()
                    raise sf._ExecutionError("States.Timeout", "Task timed out waiting for callback")
                if now >= info["heartbeat"] + beat:
                    info["event"].set()
                    raise sf._ExecutionError("States.HeartbeatTimeout", "Task sent no heartbeat in time")
    if execution.ended.is_set() and info["result"] is None and not info["error"]:
        raise sf._ExecutionError("States.Runtime", "The execution has ended")


def _answer(data: dict[str, Any], **outcome: Any) -> Any:
    token = data.get("taskToken") or ""
    with _answers:
        info = sf._task_tokens.get(token)
        if info is not None and not info["event"].is_set():
            info.update(outcome)
            if "heartbeat" not in outcome:
                info["event"].set()
            return responses.json_response({})
    if machine_of(token) is None:
        return responses.error_response_json("InvalidToken", "Invalid Token: 'Invalid token'", 400)
    return responses.error_response_json("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'", 400)


def _send_task_success(data: dict[str, Any]) -> Any:
    output = data.get("output", "{}")
    try:
        json.loads(output)
    except (TypeError, ValueError):
        return responses.error_response_json("InvalidOutput", "Invalid output: the output is not valid JSON", 400)
    return _answer(data, result=output)


def _send_task_failure(data: dict[str, Any]) -> Any:
    return _answer(data, error={"Error": data.get("error", "TaskFailed"), "Cause": data.get("cause", "")})


def _send_task_heartbeat(data: dict[str, Any]) -> Any:
    return _answer(data, heartbeat=time.monotonic())
