"""Facts of AWS that the platform relies on, asked of a small stack."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.config import Config

from tests.conformance.place import Place, table

pytestmark = pytest.mark.thorough


def token_of(place: Place, stage: str, name: str) -> str:
    """The token that a waiting execution has handed to its function."""
    found = place.eventually(lambda: place.item(stage, name))
    assert found, f"{name} has handed out no token"
    return str(found["token"]["S"])


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("RaisesFunction", "SomethingIsWrong"),
        ("HangsFunction", "Sandbox.Timedout"),
        ("DiesFunction", "Runtime.ExitError"),
    ],
)
def test_how_a_functions_end_is_called(
    place: Place, outputs: dict[str, str], name: str, function: str, error: str
) -> None:
    """A task that invokes Lambda fails by the exception's class, `Sandbox.Timedout` or `Runtime.ExitError`."""
    ended = place.ended(place.start(outputs["Calling"], {"function": outputs[function]}, name))
    assert (ended["status"], ended["error"]) == ("FAILED", error)


def test_a_token_answered_early(place: Place, outputs: dict[str, str], name: str) -> None:
    """A token may be answered before the call that brought it has returned."""
    ended = place.ended(place.start(outputs["Waiting"], {"seconds": 60, "answers": True}, name))
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", "early")


def test_a_token_answered_twice(place: Place, stage: str, outputs: dict[str, str], name: str) -> None:
    """The second answer is refused as of a task that has ended, and changes nothing."""
    execution = place.start(outputs["Waiting"], {"seconds": 60, "answers": False}, name)
    event = {"token": token_of(place, stage, name)}
    assert place.invoke(outputs["AnswersFunction"], event) == "ok"
    assert json.loads(place.ended(execution)["output"]) == "answered"
    assert place.invoke(outputs["AnswersFunction"], event) in ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")


