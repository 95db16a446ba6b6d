"""Contract of ``mends/sfn_task_tokens``."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloud.task_token import issue

from .clouds import Cloud, eventually

RAISES = "class NoFunds(Exception):\n    pass\n\ndef handler(event, context):\n    raise NoFunds('none')\n"
QUIET = "def handler(event, context):\n    return None\n"


def token_task(function: str, **fields: Any) -> dict[str, Any]:
    """A task that hands its token to ``function`` and ends."""
    return {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": True,
        "Arguments": {"FunctionName": function, "Payload": {"token": "{% $states.context.Task.Token %}"}},
        "TimeoutSeconds": 20, **fields,
    }  # fmt: skip


def keeper(cloud: Cloud, name: str) -> str:
    """A function that writes each token it gets into the table of the same name."""
    table = cloud.table(name)
    source = (
        "import json, os, urllib.request\n"
        "def handler(event, context):\n"
        f"    item = {{'pk': {{'S': event['token']}}}}\n"
        f"    body = json.dumps({{'TableName': '{table}', 'Item': item}}).encode()\n"
        "    headers = {'X-Amz-Target': 'DynamoDB_20120810.PutItem', 'Content-Type': 'application/x-amz-json-1.0',\n"
        "               'Authorization': 'AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/dynamodb/aws4_request'}\n"
        "    urllib.request.urlopen(urllib.request.Request(os.environ['AWS_ENDPOINT_URL'], body, headers))\n"
    )
    return cloud.function(name, source)


def tokens(cloud: Cloud, name: str) -> list[str]:
    """What ``keeper`` has written."""
    return [item["pk"]["S"] for item in cloud.client("dynamodb").scan(TableName=name)["Items"]]


def test_raising_lambda_fails_its_task_at_once(cloud: Cloud, name: str) -> None:
    """With the exception's class, long before the time-out."""
    function, limit = cloud.function(name, RAISES), 30 if cloud.mended else 3
    started = time.monotonic()
    ended = cloud.run(
        cloud.machine(name, {"Ask": token_task(function, TimeoutSeconds=limit)}, "Ask"), seconds=2 * limit
    )
    good = ended["status"] == "FAILED" and ended.get("error") == "NoFunds" and time.monotonic() - started < limit / 2
    cloud.verdict("sfn_task_tokens", good)


def test_missing_heartbeat_fails_the_task(cloud: Cloud, name: str) -> None:
    """HeartbeatSeconds counts from the start and from each heartbeat."""
    function = cloud.function(name, QUIET)
    machine = cloud.machine(name, {"Ask": token_task(function, HeartbeatSeconds=1, TimeoutSeconds=3)}, "Ask")
    cloud.verdict("sfn_task_tokens", cloud.run(machine, seconds=6).get("error") == "States.HeartbeatTimeout")


def test_heartbeats_keep_a_task_alive(mended: Cloud, name: str) -> None:
    """Six seconds of work with a heartbeat limit of four; a busy machine may be late with a beat."""
    machine = mended.machine(name, {"Ask": token_task(keeper(mended, name), HeartbeatSeconds=4)}, "Ask")
    states = mended.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    (token,) = eventually(lambda: tokens(mended, name))
    for _ in range(5):
        time.sleep(1.2)
        states.send_task_heartbeat(taskToken=token)
    states.send_task_success(taskToken=token, output='{"done": true}')
    ended = mended.ended(arn)
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"]) == {"done": True}


def test_only_the_first_answer_counts(cloud: Cloud, name: str) -> None:
    """A second answer, and one for a task that is over, are refused as AWS refuses them."""
    machine = cloud.machine(name, {"Ask": token_task(keeper(cloud, name))}, "Ask")
    states = cloud.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    (token,) = eventually(lambda: tokens(cloud, name))
    states.send_task_success(taskToken=token, output="1")
    assert cloud.ended(arn)["status"] == "SUCCEEDED"
    with pytest.raises(ClientError) as refused:
        states.send_task_success(taskToken=token, output="2")
    cloud.verdict("sfn_task_tokens", refused.value.response["Error"]["Code"] == "TaskTimedOut")


def test_what_is_no_token_is_refused(cloud: Cloud) -> None:
    """InvalidToken for garbage, TaskTimedOut for a token of a task that is gone."""
    states = cloud.client("stepfunctions")
    codes = []
    for token in ("garbage", issue("arn:aws:states:eu-west-1:000000000000:stateMachine:gone")):
        with pytest.raises(ClientError) as refused:
            states.send_task_failure(taskToken=token, error="x", cause="y")
        codes.append(refused.value.response["Error"]["Code"])
    cloud.verdict("sfn_task_tokens", codes == ["InvalidToken", "TaskTimedOut"])


def test_every_attempt_has_a_token_of_its_own(cloud: Cloud, name: str) -> None:
    """So that the late answer to an attempt that timed out cannot end the next one."""
    retry = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    task = token_task(keeper(cloud, name), TimeoutSeconds=1, Retry=retry)
    ended = cloud.run(cloud.machine(name, {"Ask": task}, "Ask"), seconds=8)
    assert ended["error"] == "States.Timeout"
    cloud.verdict("sfn_task_tokens", len(set(tokens(cloud, name))) == 2)


def test_stopping_an_execution_ends_its_token(mended: Cloud, name: str) -> None:
    """A callback for a stopped execution gets TaskTimedOut."""
    machine = mended.machine(name, {"Ask": token_task(keeper(mended, name))}, "Ask")
    states = mended.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=machine)["executionArn"]
    (token,) = eventually(lambda: tokens(mended, name))
    states.stop_execution(executionArn=arn)
    time.sleep(0.1)
    with pytest.raises(ClientError, match="TaskTimedOut"):
        states.send_task_success(taskToken=token, output="1")
    assert states.describe_execution(executionArn=arn)["status"] == "ABORTED"


def test_output_must_be_json(mended: Cloud) -> None:
    """InvalidOutput before anything else."""
    with pytest.raises(ClientError, match="InvalidOutput"):
        mended.client("stepfunctions").send_task_success(
            taskToken=issue("arn:aws:states:eu-west-1:000000000000:stateMachine:gone"), output="{no json"
        )
