"""The resident Spark job: see to it that one runs and is warm."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from run.errors import RunError, tail

_OVER = ("FAILED", "CANCELLED", "SUCCESS")


def ensure(lambda_client: Any, function: str) -> str:
    """Have the platform's own function start the job unless one lives; its job run id.

    Raises:
        RunError: the function failed.
    """
    answer = lambda_client.invoke(FunctionName=function, Payload=b"{}")
    payload = json.loads(answer["Payload"].read() or b"{}")
    if answer.get("FunctionError") or "job_run_id" not in payload:
        raise RunError(f"The Spark job could not be started: {payload.get('errorMessage', payload)}")
    return str(payload["job_run_id"])


class WarmUp:
    """Watches the job's log, which the embedded cloud keeps below its state; to be made before the cloud starts.

    Only lines written since then count: a run goes on under the same name when the cloud is started again.
    """

    def __init__(self, cloud_state: Path) -> None:
        self._logs = cloud_state / "emr"
        self._seen = {log: log.stat().st_size for log in self._logs.glob("*/attempt-*.log")}

    def wait(self, emr: Any, application_id: str, run_id: str, seconds: float = 300.0) -> float:
        """Wait until the job says that it is ready; the seconds it took to start, as it says.

        Raises:
            RunError: it ended, or was not ready in time; with the end of its log.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            run = emr.get_job_run(applicationId=application_id, jobRunId=run_id)["jobRun"]
            if run["state"] in _OVER:
                raise RunError(
                    f"The Spark job ended: {run['state']} {run.get('stateDetails', '')}\n{self._end(run_id)}"
                )
            ready = self._ready(run_id)
            if run["state"] == "RUNNING" and ready is not None:
                return float(ready.get("start_ms", 0)) / 1000
            time.sleep(0.25)
        raise RunError(f"The Spark job was not ready after {seconds:.0f} s. The end of its log:\n{self._end(run_id)}")

    def _ready(self, run_id: str) -> Mapping[str, Any] | None:
        for log in (self._logs / run_id).glob("attempt-*.log"):
            with log.open("rb") as file:
                file.seek(self._seen.get(log, 0))
                for line in file.read().splitlines():
                    if line.startswith(b"{") and line.endswith(b"}") and b'"ready"' in line:
                        return dict(json.loads(line))
        return None

    def _end(self, run_id: str) -> str:
        logs = sorted((self._logs / run_id).glob("attempt-*.log"), key=lambda log: log.stat().st_mtime)
        return tail(logs[-1]) if logs else "    (no log)"
