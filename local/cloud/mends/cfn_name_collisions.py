"""Creation fails if a resource of the same name exists outside the stack.

Upstream overwrites most such resources. On AWS the create fails, for example for a table that a failed create left
behind by ``DeletionPolicy: Retain``, or another stack's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from cloud.config import Config
from cloud.upstream import (
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

# Resource type: the property with its name, and the names in use.
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


def apply(_config: Config) -> None:
    """Check the name before a resource is created."""
    upstream = stacks._provision_resource

    def provision(kind: str, logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        if kind in _NAMED:
            named_by, taken = _NAMED[kind]
            name = properties.get(named_by)
            if name in taken():
                raise ValueError(f"Resource of type '{kind}' with identifier '{name}' already exists.")
        return upstream(kind, logical_id, properties, stack)

    stacks._provision_resource = provision


def _last_parts(names: Collection[str], separator: str = "/") -> set[str]:
    return {name.rpartition(separator)[2] for name in names}
