"""Taking a stage down: what must be typed, what is stopped first, what is said of what stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from aws import delete
from aws.target import Refused
from tests.support import template
from tests.unit.aws.test_deployment import TARGET

PROD = replace(TARGET, stage="prod")
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:m"


@pytest.mark.parametrize(
    ("target", "answer", "environment", "agreed"),
    [
        (TARGET, "test", {}, True),
        (TARGET, "yes", {}, False),
        (TARGET, "", {}, False),
        (PROD, "prod", {}, False),
        (PROD, "delete creditmesh-prod in 123456789012", {}, True),
        (TARGET, "test", {"CONFIRM": "123456789012/eu-central-1"}, False),
        (TARGET, "", {"CONFIRM": "delete/123456789012/eu-central-1/test"}, True),
        (PROD, "", {"CONFIRM": "delete/123456789012/eu-central-1/test"}, False),
    ],
)
def test_confirmation(target: Any, answer: str, environment: dict[str, str], agreed: bool) -> None:
    assert delete.confirmed(target, answer, environment) is agreed


def test_what_runs_is_stopped() -> None:
    states: Any = boto3.client("stepfunctions", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(states) as stub:
        for number, token in ((1, {"nextToken": "more"}), (2, {})):
            one = {"executionArn": f"{MACHINE}:{number}", "stateMachineArn": MACHINE, "name": str(number),
                   "status": "RUNNING", "startDate": 0}  # fmt: skip
            stub.add_response("list_executions", {"executions": [one], **token})
            stub.add_response("stop_execution", {"stopDate": 0})
        assert delete.stop_executions(states, [MACHINE]) == 2
        stub.assert_no_pending_responses()


def test_what_is_not_there_is_not_deleted() -> None:
    stacks: Any = boto3.client("cloudformation", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")

    class Session:
        def client(self, _service: str) -> Any:
            return stacks

    with Stubber(stacks) as stub:
        stub.add_client_error("describe_stacks", "ValidationError", "Stack with id creditmesh-test does not exist")
        with pytest.raises(Refused, match="no stack creditmesh-test"):
            delete.delete(TARGET, Session())


def test_every_retained_type_is_told_with_its_removal() -> None:
    kept = {
        name: {"ResourceType": resource["Type"], "PhysicalResourceId": f"the-{name}"}
        for name, resource in template.source()["Resources"].items()
        if str(resource.get("DeletionPolicy", "")).startswith("Retain")
    }
    assert len(kept) > 20
    says = delete.retained(TARGET, kept)
    for name, one in kept.items():
        assert f"  {name} the-{name}\n    aws --region eu-central-1 " in says
        assert one["ResourceType"] in delete._REMOVAL
