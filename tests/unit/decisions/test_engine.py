"""When a resident job is to run, and which engine a request goes to (ScoringEngine)."""

from __future__ import annotations

import itertools

import pytest

from creditmesh.decisions.engine import LOW_WINDOWS, WINDOW_SECONDS, Choice, Engine, job_wanted
from creditmesh.decisions.serving.heartbeat import BELIEVED_SECONDS, KEY, NAME
from tests.support import wired
from tests.support.world import World

THRESHOLD, LOW = 100, 20
JOB, OTHER = f"{NAME}-000000000001", f"{NAME}-000000000002"


@pytest.mark.parametrize(
    ("counts", "runs", "wanted"),
    [
        ([0] * 7, False, False),
        ([THRESHOLD - 1, THRESHOLD - 1, THRESHOLD - 1], False, False),  # steady, but not enough
        ([THRESHOLD, 0], False, True),  # at the threshold, in the window that has just begun
        ([3, THRESHOLD], False, True),  # in the one before it
        ([3, 3, THRESHOLD], False, False),  # a peak that is over starts nothing
        ([THRESHOLD - 1, 0], True, True),  # between the two limits one that runs stays …
        ([THRESHOLD - 1, 0], False, False),  # … and none is started
        ([0] * LOW_WINDOWS + [LOW], True, True),  # low for not long enough
        ([0] * (LOW_WINDOWS + 1) + [THRESHOLD], True, False),  # low for the whole time
        ([LOW - 1] * 9, True, False),  # never quite nothing, but low all the time
        ([], True, False),
        ([], False, False),
    ],
)
def test_auto_starts_above_a_threshold_and_stops_after_a_long_low(counts: list[int], runs: bool, wanted: bool) -> None:
    assert job_wanted(Engine.AUTO, counts, THRESHOLD, runs=runs) is wanted


def test_demand_around_the_threshold_does_not_start_and_stop_the_job() -> None:
    """A minute's look at demand that swings about the threshold: one start, no stop."""
    counts, runs, changes = [0] * (LOW_WINDOWS + 1), False, 0
    for demand in itertools.islice(itertools.cycle([THRESHOLD + 1, THRESHOLD - 30, LOW, THRESHOLD]), 48):
        counts = [demand, *counts[:-1]]
        wanted = job_wanted(Engine.AUTO, counts, THRESHOLD, runs=runs)
        changes += wanted is not runs
        runs = wanted
    assert (runs, changes) == (True, 1)


@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize("counts", [[], [10**6]])
def test_the_other_engines_ask_for_no_demand(counts: list[int], runs: bool) -> None:
    assert job_wanted(Engine.SPARK, counts, THRESHOLD, runs=runs)
    assert not job_wanted(Engine.LAMBDA, counts, THRESHOLD, runs=runs)


def test_a_threshold_of_one_still_has_a_lower_limit() -> None:
    assert job_wanted(Engine.AUTO, [0] * 6 + [1], 1, runs=True)
    assert not job_wanted(Engine.AUTO, [0] * 7, 1, runs=True)


def choice(world: World, engine: Engine) -> Choice:
    return Choice(engine, wired.resident_jobs(), world.clock)


@pytest.mark.parametrize("engine", [Engine.SPARK, Engine.AUTO])
def test_requests_go_to_spark_only_while_a_job_is_ready(world: World, engine: Engine) -> None:
    chosen = choice(world, engine)
    assert not chosen.on_spark()
    world.spark_ready()
    assert chosen.on_spark()
    world.clock.advance(BELIEVED_SECONDS + 1)
    assert not chosen.on_spark()


def test_that_a_job_is_ready_is_looked_up_only_now_and_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.spark_ready()
    jobs, reads = wired.resident_jobs(), list[int]()
    read = jobs.read
    monkeypatch.setattr(jobs, "read", lambda: reads.append(1) or read())
    chosen = choice(world, Engine.SPARK)
    for _ in range(40):
        assert chosen.on_spark()
        world.clock.advance(1)
    assert len(reads) == 4


def test_lambda_never_asks_spark(world: World) -> None:
    world.spark_ready()
    assert not choice(world, Engine.LAMBDA).on_spark()


def test_auto_counts_requests_by_windows_and_forgets_old_ones(world: World) -> None:
    jobs, chosen = wired.resident_jobs(), choice(world, Engine.AUTO)
    for _ in range(3):
        chosen.on_spark()
    world.clock.advance(WINDOW_SECONDS)
    chosen.on_spark()
    assert jobs.counts(jobs.read())[:3] == [1, 3, 0]
    world.clock.advance(WINDOW_SECONDS * LOW_WINDOWS)
    assert jobs.counts(jobs.read()) == [0] * LOW_WINDOWS + [1]
    jobs.forget(jobs.read(), JOB)
    (item,) = [one for one in world.items("ScoringRequests") if one["request_id"] == KEY]
    assert len([name for name in item if name.startswith("requests-")]) == 1


def test_jobs_that_ended_are_forgotten_but_not_the_present_one(world: World) -> None:
    jobs = wired.resident_jobs()
    world.spark_ready(JOB)
    world.spark_ready(OTHER)
    jobs.forget(jobs.read(), JOB)
    assert jobs.ready(jobs.read()) == {JOB, OTHER}
    world.clock.advance(BELIEVED_SECONDS + 1)
    jobs.forget(jobs.read(), JOB)
    assert {name for name in jobs.read() if name.startswith(NAME)} == {JOB}


def test_a_job_that_speaks_up_meanwhile_is_not_forgotten(world: World) -> None:
    jobs = wired.resident_jobs()
    world.spark_ready(OTHER)
    world.clock.advance(BELIEVED_SECONDS + 1)
    seen = jobs.read()
    world.spark_ready(OTHER)
    jobs.forget(seen, JOB)
    assert jobs.ready(jobs.read()) == {OTHER}
