"""What can be said of the process without running it (DESIGN 3, conventions 10)."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonata.jsonata import Jsonata

import creditmesh
from creditmesh.closing.model import Ending
from creditmesh.intake.model import Outcome
from tests.support import template
from tests.support.template import ROOT, walk

DEFINITION = template.definition()
STATES: dict[str, dict[str, Any]] = DEFINITION["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
TOKEN_TASKS = {name: state for name, state in TASKS.items() if state["Resource"].endswith(".waitForTaskToken")}
TEXT = (ROOT / "stepfunctions" / "loan_origination.asl.yaml").read_text(encoding="utf-8")
RESERVED = re.compile(r"^(States|Lambda|Runtime|Sandbox|StepFunctions)\.[A-Za-z]+$")


def next_of(state: dict[str, Any]) -> Iterator[str]:
    """Every state that may follow."""
    for name in ("Next", "Default"):
        if name in state:
            yield state[name]
    for branch in (*state.get("Choices", []), *state.get("Catch", [])):
        yield branch["Next"]


def test_every_state_that_is_named_exists() -> None:
    assert {follower for state in STATES.values() for follower in next_of(state)} | {DEFINITION["StartAt"]} <= set(
        STATES
    )


def test_every_state_can_be_reached() -> None:
    reached, open_ = set(), [DEFINITION["StartAt"]]
    while open_:
        name = open_.pop()
        if name not in reached:
            reached.add(name)
            open_ += next_of(STATES[name])
    assert reached == set(STATES)


def test_every_end_is_named_and_says_what_it_means() -> None:
    ends = {name for name, state in STATES.items() if not list(next_of(state))}
    assert ends == {
        "Disbursed", "Declined", "NothingMatches", "LenderRejected", "CounterDeclined", "AuthorizationFailed",
        "ClosedByOperator", "WaitRanOut", "AlreadyClosed",
    }  # fmt: skip
    assert all(STATES[name]["Type"] == "Succeed" and STATES[name]["Comment"] for name in ends)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_its_time(name: str) -> None:
    assert "TimeoutSeconds" in TASKS[name]
    body = TEXT.split(f"\n  {name}:\n")[1].split("\n  Retry")[0]
    line = next(line for line in body.splitlines() if "TimeoutSeconds" in line)
    assert re.search(r"# \S+", line), f"the budget of {name} is not explained"


@pytest.mark.parametrize("name", TOKEN_TASKS)
def test_a_task_that_waits_hands_out_its_token(name: str) -> None:
    assert TASKS[name]["Arguments"]["Payload"]["task_token"] == "{% $states.context.Task.Token %}"


@pytest.mark.parametrize("path", sorted((ROOT / "stepfunctions").glob("*.yaml")), ids=lambda path: path.name)
def test_no_heartbeat_is_expected_where_nothing_sends_one(path: Path) -> None:
    """A heartbeat that nobody sends is a second time-out, under another name that a Catch may miss."""
    sent = [one for folder in ("functions", "layers", "emr") for one in (ROOT / folder).rglob("*.py")
            if "send_task_heartbeat" in one.read_text(encoding="utf-8")]  # fmt: skip
    assert not sent, "now a heartbeat may be expected of a task that these work for"
    assert "Heartbeat" not in path.read_text(encoding="utf-8")


def test_only_origination_waits_for_tokens() -> None:
    """What may answer tasks is granted for this machine only (policy TasksPolicy)."""
    waiting = {path.name.removesuffix(".asl.yaml") for path in (ROOT / "stepfunctions").glob("*.yaml")
               if ".waitForTaskToken" in path.read_text(encoding="utf-8")}  # fmt: skip
    assert waiting == {"loan_origination"}


def test_the_process_outlives_all_its_waits() -> None:
    parameters = template.source()["Parameters"]
    waits = sum(one["Default"] for name, one in parameters.items() if name.endswith("Seconds"))
    lender = parameters["LenderSeconds"]["Default"]
    asked = parameters["AuthorizationSeconds"]["Default"]
    # A lender is asked three questions, each at most twice; a borrower at most three times. What a lender asks the
    # borrower, and other lenders after a rejection, come on top; the sum is far below half the limit.
    assert DEFINITION["TimeoutSeconds"] > waits + 5 * lender + 2 * asked


def error_names() -> set[str]:
    """The classes of errors that the package and the functions may raise."""
    found = set()
    for module in pkgutil.walk_packages(creditmesh.__path__, "creditmesh."):
        if not module.name.startswith(
            ("creditmesh.features.spark", "creditmesh.decisions.serving.batches", "creditmesh.decisions.serving.worker")
        ):
            members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
            found |= {name for name, member in members if issubclass(member, Exception)}
    return found


def test_every_error_that_is_caught_exists() -> None:
    named = {
        error
        for state in STATES.values()
        for clause in (*state.get("Retry", []), *state.get("Catch", []))
        for error in clause["ErrorEquals"]
    }
    ours = {error for error in named if not RESERVED.match(error)}
    assert ours >= {
        "AnswersPending",
        "AuthorizationRequired",
        "SourceUnavailable",
        "AuthorizationExhausted",
        "NothingMatches",
        "LenderRejected",
        "ApplicationClosed",
        "AwsCallFailed",
    }
    assert ours <= error_names() | set(Ending)


@pytest.mark.parametrize("name", TASKS)
def test_passing_faults_are_tried_again_with_jitter(name: str) -> None:
    first = TASKS[name]["Retry"][0]
    passing = {"AwsCallFailed", "Lambda.TooManyRequestsException", "Lambda.ServiceException", "Sandbox.Timedout"}
    assert passing <= set(first["ErrorEquals"])
    for retrier in TASKS[name]["Retry"]:
        assert "States.ALL" not in retrier["ErrorEquals"], "only passing errors are tried again"
        assert retrier["MaxAttempts"] <= 5
        assert retrier["MaxAttempts"] == 1 or retrier["JitterStrategy"] == "FULL"


BY_ITSELF = {"QueueForOperator", "RecordOutcome", "ScoreOnSpark", "AwaitAnswers"}
"""A person's own task, the end, and what goes on without an answer."""
AS = {"FinishCollection": "CollectCreditData"}
"""States that a person sends back through another one."""


