"""Every way through the replay of a failed event, small functions standing for its targets (S20)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from creditmesh.failures.service import LONGEST_REPLAY
from tests.contract.cloud.clouds import ACCOUNT, PYTHON, REGION, ROLE, Cloud, eventually
from tests.stepfunctions.scripted import definition, read_expressions, tasks_of
from tests.support import template
from tests.support.executions import output

REPLAY = "event_replay"
TARGET = """
def handler(event, context):
    wanted = event.get("want", "")
    if wanted.startswith("!"):
        raise type(wanted[1:], (Exception,), {})("secret text")
    return {"batchItemFailures": [{"itemIdentifier": "1"}] if wanted == "fail" else [], "seen": event}
"""
PASS = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


@dataclass
class Runs:
    cloud: Cloud
    machine: str
    targets: dict[str, str]

    def put(self, name: str, state: str = "replaying", run: int = 1) -> None:
        item = {"failed_event_id": {"S": name}, "state": {"S": state}, "run": {"N": str(run)}, "error": {"S": "First"}}
        self.cloud.client("dynamodb").put_item(TableName="failed", Item=item)

    def play(self, name: str, way: str, event: Any, target: str = "") -> tuple[str, str, str]:
        """Outcome of the process, then state and error of the failed event."""
        given = {
            "failed_event_id": name,
            "run": 1,
            "way": way,
            "target": self.targets.get(target, target),
            "event": event,
        }
        states = self.cloud.client("stepfunctions")
        started = states.start_execution(stateMachineArn=self.machine, name=name, input=json.dumps(given))
        outcome = output(states, started["executionArn"], 30)["outcome"]
        item = self.cloud.client("dynamodb").get_item(TableName="failed", Key={"failed_event_id": {"S": name}})["Item"]
        return outcome, item["state"]["S"], item["error"]["S"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    if not PYTHON.exists():
        pytest.skip("the emulator's environment is missing; run `make setup`")
    cloud = Cloud(tmp_path_factory.mktemp("event-replay"), mended=True).start()
    try:
        cloud.client("dynamodb").create_table(
            TableName="failed", BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "failed_event_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "failed_event_id", "KeyType": "HASH"}],
        )  # fmt: skip
        cloud.client("events").create_event_bus(Name="bus")
        states = cloud.client("stepfunctions")
        process = states.create_state_machine(name="process", definition=json.dumps(PASS), roleArn=ROLE)
        targets = {"function": cloud.function("target", TARGET), "process": process["stateMachineArn"]}
        queue = cloud.function("queue", TARGET)
        written = definition({}, REPLAY, Bus="bus", FailedEvents="failed", EnqueueMessagesFunction=queue)
        made = states.create_state_machine(name="event-replay", definition=json.dumps(written), roleArn=ROLE)
        yield Runs(cloud, made["stateMachineArn"], targets)
    finally:
        cloud.stop()


FUNCTION_WAYS = {
    "handled": ("function", {"x": 1}, ("done", "done", "First")),
    "delivered": ("delivery", {"x": 1}, ("done", "done", "First")),
    "record-fails": ("function", {"want": "fail"}, ("open", "open", "RecordFailed")),
    "function-fails": ("function", {"want": "!KeyError"}, ("open", "open", "KeyError")),
}


@pytest.mark.parametrize("name", FUNCTION_WAYS)
def test_a_function_is_given_the_event(runs: Runs, name: str) -> None:
    way, event, expected = FUNCTION_WAYS[name]
    runs.put(name)
    assert runs.play(name, way, event, "function" if way == "function" else "") == expected


def test_a_function_that_is_missing_leaves_the_event_open(runs: Runs) -> None:
    runs.put("missing")
    outcome, state, error = runs.play("missing", "function", {}, f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:none")
    assert (outcome, state) == ("open", "open")
    assert error.startswith("Lambda.")


def test_a_process_is_started(runs: Runs) -> None:
    runs.put("started")
    assert runs.play("started", "process", {"model_id": "m"}, "process") == ("done", "done", "First")
    states = runs.cloud.client("stepfunctions")
    arn = f"{runs.targets['process'].replace(':stateMachine:', ':execution:')}:started-1"
    assert json.loads(output_input(states, arn)) == {"model_id": "m"}


def output_input(states: Any, arn: str) -> str:
    """The input that an execution was started with, without what Step Functions adds to it."""
    given = json.loads(states.describe_execution(executionArn=arn)["input"])
    given.pop("AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID", None)
    return json.dumps(given)


def test_an_event_is_published_once_more(runs: Runs) -> None:
    events, queues = runs.cloud.client("events"), runs.cloud.client("sqs")
    url = queues.create_queue(QueueName="heard")["QueueUrl"]
    events.put_rule(Name="all", EventBusName="bus", EventPattern=json.dumps({"source": ["creditmesh"]}))
    events.put_targets(
        Rule="all", EventBusName="bus", Targets=[{"Id": "q", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:heard"}]
    )
    runs.put("published")
    event = {
        "id": "e-1",
        "source": "creditmesh",
        "detail-type": "ApplicationStatusChanged",
        "detail": {"event_id": "a.1"},
    }
    assert runs.play("published", "bus", event) == ("done", "done", "First")
    (heard,) = eventually(lambda: queues.receive_message(QueueUrl=url).get("Messages"))
    told = json.loads(heard["Body"])
    assert (told["source"], told["detail-type"], told["detail"]["event_id"]) == (
        "creditmesh", "ApplicationStatusChanged", "a.1"
    )  # fmt: skip


@pytest.mark.parametrize(("state", "run"), [("open", 1), ("done", 1), ("replaying", 2)], ids=["anew", "done", "later"])
def test_what_has_changed_meanwhile_is_left(runs: Runs, state: str, run: int) -> None:
    for want in ("", "fail"):
        name = f"{state}-{run}-{want}"
        runs.put(name, state, run)
        assert runs.play(name, "function", {"want": want}, "function") == ("superseded", state, "First")


def test_every_expression_can_be_read() -> None:
    assert read_expressions(template.definition(REPLAY)) > 10


def test_the_event_is_nowhere_but_in_the_input() -> None:
    """No state hands on what it was given, and an error is known by its name: its cause may quote a value."""
    document, functions = template.definition(REPLAY), template.of_type(template.source(), "AWS::Serverless::Function")
    longest = max(one.get("Timeout", 30) for one in functions.values())
    for state in tasks_of(document):
        assert state["Output"] == {}
        assert state["TimeoutSeconds"] < document["TimeoutSeconds"]
    assert longest < document["States"]["InvokeFunction"]["TimeoutSeconds"]
    assert document["TimeoutSeconds"] < LONGEST_REPLAY.total_seconds()
    assert "errorOutput.Cause" not in (template.ROOT / "stepfunctions" / f"{REPLAY}.asl.yaml").read_text("utf-8")