def test_a_token_answered_late(place: Place, stage: str, outputs: dict[str, str], name: str) -> None:
    """A task that nobody answers in time fails by `States.Timeout`; its token is refused afterwards."""
    execution = place.start(outputs["Waiting"], {"seconds": 1, "answers": False}, name)
    event = {"token": token_of(place, stage, name)}
    ended = place.ended(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")
    assert place.invoke(outputs["AnswersFunction"], event) in ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")


def test_a_token_of_another_machine(place: Place, stage: str, outputs: dict[str, str], name: str) -> None:
    """`SendTaskSuccess` needs a right on the machine that issued the token."""
    execution = place.start(outputs["Waiting"], {"seconds": 60, "answers": False}, name)
    event = {"token": token_of(place, stage, name)}
    assert place.invoke(outputs["MayNotAnswerFunction"], event) == "AccessDeniedException"
    assert place.invoke(outputs["AnswersFunction"], event) == "ok"
    assert place.ended(execution)["status"] == "SUCCEEDED"


def test_an_execution_started_twice(place: Place, outputs: dict[str, str], name: str) -> None:
    """The same name and input give the running execution; another input, or one that has ended, is refused."""
    states, given = place.client("stepfunctions"), {"seconds": 60, "answers": False}
    first = place.start(outputs["Waiting"], given, name)
    assert place.start(outputs["Waiting"], given, name) == first
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        place.start(outputs["Waiting"], {**given, "seconds": 61}, name)
    states.stop_execution(executionArn=first)
    place.ended(first)
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        place.start(outputs["Waiting"], given, name)


@pytest.mark.timeout(900)
def test_a_killed_execution_is_told_of(place: Place, stage: str, outputs: dict[str, str], name: str) -> None:
    """EventBridge's default bus tells of an execution that was stopped, however many others are open."""
    states, machine, given = place.client("stepfunctions"), outputs["Waiting"], {"seconds": 600, "answers": False}
    count = 500 if place.endpoint else 2_000  # here each waits for its start at a worker of two cores
    with ThreadPoolExecutor(4) as pool:
        others = list(pool.map(lambda number: place.start(machine, given, f"{name}-{number}"), range(count)))
        waiting = place.eventually(lambda: count == place.items(stage, f"{name}-") and count, 300)
        states.stop_execution(executionArn=place.start(machine, given, name))
        told = place.eventually(lambda: place.item(stage, f"ended-{name}"), 15)
        list(pool.map(lambda other: states.stop_execution(executionArn=other), others))
    assert waiting == count
    assert told
    assert told["status"]["S"] == "ABORTED"


@pytest.mark.parametrize(
    ("function", "status"), [("MayListFunction", 404), ("MayListBelowFunction", 403), ("MayNotListFunction", 403)]
)
def test_a_missing_object(place: Place, outputs: dict[str, str], name: str, function: str, status: int) -> None:
    """S3 says 404 only to who may list without a prefix, which `StringLike` on s3:prefix does not allow."""
    storage = place.client("s3")
    storage.put_object(Bucket=outputs["Objects"], Key=f"read/{name}", Body=b"here")
    assert place.invoke(outputs[function], {"key": f"read/{name}"}) == [200, 200]
    assert place.invoke(outputs[function], {"key": f"read/{name}-not"}) == [status, status]


def test_an_upload_by_a_signed_address(place: Place, outputs: dict[str, str], name: str) -> None:
    """A URL signed by version 4 takes one PUT into a bucket that is encrypted by KMS."""
    import boto3

    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"} if place.endpoint else {}
    storage: Any = boto3.client(  # type: ignore[call-overload]
        "s3", endpoint_url=place.endpoint, region_name=place.region, config=Config(signature_version="s3v4"), **keys
    )
    where = {"Bucket": outputs["Objects"], "Key": f"uploads/{name}"}
    url = storage.generate_presigned_url("put_object", Params=where, ExpiresIn=60, HttpMethod="PUT")
    with urllib.request.urlopen(urllib.request.Request(url, data=b"a,b\n", method="PUT"), timeout=30) as answer:
        assert answer.status == 200
    assert place.client("s3").get_object(**where)["Body"].read() == b"a,b\n"


def test_a_stream_record_that_always_fails(place: Place, stage: str, outputs: dict[str, str], name: str) -> None:
    """After its retries it goes to the failures' bucket, whole, which tells its queue; its neighbours are handled."""
    put = place.client("dynamodb").put_item
    for number in range(4):
        put(TableName=table(stage), Item={"pk": {"S": f"{name}-{number}"}, "poison": {"BOOL": number == 1}})
    for number in (0, 2, 3):
        assert place.eventually(lambda number=number: place.item(stage, f"seen-{name}-{number}"), 20), number
    told = place.eventually(lambda: notified(place, outputs["FailedRecords"]), 20)
    (where,) = told
    assert where["object"]["key"].startswith("aws/lambda/")
    kept = {"Bucket": where["bucket"]["name"], "Key": urllib.parse.unquote_plus(where["object"]["key"])}
    failed = json.loads(place.client("s3").get_object(**kept)["Body"].read())
    (record,) = json.loads(failed["payload"])["Records"]
    assert record["dynamodb"]["Keys"] == {"pk": {"S": f"{name}-1"}}
    assert failed["requestContext"]["functionArn"]
    assert f":table/{table(stage)}/stream/" in failed["DDBStreamBatchInfo"]["streamArn"]
    assert failed["DDBStreamBatchInfo"]["batchSize"] == 1
    assert failed["requestContext"]["condition"] == "RetryAttemptsExhausted"


def notified(place: Place, queue: str) -> list[dict[str, Any]]:
    """The objects that a bucket's notifications tell of; S3's test message, which comes first, tells of none."""
    told = [json.loads(one["Body"]) for one in received(place, queue)]
    return [record["s3"] for one in told for record in one.get("Records", [])]


def received(place: Place, queue: str) -> list[dict[str, Any]]:
    """What lies in a queue."""
    found: list[dict[str, Any]] = (
        place.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
    )
    return found


def test_a_functions_resource_policy_has_an_end(place: Place, outputs: dict[str, str], name: str) -> None:
    """It holds 20,480 bytes, by any caller."""
    functions, function = place.client("lambda"), outputs["DiesFunction"]

    def permit_many() -> None:
        for number in range(60):
            source = f"arn:aws:execute-api:{place.region}:123456789012:abcdefghij/*/GET/{number}/{400 * 'x'}"
            functions.add_permission(
                FunctionName=function, StatementId=f"{name}-{number}", Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com", SourceArn=source,
            )  # fmt: skip

    with pytest.raises(functions.exceptions.PolicyLengthExceededException):
        permit_many()
    policy = json.loads(functions.get_policy(FunctionName=function)["Policy"])
    assert 18_000 < len(json.dumps(policy, separators=(",", ":"))) <= 20_480
    for statement in policy["Statement"]:
        functions.remove_permission(FunctionName=function, StatementId=statement["Sid"])


def test_an_alarm_tells_its_topic(aws: Place, outputs: dict[str, str], name: str) -> None:
    """An alarm's state reaches who subscribes to its topic."""
    aws.client("cloudwatch").set_alarm_state(AlarmName=outputs["Alarm"], StateValue="ALARM", StateReason=name)
    told = aws.eventually(lambda: received(aws, outputs["Told"]), 5)
    assert name in told[0]["Body"]


@pytest.mark.timeout(900)
def test_a_job_started_twice_by_one_client_token(place: Place, outputs: dict[str, str], name: str) -> None:
    """EMR Serverless starts one job for one client token, and `.sync` waits for it in both executions."""
    place.client("s3").put_object(Bucket=outputs["Objects"], Key="jobs/nothing.py", Body=b"print('nothing')\n")
    given = {"token": name}
    both = [place.start(outputs["Running"], given, f"{name}-{number}") for number in range(2)]
    ended = [place.ended(one, 60) for one in both]
    assert [one["status"] for one in ended] == ["SUCCEEDED", "SUCCEEDED"], ended
    assert len({one["output"] for one in ended}) == 1
    runs = place.client("emr-serverless").list_job_runs(applicationId=outputs["Spark"])["jobRuns"]
    assert [one["state"] for one in runs] == ["SUCCESS"]