@pytest.mark.parametrize("name", sorted(set(TASKS) - BY_ITSELF))
def test_what_a_machine_cannot_finish_goes_to_a_person_who_may_send_it_back(name: str) -> None:
    last = TASKS[name]["Catch"][-1]
    assert (last["ErrorEquals"], last["Next"]) == (["States.ALL"], "QueueForOperator")
    stage = AS.get(name, name)
    assert last["Assign"]["stage"] == stage
    back = {choice["Condition"]: choice["Next"] for choice in STATES["AfterOperator"]["Choices"]}
    assert back.get(f"{{% $stage = '{stage}' %}}", STATES["AfterOperator"]["Default"]) == stage


def test_outcomes_that_are_recorded_exist() -> None:
    written = [clause.get("Assign", {}).get("outcome", "") for state in TASKS.values() for clause in state["Catch"]]
    recorded = set(re.findall(r"\w+_(?:expired|operator)", " ".join(written)))
    assert recorded == {
        "flow_expired", "authorization_expired", "choice_expired", "reply_expired", "signature_expired",
        "closed_by_operator",
    }  # fmt: skip
    assert recorded <= set(Outcome)


def expressions() -> list[tuple[str, str]]:
    """Every JSONata expression with its place."""
    return [
        (path, value[2:-2].strip())
        for path, value in walk(DEFINITION)
        if isinstance(value, str) and value.startswith("{%") and value.endswith("%}")
    ]


@pytest.mark.parametrize(("path", "expression"), expressions())
def test_every_expression_can_be_read(path: str, expression: str) -> None:
    Jsonata(re.sub(r"\$\{[A-Za-z]+\}", "1", expression))


def test_no_personal_data_is_in_what_the_process_carries() -> None:
    """Ids and tokens only (DESIGN 3, 6): the payloads name nothing else."""
    sent = {field for state in TASKS.values() for field in state["Arguments"]["Payload"]}
    assert sent == {
        "application_id", "task_token", "reason", "stage", "outcome", "problem", "last_word", "pending",
    }  # fmt: skip
    assert DEFINITION["QueryLanguage"] == "JSONata"
