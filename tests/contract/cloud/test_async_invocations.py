"""Contract of ``mends/async_invocations``: EventBridge rules, schedules, and the end of executions as an event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .clouds import ACCOUNT, REGION, Cloud, eventually

FAILS = "def handler(event, context):\n    raise ValueError('no')\n"


@pytest.fixture(params=[True, pytest.param(False, marks=pytest.mark.thorough)], ids=["mended", "vanilla"])
def quick(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cloud]:
    """An emulator whose minutes are short."""
    cloud = Cloud(tmp_path, mended=request.param)
    cloud.start(CREDITMESH_MINUTE_SECONDS="0.2", LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.2")
    yield cloud
    cloud.stop()


def failing(cloud: Cloud, name: str) -> str:
    """A function that always fails, with a destination for that; returns its ARN."""
    function = cloud.function(name, FAILS)
    cloud.client("sqs").create_queue(QueueName=name)
    cloud.client("lambda").put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=2,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}},
    )  # fmt: skip
    return function


def reports(cloud: Cloud, name: str) -> list[dict[str, Any]]:
    """What has reached the destination."""
    queues = cloud.client("sqs")
    url = queues.get_queue_url(QueueName=name)["QueueUrl"]
    return [json.loads(one["Body"]) for one in queues.receive_message(QueueUrl=url).get("Messages", [])]


def test_an_event_whose_function_fails_is_reported(quick: Cloud, name: str) -> None:
    """After two more attempts, with the event and the error."""
    function, events = failing(quick, name), quick.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["probe"]}))
    events.put_targets(Rule=name, Targets=[{"Id": "f", "Arn": function}])
    events.put_events(Entries=[{"Source": "probe", "DetailType": "Told", "Detail": json.dumps({"n": 1})}])
    found = eventually(lambda: reports(quick, name), 10 if quick.mended else 3)
    right = bool(found) and found[0]["requestPayload"]["detail"] == {"n": 1}
    quick.verdict("async_invocations", right and found[0]["responsePayload"]["errorType"] == "ValueError")


def test_a_schedule_whose_function_fails_is_reported(quick: Cloud, name: str) -> None:
    """The schedule goes on; each failed event is reported."""
    function = failing(quick, name)
    quick.client("scheduler").create_schedule(
        Name=name, ScheduleExpression="rate(1 minute)", FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": function, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/probe", "Input": '{"tick": true}'},
    )  # fmt: skip
    found = eventually(lambda: reports(quick, name), 15 if quick.mended else 3)
    quick.verdict("async_invocations", bool(found) and found[0]["requestPayload"] == {"tick": True})


def test_the_end_of_an_execution_reaches_a_function(mended: Cloud, name: str) -> None:
    """By a rule on the default bus; upstream publishes it."""
    table = mended.table(name)
    mended.function(name, NOTES.replace("TABLE", table))
    machine = mended.machine(name, {"Fail": {"Type": "Fail", "Error": "Broken", "Cause": "x"}}, "Fail")
    rule(mended, name, machine, "FAILED")
    execution = mended.client("stepfunctions").start_execution(stateMachineArn=machine, input='{"a":1}')["executionArn"]
    detail = eventually(lambda: noted(mended, table, execution))
    assert (detail["stateMachineArn"], detail["input"], detail["output"]) == (machine, '{"a":1}', None)
    assert (detail["error"], detail["cause"]) == ("Broken", "x")
    assert detail["stopDate"] >= detail["startDate"] > 1_700_000_000_000


NOTES = """
import json, os, urllib.request
def handler(event, context):
    item = {"pk": {"S": event["detail"]["executionArn"]}, "detail": {"S": json.dumps(event["detail"])}}
    data = json.dumps({"TableName": "TABLE", "Item": item}).encode()
    headers = {"X-Amz-Target": "DynamoDB_20120810.PutItem", "Content-Type": "application/x-amz-json-1.0"}
    urllib.request.urlopen(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], data, headers))
"""


def rule(cloud: Cloud, name: str, machine: str, status: str) -> None:
    """A rule on the default bus from the ends of a machine's executions to the function of that name."""
    pattern = {
        "source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"status": [status], "stateMachineArn": [machine]},
    }  # fmt: skip
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    cloud.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
    cloud.client("events").put_targets(Rule=name, Targets=[{"Id": "f", "Arn": function}])


def noted(cloud: Cloud, table: str, execution: str) -> Any:
    """The event's detail that the function wrote down."""
    item = cloud.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": execution}}).get("Item")
    return item and json.loads(item["detail"]["S"])
