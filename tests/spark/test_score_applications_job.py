"""The resident job for real: spark-submit against the emulator (DESIGN 2, C11, M13)."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator

import pytest

from creditmesh.decisions.serving.heartbeat import KEY, ready_jobs
from creditmesh.decisions.serving.queue import unpacked
from creditmesh.risk.artefact import Artefact
from creditmesh.risk.evaluator import evaluate
from tests.spark.job_cloud import emulator
from tests.spark.resident_job import DAY, LEASE_SECONDS, Job, closed, get, put, until

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """An emulator's port."""
    with emulator(tmp_path_factory.mktemp("emulator")) as number:
        yield number


@pytest.fixture(scope="module")
def jobs(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Job]]:
    """Two workers, ready."""
    started = [Job(port, tmp_path_factory.mktemp("job"), name) for name in ("worker-1", "worker-2")]
    try:
        for job in started:
            until(lambda job=job: bool(job.events("ready")), seconds=300)  # type: ignore[misc]
        yield started
    finally:
        for job in started:
            job.process.kill()
            job.process.wait(timeout=20)


def test_answers_each_request_once_like_the_python_evaluator(port: int, jobs: list[Job], origination: Artefact) -> None:
    """However many workers poll, a request is answered once, with the Python evaluator's very result."""
    asked = {f"many-{i}": put(port, f"many-{i}", features={"debt_ratio_bps": i * 200}) for i in range(60)}
    until(lambda: all(closed(port, request_id) for request_id in asked))
    for request_id, features in asked.items():
        item = get(port, request_id)
        assert (item["state"], item["engine"], item["attempts"]) == ("done", "spark", "1")
        assert "queue" not in item
        assert json.loads(unpacked(item["result"])) == evaluate(origination, features, DAY).to_dict()
    assert sum(record["answered"] for job in jobs for record in job.events("batch_scored")) == len(asked)


def test_each_worker_says_that_it_is_ready(port: int, jobs: list[Job]) -> None:
    """From before it logs so, hence before anybody counts on it."""
    assert ready_jobs(get(port, KEY), time.time()) == {job.name for job in jobs}


def test_poison_is_answered_and_blocks_nothing(port: int, jobs: list[Job]) -> None:
    """Requests that cannot be read are closed as failed; those beside them are scored."""
    put(port, "poison-json", text="{not json")
    put(port, "poison-type", features={"debt_ratio_bps": "much"})
    put(port, "beside-poison")
    until(lambda: all(closed(port, name) for name in ("poison-json", "poison-type", "beside-poison")))
    assert get(port, "poison-json")["error"] == "features: must be a JSON object"
    assert get(port, "poison-type")["error"] == "debt_ratio_bps: must be of type integer"
    assert get(port, "beside-poison")["state"] == "done"


def test_takes_over_from_a_worker_that_died(port: int, jobs: list[Job]) -> None:
    """A claim whose lease ran out is taken again; one whose lease runs is left alone."""
    now = time.time_ns() // 1_000_000
    put(port, "expired", state="claimed", claimed_by="gone", attempts=1, lease_until=now - 1)
    put(port, "held", state="claimed", claimed_by="alive", attempts=1, lease_until=now + 600_000)
    until(lambda: closed(port, "expired"))
    assert get(port, "expired")["attempts"] == "2"
    assert get(port, "held")["state"] == "claimed"


def test_ends_on_sigterm_and_leaves_the_rest_to_the_other(port: int, jobs: list[Job]) -> None:
    """The signal to end is obeyed; what is asked meanwhile and afterwards is answered by the other worker.

    At the latest when the leases end: a worker whose Java dies first cannot always give its claims back.
    """
    first, second = jobs
    asked = [f"end-{i}" for i in range(30)]
    for request_id in asked[:15]:
        put(port, request_id)
    first.process.send_signal(signal.SIGTERM)
    for request_id in asked[15:]:
        put(port, request_id)
    until(lambda: all(closed(port, request_id) for request_id in asked), seconds=LEASE_SECONDS + 15)
    first.process.wait(timeout=30)
    assert {get(port, request_id)["state"] for request_id in asked} == {"done"}
    assert get(port, asked[-1])["claimed_by"] == "worker-2"
    assert second.process.poll() is None
    assert ready_jobs(get(port, KEY), time.time()) == {second.name}
