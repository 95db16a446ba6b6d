"""Enforces the policies of the roles of state machines, schedules and rules.

Upstream checks no permissions. We check a state machine's task against the policies of the machine's role, and a target
with a role against those of that role: the task fails, or the target is not called.
"""

from __future__ import annotations

from typing import Any

from cloud import needs
from cloud.config import Config
from cloud.executions import current
from cloud.mends.role_permissions import lacking
from cloud.upstream import app, eventbridge
from cloud.upstream import stepfunctions as sf

# Services with a known error name for a refusal.
_ERRORS = {"lambda": "Lambda.AWSLambdaException", "s3": "S3.S3Exception"}


def apply(_config: Config) -> None:
    """Check before a task's call, and before a target is called."""
    for name in ("_invoke_resource", "_invoke_with_callback"):
        _ask_before(name)
    upstream = eventbridge._invoke_target

    def target(wanted: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        if refusal := lacking(wanted.get("RoleArn", ""), "events", needs.of_target(wanted.get("Arn", ""))):
            app.logger.error("a target is not called: %s", refusal)
            return None
        return upstream(wanted, *arguments, **named)

    eventbridge._invoke_target = target


def _ask_before(name: str) -> None:
    upstream = getattr(sf, name)

    def invoke(resource: str, given: Any, *more: Any) -> Any:
        execution = current.get()
        if execution is not None and isinstance(given, dict):
            machine = sf._state_machines.get(sf._executions[execution.arn]["stateMachineArn"])
            role, session = (machine or {}).get("roleArn", ""), execution.arn.rpartition(":")[2]
            if refusal := lacking(role, session, needs.of_task(resource, given)):
                service = resource.removeprefix("arn:aws:states:::").removeprefix("aws-sdk:").partition(":")[0]
                raise sf._ExecutionError(_ERRORS.get(service, "States.TaskFailed"), refusal)
        return upstream(resource, given, *more)

    setattr(sf, name, invoke)
