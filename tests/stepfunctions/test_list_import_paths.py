"""Every way through the import of a source's list, small functions standing for its steps (M04)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.cloud.clouds import PYTHON, ROLE, Cloud
from tests.stepfunctions.scripted import definition, read_expressions, tasks_of
from tests.support import template

LIST_IMPORT = "list_import"
# Each call takes the next of the answers that the import's id spells for the step; played steps go into a file.
STEP = """
import json, os, pathlib

def handler(event, context):
    folder, step, name = pathlib.Path(os.environ["FOLDER"]), os.environ["STEP"], event["import_id"]
    answers = json.loads((folder / f"{name}.script").read_text()).get(step, [])
    with open(folder / f"{name}.played", "a") as played:
        played.write(json.dumps([step, event.get("error")]) + "\\n")
    count = (folder / f"{name}.played").read_text().count(f'["{step}"')
    answer = answers[min(count, len(answers)) - 1]
    if answer.startswith("!"):
        raise type(answer[1:], (Exception,), {})("made up")
    return {"state": answer}
"""
READ, PUBLISH, FAIL = "ReadListPartFunction", "PublishListFunction", "FailListImportFunction"


@dataclass(frozen=True)
class Way:
    """What the steps answer, the steps that must be played with the error they are told, and the outcome."""

    script: dict[str, list[str]]
    played: list[list[str | None]]
    outcome: str


WAYS = {
    "one-part": Way({READ: ["read"], PUBLISH: ["published"]}, [[READ, None], [PUBLISH, None]], "published"),
    "parts": Way({READ: ["reading", "reading", "read"], PUBLISH: ["published"]},
                 [[READ, None]] * 3 + [[PUBLISH, None]], "published"),
    "refused-while-read": Way({READ: ["reading", "refused"]}, [[READ, None]] * 2, "refused"),
    "refused-at-the-end": Way({READ: ["read"], PUBLISH: ["refused"]}, [[READ, None], [PUBLISH, None]], "refused"),
    "throttled": Way({READ: ["!AwsCallFailed", "read"], PUBLISH: ["!AwsCallFailed", "published"]},
                     [[READ, None]] * 2 + [[PUBLISH, None]] * 2, "published"),
    "reading-fails": Way({READ: ["!KeyError"], FAIL: ["failed"]}, [[READ, None], [FAIL, "KeyError"]], "failed"),
    "publishing-fails": Way({READ: ["read"], PUBLISH: ["!MemoryError"], FAIL: ["failed"]},
                            [[READ, None], [PUBLISH, None], [FAIL, "MemoryError"]], "failed"),
    "published-before": Way({READ: ["published"]}, [[READ, None]], "published"),
}  # fmt: skip


@dataclass
class Runs:
    cloud: Cloud
    machine: str
    folder: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    if not PYTHON.exists():
        pytest.skip("the emulator's environment is missing; run `make setup`")
    folder = tmp_path_factory.mktemp("list-import")
    cloud = Cloud(folder / "cloud", mended=True).start()
    try:
        for name in (READ, PUBLISH, FAIL):
            cloud.function(name, STEP, Timeout=30, Environment={"Variables": {"FOLDER": str(folder), "STEP": name}})
        written = definition({}, LIST_IMPORT, **{name: name for name in (READ, PUBLISH, FAIL)})
        made = cloud.client("stepfunctions").create_state_machine(
            name="list-import", definition=json.dumps(written), roleArn=ROLE
        )
        yield Runs(cloud, made["stateMachineArn"], folder)
    finally:
        cloud.stop()


@pytest.mark.parametrize("name", WAYS)
def test_way(runs: Runs, name: str) -> None:
    way = WAYS[name]
    (runs.folder / f"{name}.script").write_text(json.dumps(way.script))
    started = runs.cloud.client("stepfunctions").start_execution(
        stateMachineArn=runs.machine, name=name, input=json.dumps({"import_id": name})
    )
    ended = runs.cloud.ended(started["executionArn"], seconds=60)
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"outcome": way.outcome})
    played = [json.loads(line) for line in (runs.folder / f"{name}.played").read_text().splitlines()]
    assert played == way.played


def test_every_expression_can_be_read_and_every_task_ends_after_its_function() -> None:
    document, functions = (
        template.definition(LIST_IMPORT),
        template.of_type(template.source(), "AWS::Serverless::Function"),
    )
    assert read_expressions(document) > 8
    tasks: list[dict[str, Any]] = tasks_of(document)
    assert len(tasks) == 3
    default = template.source()["Globals"]["Function"]["Timeout"]
    for task in tasks:
        function = functions[task["Arguments"]["FunctionName"].strip("${}")]
        assert function.get("Timeout", default) < task["TimeoutSeconds"] < document["TimeoutSeconds"]
        assert task["Retry"][0]["JitterStrategy"] == "FULL"
    assert all(task["Catch"][-1]["ErrorEquals"] == ["States.ALL"] for task in tasks[:2])
