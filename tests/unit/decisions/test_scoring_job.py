"""The resident job's runs: one of the present code, replaced without a gap, started once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from creditmesh.decisions.engine import Engine
from creditmesh.decisions.scoring_job import Ensured, ResidentJob, ScoringJob
from tests.support import wired
from tests.support.world import World

THRESHOLD = 10


class Emr:
    """EMR Serverless: runs, and what was asked of it. A client token starts one run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.runs: dict[str, dict[str, Any]] = {}
        self.started: list[dict[str, Any]] = []
        self._tokens: dict[str, str] = {}

    def list_job_runs(self, *, applicationId: str, states: list[str]) -> dict[str, Any]:
        assert not {"SUCCESS", "FAILED", "CANCELLED", "CANCELLING"} & set(states)
        return {"jobRuns": [run for run in reversed(self.runs.values()) if run["state"] in states]}

    def start_job_run(self, *, clientToken: str, **given: Any) -> dict[str, str]:
        self.started.append(given)
        if clientToken not in self._tokens:
            self._tokens[clientToken] = self.run(given["name"])
        return {"jobRunId": self._tokens[clientToken]}

    def cancel_job_run(self, *, applicationId: str, jobRunId: str, shutdownGracePeriodInSeconds: int) -> None:
        assert shutdownGracePeriodInSeconds >= 15
        self.runs[jobRunId]["state"] = "CANCELLING"

    def run(self, name: str, state: str = "RUNNING") -> str:
        number = f"run-{len(self.runs)}"
        created = self._world.clock.now() + timedelta(milliseconds=len(self.runs))
        self.runs[number] = {"id": number, "name": name, "state": state, "createdAt": created}
        return number

    def alive(self) -> list[str]:
        return [number for number, run in self.runs.items() if run["state"] == "RUNNING"]


def job(code: str) -> ResidentJob:
    return ResidentJob(f"s3://artefacts/{code}/jobs/score_applications.py", ("--shards", "1"), "--conf a=b")


@pytest.fixture
def emr(world: World) -> Emr:
    return Emr(world)


def ensure(world: World, emr: Emr, code: str = "emr/1", engine: Engine = Engine.SPARK) -> Ensured:
    """One scheduled run of a deployment with that code."""
    jobs = wired.resident_jobs()
    return ScoringJob(emr, "app", "role", job(code), jobs, engine, THRESHOLD, world.clock).ensure()  # type: ignore[arg-type]


def minute(world: World) -> None:
    world.clock.advance(60)


def test_a_name_stands_for_code_arguments_and_settings() -> None:
    first = job("emr/1")
    assert first.name == job("emr/1").name
    names = {
        first.name,
        job("emr/2").name,
        ResidentJob(first.entry_point, ("--shards", "2"), first.parameters).name,
        ResidentJob(first.entry_point, first.arguments, "--conf a=c").name,
    }
    assert len(names) == 4
    assert first.driver()["sparkSubmit"]["entryPointArguments"] == ["--shards", "1", "--job", first.name]


def test_it_is_started_once_and_then_left_alone(world: World, emr: Emr) -> None:
    assert ensure(world, emr) == Ensured("run-0", started=True, ready=False)
    (asked,) = emr.started
    assert (asked["mode"], asked["name"], asked["executionRoleArn"]) == ("STREAMING", job("emr/1").name, "role")
    minute(world)
    assert ensure(world, emr) == Ensured("run-0", started=False, ready=False)
    world.spark_ready(job("emr/1").name)
    assert ensure(world, emr) == Ensured("run-0", started=False, ready=True)
    assert len(emr.started) == 1


def test_two_at_once_start_one_run(world: World, emr: Emr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emr, "list_job_runs", lambda **_: {"jobRuns": []})
    assert ensure(world, emr) == ensure(world, emr)
    assert emr.alive() == ["run-0"]


def test_of_two_runs_of_one_name_the_younger_ends(world: World, emr: Emr) -> None:
    for _ in range(2):
        emr.run(job("emr/1").name)
    assert ensure(world, emr).job_run_id == "run-0"
    assert emr.alive() == ["run-0"]


def test_a_run_that_failed_is_followed_by_another(world: World, emr: Emr) -> None:
    ensure(world, emr)
    emr.runs["run-0"]["state"] = "FAILED"
    minute(world)
    assert ensure(world, emr) == Ensured("run-1", started=True, ready=False)


def test_other_code_replaces_it_once_it_is_ready(world: World, emr: Emr) -> None:
    ensure(world, emr)
    world.spark_ready(job("emr/1").name)
    minute(world)
    assert ensure(world, emr, "emr/2").started
    for _ in range(3):
        minute(world)
        world.spark_ready(job("emr/1").name)
        assert ensure(world, emr, "emr/2") == Ensured("run-1", started=False, ready=False)
        assert emr.alive() == ["run-0", "run-1"], "the old one answers meanwhile"
    world.spark_ready(job("emr/2").name)
    assert ensure(world, emr, "emr/2").ready
    assert emr.alive() == ["run-1"]
    jobs = wired.resident_jobs()
    assert jobs.ready(jobs.read()) == {job("emr/2").name}


def test_new_code_that_never_gets_ready_leaves_the_old_job_alone(world: World, emr: Emr) -> None:
    ensure(world, emr)
    for _ in range(30):
        minute(world)
        world.spark_ready(job("emr/1").name)
        assert ensure(world, emr, "emr/2").ready is False
        emr.runs[emr.alive()[-1]]["state"] = "FAILED"
    assert emr.alive() == ["run-0"]


def test_going_back_to_the_old_code_ends_the_new(world: World, emr: Emr) -> None:
    ensure(world, emr)
    world.spark_ready(job("emr/1").name)
    ensure(world, emr, "emr/2")
    assert ensure(world, emr, "emr/1") == Ensured("run-0", started=False, ready=True)
    assert emr.alive() == ["run-0"]


def test_a_job_from_before_names_had_digests_is_replaced_too(world: World, emr: Emr) -> None:
    emr.run("score-applications")
    emr.run("another-job")
    ensure(world, emr)
    world.spark_ready(job("emr/1").name)
    ensure(world, emr)
    assert [emr.runs[number]["name"] for number in emr.alive()] == ["another-job", job("emr/1").name]


def test_lambda_ends_what_runs_and_starts_nothing(world: World, emr: Emr) -> None:
    ensure(world, emr)
    world.spark_ready(job("emr/1").name)
    ensure(world, emr, "emr/2")
    assert ensure(world, emr, engine=Engine.LAMBDA) == Ensured(None, started=False, ready=None)
    assert emr.alive() == []
    jobs = wired.resident_jobs()
    assert jobs.ready(jobs.read()) == set(), "no request is to wait for a job that is being ended"
    assert len(emr.started) == 2


def test_auto_starts_with_demand_and_ends_without_it(world: World, emr: Emr) -> None:
    jobs = wired.resident_jobs()
    assert ensure(world, emr, engine=Engine.AUTO).job_run_id is None
    for _ in range(THRESHOLD):
        jobs.count()
    assert ensure(world, emr, engine=Engine.AUTO).started
    for _ in range(30):
        minute(world)
        assert ensure(world, emr, engine=Engine.AUTO).job_run_id == "run-0"
    for _ in range(5):
        minute(world)
        ensure(world, emr, engine=Engine.AUTO)
    assert emr.alive() == []
