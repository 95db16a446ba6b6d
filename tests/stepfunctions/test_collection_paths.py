"""Every way through the collection process, its steps played by a script (C07-C10, G07, G13)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.contract.cloud.clouds import PYTHON, ROLE, Cloud
from tests.stepfunctions.scripted import (
    COLLECTION,
    SILENT,
    Say,
    Stage,
    definition,
    error,
    fail,
    performing,
    read_expressions,
    tasks_of,
)
from tests.support import template

CALL, WAIT, FINISH = "CallChannels", "AwaitAnswer", "FinishCollection"
COLLECTED = {"outcome": "collected", "reason": None, "scope": None}
RESULTS = {"tax-bureau": [{"channel_id": "tax-bureau", "outcome": "complete"}]}
LATE = Say(
    {"results": RESULTS, "pending": [{"call_key": "k-1", "wait_seconds": 1}, {"call_key": "k-2", "wait_seconds": 9}]}
)
AT_ONCE = Say({"results": RESULTS, "pending": []})
DONE = Say(COLLECTED)


@dataclass(frozen=True)
class Way:
    """What the steps say, the steps that must be played, and the process's answer; none if it fails."""

    script: Mapping[str, Sequence[Say]]
    steps: Sequence[str]
    answer: Mapping[str, Any] | None = field(default_factory=lambda: COLLECTED)
    given: Mapping[str, str] = field(default_factory=dict)


WAYS = {
    "at-once": Way({CALL: [AT_ONCE], FINISH: [DONE]}, [CALL, FINISH]),
    "scan": Way({CALL: [AT_ONCE], FINISH: [DONE]}, [CALL, FINISH], given={"scan_id": "scan-1"}),
    "later": Way({CALL: [LATE], FINISH: [DONE]}, [CALL, WAIT, WAIT, FINISH]),
    "one-never": Way({CALL: [LATE], WAIT: [SILENT, Say(succeed={})], FINISH: [DONE]}, [CALL, WAIT, WAIT, FINISH]),
    "one-fails": Way({CALL: [LATE], WAIT: [fail("Any"), error("Any")], FINISH: [DONE]}, [CALL, WAIT, WAIT, FINISH]),
    "closed": Way({CALL: [error("ApplicationClosed")]}, [CALL], {"outcome": "closed"}),
    "throttled": Way({CALL: [error("AwsCallFailed"), AT_ONCE], FINISH: [error("AwsCallFailed"), DONE]},
                     [CALL, CALL, FINISH, FINISH]),
    "lacking": Way({CALL: [AT_ONCE], FINISH: [Say({"outcome": "unavailable"})]}, [CALL, FINISH],
                   {"outcome": "unavailable"}),
    "broken": Way({CALL: [error("KeyError")]}, [CALL], None),
}  # fmt: skip


@dataclass
class Runs:
    stage: Stage
    executions: dict[str, str]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    if not PYTHON.exists():
        pytest.skip("the emulator's environment is missing; run `make setup`")
    cloud = Cloud(tmp_path_factory.mktemp("collection"), mended=True).start()
    try:
        with performing(cloud) as stage:
            states = cloud.client("stepfunctions")
            written = json.dumps(definition({"Collection": 60}, COLLECTION))
            made = states.create_state_machine(name="credit-data", definition=written, roleArn=ROLE)["stateMachineArn"]
            executions = {}
            for name, way in WAYS.items():
                stage.scripts[name] = {step: list(lines) for step, lines in way.script.items()}
                given = json.dumps({"application_id": name, **way.given})
                executions[name] = states.start_execution(stateMachineArn=made, name=name, input=given)["executionArn"]
            yield Runs(stage, executions)
    finally:
        cloud.stop()


@pytest.mark.parametrize("name", WAYS)
def test_way(runs: Runs, name: str) -> None:
    ended = runs.stage.cloud.ended(runs.executions[name], seconds=40)
    assert [step for step, _ in runs.stage.played[name]] == list(WAYS[name].steps)
    if WAYS[name].answer is None:
        assert (ended["status"], ended["error"]) == ("FAILED", "KeyError")
    else:
        assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", WAYS[name].answer)
    assert not any(runs.stage.scripts[name].values()), "the script was not played to its end"


def test_each_late_answer_is_waited_for_by_a_token_of_its_own(runs: Runs) -> None:
    runs.stage.cloud.ended(runs.executions["later"], seconds=40)
    waits = [event for step, event in runs.stage.played["later"] if step == WAIT]
    assert {event["call_key"] for event in waits} == {"k-1", "k-2"}
    assert len({event["task_token"] for event in waits}) == 2


def test_what_the_channels_gave_reaches_the_last_step(runs: Runs) -> None:
    for name, scan_id in (("at-once", None), ("later", None), ("scan", "scan-1")):
        runs.stage.cloud.ended(runs.executions[name], seconds=40)
        event = {"application_id": name, "scan_id": scan_id}
        assert runs.stage.played[name][0] == (CALL, event)
        assert runs.stage.played[name][-1] == (FINISH, {**event, "results": RESULTS})


def test_every_expression_can_be_read_and_every_task_has_its_time() -> None:
    document = template.definition(COLLECTION)
    assert read_expressions(document) > 8
    tasks = tasks_of(document)
    assert len(tasks) == 3
    for task in tasks:
        assert "TimeoutSeconds" in task
        assert {"AwsCallFailed", "Lambda.TooManyRequestsException"} <= set(task["Retry"][0]["ErrorEquals"])
        assert task["Retry"][0]["JitterStrategy"] == "FULL"
