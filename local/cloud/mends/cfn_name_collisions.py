"""A stack does not take over what is there under the name that it gives a resource.

Upstream overwrites most resources of the same name. AWS fails the create; so a table that a failed create left behind
by ``DeletionPolicy: Retain``, or another stack's, is in the way here too. What the emulator found at its start and no
stack knows of may be taken over: a kill can come between a resource and the stack that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from cloud.config import Config
from cloud.upstream import (
    app,
    cloudformation,
    cloudwatch,
    cloudwatch_logs,
    dynamodb,
    eventbridge,
    iam,
    kms,
    lambda_svc,
    scheduler,
    secretsmanager,
    sns,
    sqs,
    stacks,
)
from cloud.upstream import stepfunctions as sf

# Type of resource: the property that names it, and the names that are taken.
_NAMED: dict[str, tuple[str, Callable[[], Collection[str]]]] = {
    "AWS::CloudWatch::Alarm": ("AlarmName", lambda: cloudwatch._alarms.keys()),
    "AWS::CloudWatch::Dashboard": ("DashboardName", lambda: cloudwatch._dashboards.keys()),
    "AWS::DynamoDB::Table": ("TableName", lambda: dynamodb._tables.keys()),
    "AWS::Events::Rule": ("Name", lambda: {rule["Name"] for rule in eventbridge._rules.values()}),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", lambda: _last_parts(iam._policies)),
    "AWS::IAM::Role": ("RoleName", lambda: iam._roles.keys()),
    "AWS::KMS::Alias": ("AliasName", lambda: {f"alias/{name}" for name in _last_parts(kms._aliases, ":alias/")}),
    "AWS::Lambda::Function": ("FunctionName", lambda: lambda_svc._functions.keys()),
    "AWS::Logs::LogGroup": ("LogGroupName", lambda: cloudwatch_logs._log_groups.keys()),
    "AWS::SNS::Topic": ("TopicName", lambda: _last_parts(sns._topics, ":")),
    "AWS::SQS::Queue": ("QueueName", lambda: sqs._queue_name_to_url.keys()),
    "AWS::Scheduler::Schedule": ("Name", lambda: _last_parts(scheduler._schedules)),
    "AWS::SecretsManager::Secret": ("Name", lambda: secretsmanager._secrets.keys()),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", lambda: _last_parts(sf._state_machines, ":")),
}

_nobodys: set[tuple[str, str]] = set()


def apply(_config: Config) -> None:
    """Look for the name before a resource is made; note at the start what no stack knows of."""
    upstream, upstream_load = stacks._provision_resource, app._load_persisted_state

    def provision(kind: str, logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        if kind in _NAMED:
            named_by, taken = _NAMED[kind]
            name = properties.get(named_by)
            if name in taken() and (kind, name) not in _nobodys:
                raise ValueError(f"Resource of type '{kind}' with identifier '{name}' already exists.")
            _nobodys.discard((kind, name))
        return upstream(kind, logical_id, properties, stack)

    def load() -> None:
        upstream_load()
        _nobodys.update((kind, name) for kind, (_, taken) in _NAMED.items() for name in taken())
        for stack in cloudformation._stacks.values():
            for resource in (stack.get("_resources") or {}).values():
                kind = resource["ResourceType"]
                if kind in _NAMED:
                    _nobodys.discard((kind, (resource.get("Properties") or {}).get(_NAMED[kind][0])))

    stacks._provision_resource, app._load_persisted_state = provision, load


def _last_parts(names: Collection[str], separator: str = "/") -> set[str]:
    return {name.rpartition(separator)[2] for name in names}
