"""Contract of ``mends/service_roles``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .clouds import ACCOUNT, REGION, Cloud, eventually
from .test_role_permissions import role

ECHO = "def handler(event, context):\n    return event\n"


def machine(cloud: Cloud, name: str, task: dict[str, Any], *statements: dict[str, Any]) -> str:
    """A machine of one task in a role of these statements."""
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "Only",
        "States": {"Only": {"Type": "Task", "End": True, **task}},
    }
    made = cloud.client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=role(cloud, name, *statements)
    )
    return str(made["stateMachineArn"])


@pytest.mark.parametrize("token", ["", ".waitForTaskToken"])
def test_a_task_calls_the_functions_of_its_role(cloud: Cloud, name: str, token: str) -> None:
    """With a task token or without; a task that may not fails with Lambda's error."""
    function = cloud.function(name, ECHO)
    task = {"Resource": f"arn:aws:states:::lambda:invoke{token}",
            "Arguments": {"FunctionName": function, "Payload": {}}, "TimeoutSeconds": 2 if token else 20}  # fmt: skip
    allow = {"Action": "lambda:InvokeFunction", "Resource": function}
    may = cloud.run(machine(cloud, f"{name}-may", task, allow), seconds=30)
    may_not = cloud.run(machine(cloud, f"{name}-not", task, {**allow, "Resource": f"{function}-other"}))
    assert (may["status"], may.get("error")) == (("FAILED", "States.Timeout") if token else ("SUCCEEDED", None))
    right = may_not.get("error") == "Lambda.AWSLambdaException" and "lambda:InvokeFunction" in may_not["cause"]
    cloud.verdict("service_roles", right)


@pytest.mark.parametrize(("listing", "error"), [(True, "S3.NoSuchKeyException"), (False, "S3.S3Exception")])
def test_a_task_is_told_of_a_missing_object_if_it_may_list(mended: Cloud, name: str, listing: bool, error: str) -> None:
    """As a function is."""
    mended.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    task = {"Resource": "arn:aws:states:::aws-sdk:s3:getObject", "Arguments": {"Bucket": name, "Key": "missing"}}
    allow = [{"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*"}]
    if listing:
        allow.append({"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{name}"})
    assert mended.run(machine(mended, name, task, *allow))["error"] == error


def test_a_schedule_calls_what_its_role_allows(cloud: Cloud, name: str) -> None:
    """Whose role does not allow it does not."""
    queues = cloud.client("sqs")
    for suffix in ("may", "not"):
        queues.create_queue(QueueName=f"{name}-{suffix}")
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-{suffix}"
        resource = arn if suffix == "may" else f"{arn}-other"
        allowed = role(cloud, f"{name}-{suffix}", {"Action": "sqs:SendMessage", "Resource": resource})
        cloud.client("scheduler").create_schedule(
            Name=f"{name}-{suffix}", ScheduleExpression="at(2020-01-01T00:00:00)", FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": arn, "RoleArn": allowed, "Input": "{}"},
        )  # fmt: skip

    def messages(suffix: str) -> int:
        url = queues.get_queue_url(QueueName=f"{name}-{suffix}")["QueueUrl"]
        return len(queues.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages", []))

    assert eventually(lambda: messages("may"), 15)
    cloud.verdict("service_roles", not eventually(lambda: messages("not"), 2))
