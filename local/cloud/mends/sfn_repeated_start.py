"""``StartExecution`` repeated with the name of a running execution.

Upstream refuses every used name. Step Functions repeats its answer while the execution runs and the input is the same,
so that a start whose answer was lost can be retried; else it answers ``ExecutionAlreadyExists``.
"""

from __future__ import annotations

from typing import Any

from cloud.config import Config
from cloud.upstream import responses
from cloud.upstream import stepfunctions as sf


def apply(_config: Config) -> None:
    """Answer a repeated start before it reaches upstream."""
    upstream = sf._start_execution

    def start(data: dict[str, Any]) -> Any:
        known = _named(data)
        if known is None:
            return upstream(data)
        arn = known["executionArn"]
        if known["status"] == "RUNNING" and known["input"] == data.get("input", "{}"):
            return responses.json_response({"executionArn": arn, "startDate": known["startDate"]})
        return responses.error_response_json("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'", 400)

    sf._start_execution = start


def _named(data: dict[str, Any]) -> dict[str, Any] | None:
    """The machine's execution with the requested name."""
    machine = sf._resolve_state_machine_arn(data.get("stateMachineArn", "").partition("#")[0])
    if machine is None or not data.get("name"):
        return None
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{data['name']}"
    known: dict[str, Any] | None = sf._executions.get(arn)
    return known
