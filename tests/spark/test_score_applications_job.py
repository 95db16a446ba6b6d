"""The resident job for real: spark-submit against the emulator (DESIGN 2, C11, M13)."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from creditmesh.risk.artefact import Artefact
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.scoring_queue import open_item
from creditmesh.risk.spark_settings import RESIDENT, SMALL_MACHINE, spark_submit_parameters
from tests.spark.job_cloud import INDEX, MODEL_URI, ROOT, TABLE, client, emulator, environment, py_files

SHARDS = 2
LEASE_SECONDS = 15
DAY = date(2026, 11, 22)
GOOD_FIRM: dict[str, Any] = json.loads((ROOT / "models/sample-firm.json").read_text(encoding="utf-8"))


class Job:
    """A running spark-submit and its log."""

    def __init__(self, port: int, directory: Path, worker_id: str) -> None:
        """Start a worker under ``worker_id``."""
        self.output = directory / f"{worker_id}.log"
        arguments = ["--table", TABLE, "--index", INDEX, "--model-uri", MODEL_URI, "--shards", str(SHARDS)]
        command = [
            str(ROOT / ".venvs/spark/bin/spark-submit"),
            *("--master", "local[1]", *shlex.split(spark_submit_parameters({**RESIDENT, **SMALL_MACHINE}))),
            *("--py-files", str(py_files(directory)), str(ROOT / "emr/jobs/score_applications.py")),
            *(
                *arguments,
                "--lease-ms",
                str(LEASE_SECONDS * 1000),
                "--worker-id",
                worker_id,
                "--run-for-seconds",
                "900",
            ),
        ]
        binaries = ROOT / ".venvs/spark/bin"
        env = {**environment(port), "PYSPARK_PYTHON": str(binaries / "python"), "SPARK_LOCAL_IP": "127.0.0.1"}
        with self.output.open("w") as output:
            self.process = subprocess.Popen(command, env=env, cwd=directory, stdout=output, stderr=output)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the structured log records of one kind so far."""
        lines = [line for line in self.output.read_text().splitlines() if line.startswith('{"job"')]
        return [record for record in map(json.loads, lines) if record["event"] == name]


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


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


def put(port: int, request_id: str, **changes: Any) -> dict[str, Any]:
    """Ask for the good firm to be scored, with some features (or their whole text) and attributes changed."""
    features = {**GOOD_FIRM, **changes.pop("features", {})}
    if "text" in changes:
        changes["features"] = changes.pop("text")
    item = open_item(
        request_id=request_id,
        application_id=f"application-{request_id}",
        task_token="token",
        features=features,
        created_at="2026-11-22T00:00:00.000Z",
        shards=SHARDS,
    )
    typed = {name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in {**item, **changes}.items()}
    client("dynamodb", port).put_item(TableName=TABLE, Item=typed)
    return features


def get(port: int, request_id: str) -> dict[str, Any]:
    """Return the request's item as plain strings."""
    item = client("dynamodb", port).get_item(TableName=TABLE, Key={"request_id": {"S": request_id}})["Item"]
    return {name: next(iter(value.values())) for name, value in item.items()}


def closed(port: int, request_id: str) -> bool:
    """Say whether the request is answered."""
    return get(port, request_id)["state"] in ("done", "failed")


def test_answers_each_request_once_like_the_python_evaluator(port: int, jobs: list[Job], origination: Artefact) -> None:
    """However many workers poll, a request is answered once, with the Python evaluator's very result."""
    asked = {f"many-{i}": put(port, f"many-{i}", features={"debt_ratio_bps": i * 200}) for i in range(60)}
    until(lambda: all(closed(port, request_id) for request_id in asked))
    for request_id, features in asked.items():
        item = get(port, request_id)
        assert (item["state"], item["engine"], item["attempts"]) == ("done", "spark", "1")
        assert "queue" not in item
        assert json.loads(item["result"]) == evaluate(origination, features, DAY).to_dict()
    assert sum(record["answered"] for job in jobs for record in job.events("batch_scored")) == len(asked)


def test_answers_within_the_time_of_one_page_view(port: int, jobs: list[Job]) -> None:
    """From claim to result a single request takes less than 400 ms; the machine may be busy, so the best of five."""
    took = []
    for i in range(5):
        put(port, f"single-{i}")
        until(lambda i=i: closed(port, f"single-{i}"))  # type: ignore[misc]
        item = get(port, f"single-{i}")
        took.append(int(item["scored_at_ms"]) - int(item["claimed_at_ms"]))
    assert min(took) <= 400


def test_poison_is_answered_and_blocks_nothing(port: int, jobs: list[Job]) -> None:
    """Requests that cannot be read are closed as failed; those beside them are scored."""
    put(port, "poison-json", text="{not json")
    put(port, "poison-type", features={"debt_ratio_bps": "much"})
    put(port, "beside-poison")
    until(lambda: all(closed(port, name) for name in ("poison-json", "poison-type", "beside-poison")))
    assert get(port, "poison-json")["error"] == "features: is a JSON object"
    assert get(port, "poison-type")["error"] == "debt_ratio_bps: is of type integer"
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
