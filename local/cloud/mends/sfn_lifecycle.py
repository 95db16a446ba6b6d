"""Executions: time-out, prompt stop, no delay at the start.

Upstream ignores the definition's ``TimeoutSeconds``, sleeps 150 ms before the first state, and lets the thread of a
stopped execution continue (a Wait state to its end, a task token for ever, branches of a Parallel through all their
states); when such a thread finally fails, it changes the status ABORTED to FAILED.

We end an execution as ``TIMED_OUT`` with ``States.Timeout`` on time, wake its waiting threads when it is stopped or
timed out, run no further task of it, and never change the status of a finished execution.
"""

from __future__ import annotations

import contextvars
import json
import time
from typing import Any

from cloud.config import Config
from cloud.executions import Running, current, deadlines, running
from cloud.upstream import responses
from cloud.upstream import stepfunctions as sf

_START_SLEEP = 0.15  # literal in upstream's _run_execution


class _Clock:
    """The ``time`` module as Step Functions sees it: sleeping ends when the execution does."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        """Sleep; return at once from upstream's delay at the start."""
        if seconds == _START_SLEEP:
            return
        execution = current.get()
        if execution is None:
            time.sleep(seconds)
        else:
            execution.ended.wait(seconds)


def apply(_config: Config) -> None:
    """Wrap the life cycle of executions."""
    sf.time = _Clock()
    _wrap_run()
    _wrap_ends()
    for name in ("_execute_task", "_execute_wait"):
        _give_up_when_ended(name)


def _wrap_run() -> None:
    upstream = sf._run_execution

    def run(arn: str) -> None:
        execution = sf._executions.get(arn)
        if execution is None:
            return
        mine = running[arn] = Running(arn)
        current.set(mine)
        limit = _time_limit(execution)
        if limit:
            context = contextvars.copy_context()
            deadlines.call_in(limit, lambda: context.run(_time_out, arn, mine))
        try:
            upstream(arn)
        finally:
            running.pop(arn, None)

    sf._run_execution = run


def _time_limit(execution: dict[str, Any]) -> float | None:
    machine = sf._state_machines.get(execution["stateMachineArn"])
    limit = json.loads(machine["definition"]).get("TimeoutSeconds") if machine else None
    return float(limit) if limit else None


def _time_out(arn: str, mine: Running) -> None:
    execution = sf._executions.get(arn)
    if execution is None or running.get(arn) is not mine or execution["status"] != "RUNNING":
        return
    execution.update(
        status="TIMED_OUT", stopDate=responses.now_iso(), error="States.Timeout", cause="Execution timed out"
    )
    sf._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {"error": "States.Timeout"}})
    mine.end()
    sf._emit_execution_status_event(execution)


def _wrap_ends() -> None:
    upstream_stop, upstream_fail = sf._stop_execution, sf._fail_execution

    def stop(data: dict[str, Any]) -> Any:
        answer = upstream_stop(data)
        if mine := running.get(data.get("executionArn", "")):
            mine.end()
        return answer

    def fail(execution: dict[str, Any], error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            upstream_fail(execution, error, cause)

    sf._stop_execution, sf._fail_execution = stop, fail


def _give_up_when_ended(name: str) -> None:
    upstream = getattr(sf, name)

    def execute(*arguments: Any, **named: Any) -> Any:
        mine = current.get()
        if mine is not None and mine.ended.is_set():
            raise sf._ExecutionError("States.Runtime", "The execution has ended")
        return upstream(*arguments, **named)

    setattr(sf, name, execute)
