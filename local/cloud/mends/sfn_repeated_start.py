"""``StartExecution`` again with the name of an execution that runs.

Upstream refuses every name that was used. Step Functions answers as the first time while the execution runs and its
input is the same, so that a start whose answer was lost can be repeated; otherwise ``ExecutionAlreadyExists``.
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
    """The execution of this machine that has the name of the request."""
    machine = sf._resolve_state_machine_arn(data.get("stateMachineArn", "").partition("#")[0])
    if machine is None or not data.get("name"):
        return None
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{data['name']}"
    known: dict[str, Any] | None = sf._executions.get(arn)
    return known
