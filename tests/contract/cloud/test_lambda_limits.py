"""Contract of ``mends/lambda_limits``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .clouds import ROLE, Cloud, refused
from .test_cloudformation import at_rest

SOURCE = "def handler(event, context):\n    return event\n"


def environment(size: int) -> dict[str, Any]:
    """Variables whose JSON has ``size`` bytes."""
    return {"Variables": {"A": "x" * (size - len('{"A":""}'))}}


@pytest.mark.parametrize("way", ["create", "update"])
def test_an_environment_has_four_kilobytes(cloud: Cloud, name: str, way: str) -> None:
    """4,096 bytes of JSON are taken, one more is refused."""
    if way == "create":
        cloud.function(f"{name}-fits", SOURCE, Environment=environment(4096))
        code, message = refused(lambda: cloud.function(name, SOURCE, Environment=environment(4097)))
    else:
        cloud.function(name, SOURCE)
        change = cloud.client("lambda").update_function_configuration
        change(FunctionName=name, Environment=environment(4096))
        code, message = refused(lambda: change(FunctionName=name, Environment=environment(4097)))
    wanted = "environment variables you have provided exceeded the 4KB limit"
    cloud.verdict("lambda_limits", code == "InvalidParameterValueException" and wanted in message)


def test_a_policy_has_twenty_kilobytes(cloud: Cloud, name: str) -> None:
    """The permission that goes beyond is refused and leaves the policy as it was."""
    cloud.function(name, SOURCE)
    client, code, message, number = cloud.client("lambda"), "", "", 0

    def permit() -> None:
        client.add_permission(
            FunctionName=name, StatementId=f"s{number}", Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com", SourceArn=f"arn:aws:execute-api:eu-west-1:1:a/{'x' * 1000}{number}",
        )  # fmt: skip

    while not code and number < 25:
        code, message = refused(permit)
        number += 1
    policy = client.get_policy(FunctionName=name)["Policy"]
    held = len(json.dumps(json.loads(policy), separators=(",", ":")))
    right = code == "PolicyLengthExceededException" and message.endswith("is bigger than the limit (20480).")
    cloud.verdict("lambda_limits", right and held <= 20_480 and f'"s{number - 1}"' not in policy)


def function(size: int) -> dict[str, Any]:
    """A function of a template."""
    properties = {"Runtime": "python3.13", "Handler": "index.handler", "Role": ROLE,
                  "Code": {"ZipFile": SOURCE}, "Environment": environment(size)}  # fmt: skip
    return {"Type": "AWS::Lambda::Function", "Properties": properties}


def permission(number: int) -> dict[str, Any]:
    """A permission of a template, one of many."""
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": "Function"}, "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": f"arn:aws:execute-api:eu-west-1:1:a/{'x' * 1000}{number}",
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("resources", "reason"),
    [
        ({"Function": function(4097)}, "exceeded the 4KB limit"),
        (
            {"Function": function(4096)} | {f"P{n}": permission(n) for n in range(20)},
            "is bigger than the limit (20480)",
        ),
    ],
)
def test_a_stack_fails_where_the_call_would(cloud: Cloud, name: str, resources: dict[str, Any], reason: str) -> None:
    """The create is rolled back and its events name the reason."""
    stacks = cloud.client("cloudformation")
    stacks.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    status = at_rest(cloud, name)["StackStatus"]
    events = stacks.describe_stack_events(StackName=name)["StackEvents"]
    told = any(reason in event.get("ResourceStatusReason", "") for event in events)
    cloud.verdict("lambda_limits", status == "ROLLBACK_COMPLETE" and told)
