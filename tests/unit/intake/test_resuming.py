"""Nothing hangs for ever: what lost its process is started again (C24)."""

from __future__ import annotations

import pytest

from creditmesh.intake.model import Outcome
from creditmesh.intake.service import STALE_SECONDS
from creditmesh.platform import wiring
from tests.support.world import BORROWER, World


def resume(world: World, after: float = STALE_SECONDS + 1) -> int:
    world.clock.advance(after)
    return wiring.intake().resume_stalled()


def test_what_runs_is_left_alone(world: World) -> None:
    assert world.application_id
    assert resume(world) == 0


def test_what_changed_a_moment_ago_is_left_alone(world: World) -> None:
    world.steps.executions[world.application_id] = "FAILED"
    assert resume(world, STALE_SECONDS - 1) == 0
    assert resume(world, 2) == 1


def test_a_lost_process_starts_again_under_the_next_name(world: World) -> None:
    name = world.application_id
    for number in (1, 2):
        world.steps.executions[world.application().execution] = "FAILED"
        assert resume(world) == 1
        assert world.application().execution == f"{name}-r{number}"
        assert world.steps.inputs[f"{name}-r{number}"] == {"application_id": name}
    assert resume(world) == 0


def test_one_that_was_never_started_is_started(world: World) -> None:
    world.steps.refuse = "ThrottlingException"
    with pytest.raises(Exception, match="Throttling"):
        world.apply()
    world.steps.refuse = None
    assert resume(world) == 1
    assert list(world.steps.executions) == [f"{world.application_id}-r1"]


def test_a_closed_application_stays_closed(world: World) -> None:
    wiring.applications().close(world.application_id, Outcome.WITHDRAWN)
    world.steps.executions.clear()
    assert resume(world) == 0


def test_an_answer_that_never_reached_its_process_is_told_again(world: World) -> None:
    world.to_offered("t-1")
    world.steps.refuse = "ThrottlingException"
    with pytest.raises(Exception, match="Throttling"):
        wiring.offers().choose(BORROWER, world.application(), "lender-a", "p-1")
    world.steps.refuse = None
    assert world.application().status == "chosen"
    assert resume(world) == 1
    assert world.steps.succeeded == {"t-1": {}}
    assert resume(world) == 0


def test_two_sweeps_start_one_process(world: World) -> None:
    world.steps.executions[world.application_id] = "FAILED"
    world.clock.advance(STALE_SECONDS + 1)
    before = world.application()
    assert wiring.intake()._restart(before)
    assert not wiring.intake()._restart(before)
    assert len(world.steps.executions) == 2
