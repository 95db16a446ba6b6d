"""The resident job as a process of its own, and requests to it; for the tests that run it for real."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from cloud.spark_code import jobs_archive
from creditmesh.decisions.serving.heartbeat import NAME
from creditmesh.decisions.serving.queue import open_item, packed
from creditmesh.decisions.serving.spark_settings import (
    INTERPRETER,
    RESIDENT,
    RESIDENT_WORKERS,
    SMALL_RESIDENT,
    spark_submit_parameters,
)
from tests.spark.job_cloud import ROOT, TABLE, client, environment, job_arguments

SHARDS = 2
LEASE_SECONDS = 15
DAY = date(2026, 11, 22)
GOOD_FIRM: dict[str, Any] = json.loads((ROOT / "models/sample-firm.json").read_text(encoding="utf-8"))


class Job:
    """A running spark-submit and its log."""

    def __init__(self, port: int, directory: Path, worker_id: str, *more: str) -> None:
        """Start a worker under ``worker_id``, with ``more`` arguments."""
        self.output, self.name = directory / f"{worker_id}.log", f"{NAME}-{worker_id}"
        arguments = [*job_arguments(port), "--shards", str(SHARDS), "--job", self.name, *more]
        settings = {**RESIDENT, **RESIDENT_WORKERS, **INTERPRETER, **SMALL_RESIDENT}
        command = [
            str(ROOT / ".venvs/spark/bin/spark-submit"),
            *("--master", "local[1]", *shlex.split(spark_submit_parameters(settings))),
            *("--py-files", str(jobs_archive(ROOT, directory)), str(ROOT / "emr/jobs/score_applications.py")),
            *(
                *arguments,
                "--lease-ms",
                str(LEASE_SECONDS * 1000),
                "--worker-id",
                worker_id,
                "--run-for-seconds",
                "900",
                "--warm-up-calls",
                "5",
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
        changes["features"] = packed(changes.pop("text"))
    item = open_item(
        request_id=request_id,
        application_id=f"application-{request_id}",
        model_id="origination",
        task_token="token",
        features=features,
        created_at="2026-11-22T00:00:00.000Z",
        shards=SHARDS,
        rules_of=date(2026, 11, 22),
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
