"""Nothing hangs for ever: an application that has lost its process gets another (C24)."""

from __future__ import annotations

from collections import Counter

import pytest

from creditmesh.intake.model import Outcome
from creditmesh.intake.recovery import (
    DAY_SECONDS,
    IMMEDIATE_RESTARTS,
    STALE_SECONDS,
    TRANSIT_SECONDS,
    Recovery,
)
from creditmesh.platform.settings import settings
from creditmesh.platform.tables import encode
from tests.support import wired
from tests.support.world import World


def recovery(world: World, sleeps: list[float] | None = None) -> Recovery:
    pauses = sleeps if sleeps is not None else []
    return Recovery(wired.applications(), wired.tasks(), wired.waits(), world.clock, pauses.append)


def sweep(world: World, after: float = STALE_SECONDS + 1) -> int:
    world.clock.advance(after)
    return recovery(world).in_transit()


def fail(world: World) -> str:
    """Let the application's execution fail; its name."""
    name = world.application().execution
    world.steps.executions[name] = "FAILED"
    return name


def test_a_failed_execution_is_followed_by_the_next(world: World) -> None:
    for number in (1, 2):
        assert recovery(world).execution_failed(fail(world))
        name = f"{world.application_id}-r{number}"
        assert world.application().execution == name
        assert world.steps.inputs[name] == {"application_id": world.application_id}


def test_a_repeated_or_late_event_changes_nothing(world: World) -> None:
    name = fail(world)
    assert recovery(world).execution_failed(name)
    before = dict(world.steps.executions)
    assert not recovery(world).execution_failed(name)
    assert world.steps.executions == before


def test_events_of_what_has_ended_or_never_was_change_nothing(world: World) -> None:
    world.end(Outcome.WITHDRAWN)
    before = dict(world.steps.executions)
    for name in (world.application_id, "app_0000", "by-hand", "by-hand-rerun"):
        assert not recovery(world).execution_failed(name)
    assert world.steps.executions == before


def test_what_keeps_failing_is_left_to_the_daily_sweep(world: World) -> None:
    """A process that fails at once must not start itself again and again at AWS's own pace."""
    for _ in range(IMMEDIATE_RESTARTS):
        assert recovery(world).execution_failed(fail(world))
    assert not recovery(world).execution_failed(fail(world))
    world.clock.advance(TRANSIT_SECONDS + 1)
    assert sweep(world) == 0
    assert recovery(world).lost() == 1
    assert world.application().execution == f"{world.application_id}-r{IMMEDIATE_RESTARTS + 1}"


def test_what_runs_is_left_alone(world: World) -> None:
    assert world.application_id
    assert sweep(world) == 0
    assert recovery(world).lost() == 0


def test_what_changed_a_moment_ago_is_left_alone(world: World) -> None:
    fail(world)
    assert sweep(world, STALE_SECONDS - 1) == 0
    assert recovery(world).lost() == 0
    assert sweep(world, 2) == 1


def test_one_that_was_never_started_is_started(world: World) -> None:
    """No event reports it: there was no execution."""
    world.steps.refuse = "ThrottlingException"
    with pytest.raises(Exception, match="Throttling"):
        world.apply()
    world.steps.refuse = None
    assert sweep(world) == 1
    assert list(world.steps.executions) == [f"{world.application_id}-r1"]


def test_a_closed_application_stays_closed(world: World) -> None:
    world.end(Outcome.WITHDRAWN)
    world.steps.executions.clear()
    assert sweep(world) == 0
    assert recovery(world).lost() == 0


def chosen_but_not_told(world: World) -> None:
    world.to_offered("t-1")
    world.steps.refuse = "ThrottlingException"
    with pytest.raises(Exception, match="Throttling"):
        world.choose()
    world.steps.refuse = None
    assert world.application().status == "chosen"


def test_an_answer_that_never_reached_its_process_is_told_again_within_minutes(world: World) -> None:
    chosen_but_not_told(world)
    assert sweep(world) == 1
    assert world.steps.succeeded == {"t-1": {}}
    assert sweep(world) == 0


def test_the_daily_sweep_tells_again_what_the_frequent_one_could_not(world: World) -> None:
    chosen_but_not_told(world)
    assert sweep(world, TRANSIT_SECONDS + 1) == 0  # Step Functions was away for longer than it looks back
    world.clock.advance(DAY_SECONDS - TRANSIT_SECONDS - 2)
    assert recovery(world).lost() == 1
    assert world.steps.succeeded == {"t-1": {}}


def test_two_runs_start_one_process(world: World) -> None:
    fail(world)
    before = wired.applications().summary(world.application_id)
    assert recovery(world)._restart(before)
    assert not recovery(world)._restart(before)
    assert len(world.steps.executions) == 2


def two_thousand_others(world: World) -> None:
    """Open applications that wait for their borrowers' choice, each with its execution."""
    world.to_offered("t-1")
    client = world.stack.clients["dynamodb"]
    (item,) = world.items("Applications")
    for number in range(0, 2000, 25):
        names = [f"app_{number + more:028d}" for more in range(25)]
        puts = [{"PutRequest": {"Item": encode({**item, "application_id": name, "execution": name})}} for name in names]
        client.batch_write_item(RequestItems={settings().applications_table: puts})
        for name in names:
            wired.tasks().start(name, name)


def test_among_two_thousand_open_applications_one_is_resumed_by_a_constant_number_of_calls(world: World) -> None:
    two_thousand_others(world)
    calls: Counter[str] = Counter()
    world.steps.listener = lambda call, _: calls.update([call])
    assert recovery(world).execution_failed(fail(world))
    assert calls == {"StartExecution": 1}
    calls.clear()
    assert sweep(world) == 0  # none of them is in a passing status
    assert calls == {}
    fail(world)  # and this time the event is lost
    world.clock.advance(STALE_SECONDS + 1)
    sleeps: list[float] = []
    assert recovery(world, sleeps).lost() == 1
    assert calls == {"ListExecutions": 2, "DescribeExecution": 1, "StartExecution": 1}
    assert len(sleeps) == 2
