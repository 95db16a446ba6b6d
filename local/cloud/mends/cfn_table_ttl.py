"""``TimeToLiveSpecification`` of a DynamoDB table in CloudFormation.

Upstream ignores it. We enable it when the stack creates or updates the table.
"""

from __future__ import annotations

from typing import Any

from cloud.config import Config
from cloud.upstream import dynamodb, provisioners


def apply(_config: Config) -> None:
    """Wrap creation and update of AWS::DynamoDB::Table."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    for action in ("create", "update"):
        if action in handlers:
            handlers[action] = _with_ttl(handlers[action], after_properties=2 if action == "update" else 1)


def _with_ttl(upstream: Any, after_properties: int) -> Any:
    def provision(*arguments: Any, **named: Any) -> Any:
        result = upstream(*arguments, **named)
        properties = arguments[after_properties]
        table = result[0] if isinstance(result, tuple) else result
        if specification := properties.get("TimeToLiveSpecification"):
            status, _, answer = dynamodb._update_ttl({"TableName": table, "TimeToLiveSpecification": specification})
            if status >= 300:
                raise ValueError(f"TimeToLiveSpecification of {table}: {answer!r}")
        return result

    return provision
