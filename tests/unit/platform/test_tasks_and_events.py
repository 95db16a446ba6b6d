"""Step Functions and the event bus as the platform uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from creditmesh.platform.events import BusUnavailable, EventPublisher, application_events
from creditmesh.platform.tasks import Process, Tasks
from tests.support.fakes import FakeSteps

ARN = "arn:aws:states:eu-west-1:123456789012:stateMachine:process"


@pytest.fixture
def steps() -> FakeSteps:
    return FakeSteps()


@pytest.fixture
def tasks(steps: FakeSteps) -> Tasks:
    return Tasks(steps, ARN)  # type: ignore[arg-type]  # a fake


@pytest.fixture(params=["origination", "another"])
def start(request: pytest.FixtureRequest, tasks: Tasks, steps: FakeSteps) -> Callable[[str | None], bool]:
    """Starts one execution, with a problem as part of its input; both ways that the platform has."""
    if request.param == "origination":
        return lambda problem: tasks.start("app_1", "app_1", problem)
    process = Process(steps, ARN)  # type: ignore[arg-type]  # a fake
    return lambda problem: process.start("app_1", {"application_id": "app_1", "problem": problem})


def test_a_start_may_be_repeated(start: Callable[[str | None], bool], steps: FakeSteps) -> None:
    """StartExecution answers a repeat with the same input like the first call, while the execution runs."""
    assert [start("none_stored"), start("none_stored")] == [True, True]
    assert steps.inputs == {"app_1": {"application_id": "app_1", "problem": "none_stored"}}


@pytest.mark.parametrize(("status", "problem"), [("RUNNING", "expired"), ("FAILED", "none_stored")])
def test_a_start_with_other_input_or_after_the_end_changes_nothing(
    start: Callable[[str | None], bool], steps: FakeSteps, status: str, problem: str
) -> None:
    start("none_stored")
    steps.executions["app_1"] = status
    assert not start(problem)
    assert (steps.executions, steps.inputs["app_1"]["problem"]) == ({"app_1": status}, "none_stored")


def test_running_executions_are_listed_page_by_page(tasks: Tasks, steps: FakeSteps) -> None:
    for number in range(2001):
        tasks.start(f"app_{number}", "x")
    steps.executions["app_7"] = "FAILED"
    pauses: list[None] = []
    assert len(set(tasks.running(lambda: pauses.append(None)))) == 2000
    assert len(pauses) == 1
    assert list(Tasks(steps, "another").running(lambda: None)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "running"), [("RUNNING", True), ("PENDING_REDRIVE", True), ("SUCCEEDED", False), ("FAILED", False)]
)
def test_whether_a_process_runs(tasks: Tasks, steps: FakeSteps, status: str, running: bool) -> None:
    steps.executions["app_1"] = status
    assert tasks.is_running("app_1") is running
    assert not tasks.is_running("app_2")


def test_a_task_is_answered_once(tasks: Tasks, steps: FakeSteps) -> None:
    assert tasks.succeed("t-1", {"action": "retry"})
    assert not tasks.fail("t-1", "LenderRejected")
    assert (steps.succeeded, steps.failed) == ({"t-1": {"action": "retry"}}, {})


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_nobody_waits(tasks: Tasks, token: str | None) -> None:
    assert not tasks.succeed(token, {})
    assert not tasks.fail(token, "X")


@pytest.mark.parametrize(
    ("code", "passing"), [("InvalidToken", False), ("TaskDoesNotExist", False), ("ThrottlingException", True)]
)
def test_only_a_task_that_is_gone_is_no_error(tasks: Tasks, steps: FakeSteps, code: str, passing: bool) -> None:
    steps.refuse = code
    if passing:
        with pytest.raises(ClientError):
            tasks.succeed("t-1", {})
    else:
        assert not tasks.succeed("t-1", {})


def image(*statuses: str, **more: Any) -> dict[str, Any]:
    timeline = [{"at": f"2026-11-21T08:00:0{n}.000Z", "status": status, "by": "x"} for n, status in enumerate(statuses)]
    return {"application_id": "app_1", "tenant": "firm-1", "firm_name": "Test", "timeline": timeline, **more}


def test_each_new_timeline_entry_is_an_event() -> None:
    assert [one["status"] for one in application_events(None, image("received"))] == ["received"]
    before, after = image("received"), image("received", "collected", "closed", outcome="declined_score")
    events = application_events(before, after)
    assert [(one["event_id"], one["status"], one["outcome"]) for one in events] == [
        ("app_1.1", "collected", None), ("app_1.2", "closed", "declined_score"),
    ]  # fmt: skip
    assert application_events(after, after) == []


def test_an_event_holds_nothing_personal() -> None:
    (event,) = application_events(None, image("received", taxpayer_id="sealed", waiting={"token": "t"}))
    assert set(event) == {"event_id", "application_id", "tenant", "status", "outcome", "at", "by"}


class Bus:
    """A bus that takes all but some."""

    def __init__(self, failing: int = 0) -> None:
        self.sizes: list[int] = []
        self.failing = failing

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, int]:
        self.sizes.append(len(Entries))
        assert {entry["EventBusName"] for entry in Entries} == {"bus"}
        return {"FailedEntryCount": self.failing}


def test_events_go_in_batches_of_ten() -> None:
    bus = Bus()
    EventPublisher(bus, "bus").publish("Kind", [{"n": n} for n in range(23)])  # type: ignore[arg-type]  # a fake
    assert bus.sizes == [10, 10, 3]


def test_a_bus_that_refuses_some_fails_the_batch() -> None:
    with pytest.raises(BusUnavailable):
        EventPublisher(Bus(failing=1), "bus").publish("Kind", [{"n": 1}])  # type: ignore[arg-type]  # a fake
