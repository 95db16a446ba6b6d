"""Starts the resident Spark job and waits until it is warm."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from run.errors import RunError, tail

_OVER = ("FAILED", "CANCELLED", "SUCCESS")


def ensure(lambda_client: Any, function: str) -> str:
    """Let the platform's function start the job unless one runs; returns its job run id.

    Raises:
        RunError: the function failed.
    """
    answer = lambda_client.invoke(FunctionName=function, Payload=b"{}")
    payload = json.loads(answer["Payload"].read() or b"{}")
    if answer.get("FunctionError") or "job_run_id" not in payload:
        raise RunError(f"The Spark job could not be started: {payload.get('errorMessage', payload)}")
    return str(payload["job_run_id"])


def wait(emr: Any, application_id: str, run_id: str, logs: Path, seconds: float = 300.0) -> float:
    """Wait until the log of the job's last attempt reports that it is ready; returns the reported seconds.

    Args:
        emr: a boto3 client.
        application_id: the job's application.
        run_id: the job run.
        logs: folder of the job's logs.
        seconds: time limit.

    Raises:
        RunError: it ended, or was not ready in time; with the end of its log.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = emr.get_job_run(applicationId=application_id, jobRunId=run_id)["jobRun"]
        if run["state"] in _OVER:
            raise RunError(f"The Spark job ended: {run['state']} {run.get('stateDetails', '')}\n{_end(logs)}")
        ready = _ready(logs)
        if run["state"] == "RUNNING" and ready is not None:
            return float(ready.get("start_ms", 0)) / 1000
        time.sleep(0.25)
    raise RunError(f"The Spark job was not ready after {seconds:.0f} s. The end of its log:\n{_end(logs)}")


def _ready(logs: Path) -> Mapping[str, Any] | None:
    log = _newest(logs)
    for line in log.read_bytes().splitlines() if log else ():
        if line.startswith(b"{") and line.endswith(b"}") and b'"ready"' in line:
            return dict(json.loads(line))
    return None


def _newest(logs: Path) -> Path | None:
    return max(logs.glob("attempt-*.log"), key=lambda log: int(log.stem.rpartition("-")[2]), default=None)


def _end(logs: Path) -> str:
    log = _newest(logs)
    return tail(log) if log else "    (no log)"
