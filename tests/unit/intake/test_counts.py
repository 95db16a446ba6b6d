"""Counts of applications by status (S20)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from creditmesh.intake.counts import SETTLED, ApplicationCounts, StatusCounts
from creditmesh.intake.model import Outcome, Status
from creditmesh.kernel.clock import iso
from tests.support import wired
from tests.support.functions import invoke
from tests.support.world import World

LATER = SETTLED.total_seconds() + 1


def counted() -> dict[Status, int]:
    return {status: number for status, number in wired.application_counts().refresh().statuses.items() if number}


def test_nothing_is_known_before_the_first_count(world: World) -> None:
    assert wired.application_counts().read() == StatusCounts(as_of=None, statuses={})


def test_open_applications_are_counted_as_they_stand(world: World) -> None:
    first, second = (world.apply(f"key-0000000{number}").application_id for number in range(2))
    assert counted() == {Status.RECEIVED: 2}
    wired.intake().await_authorization(first, "t-1", "none_stored", 3)
    assert counted() == {Status.RECEIVED: 1, Status.AUTHORIZATION_REQUIRED: 1}
    assert second != first


def test_each_ended_application_is_counted_once(world: World) -> None:
    """Also one that ends at the very instant up to which the count before went."""
    ids = [world.apply(f"key-0000000{number}").application_id for number in range(4)]
    for number, application_id in enumerate(ids):
        world.end(Outcome.CLOSED_BY_OPERATOR, application_id)
        world.clock.advance(LATER if number % 2 else 0)
        counted()
    world.clock.advance(LATER)
    for _ in range(3):
        assert counted() == {Status.CLOSED: 4}


def test_what_has_just_ended_is_counted_when_the_index_is_sure_to_hold_it(world: World) -> None:
    world.end(Outcome.CLOSED_BY_OPERATOR, world.apply("key-00000001").application_id)
    assert counted() == {}
    world.clock.advance(SETTLED.total_seconds())
    assert counted() == {Status.CLOSED: 1}
    read = wired.application_counts().read()
    assert read.as_of == iso(world.clock.now() - SETTLED)
    world.clock.advance(LATER)
    assert counted() == {Status.CLOSED: 1}, "it ended at the very instant up to which was counted before"


def test_a_run_that_was_overtaken_adds_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.end(Outcome.CLOSED_BY_OPERATOR, world.apply("key-00000001").application_id)
    world.clock.advance(LATER)
    before = wired.application_counts().read()
    counted()
    with monkeypatch.context() as patch:
        patch.setattr(ApplicationCounts, "read", lambda _: before)
        world.clock.advance(timedelta(seconds=5).total_seconds())
        wired.application_counts().refresh()
    assert wired.application_counts().read().statuses[Status.CLOSED] == 1


def test_a_clock_that_goes_back_counts_nothing_twice(world: World) -> None:
    world.end(Outcome.CLOSED_BY_OPERATOR, world.apply("key-00000001").application_id)
    world.clock.advance(2 * LATER)
    counted()
    world.clock.advance(-LATER)
    counted()
    world.clock.advance(2 * LATER)
    assert counted() == {Status.CLOSED: 1}


def test_the_function_counts(world: World) -> None:
    world.apply("key-00000001")
    assert invoke("CountApplicationsFunction", {})["received"] == 1
