"""EMR Serverless job runs on this machine: ``spark-submit`` processes with states, retries and memory limits."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloud import role_session
from cloud.config import Config
from cloud.java import NoJava, java_home
from cloud.job_log import told_last
from cloud.job_storage import JobStorage, StorageFailed

logger = logging.getLogger("cloud.emr")

FINAL = ("SUCCESS", "FAILED", "CANCELLED")
_HOUR = 3600.0
_STREAMING_ATTEMPTS_PER_HOUR = 5  # EMR's default for STREAMING; BATCH is not retried by default
_BATCH_MINUTES = 720  # EMR's default; a STREAMING run has no limit
# Variables taken from this process's environment. With another KMS (LocalStack), jobs verify models there.
_KEPT = ("HOME", "LANG", "TMPDIR", "USER", "AWS_ENDPOINT_URL_KMS")
# Tunes the short-lived JVM that assembles spark-submit's command.
_LAUNCHER = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_DIE_WITH_PARENT = Path(__file__).with_name("die_with_parent.py")

Run = dict[str, Any]


class JobRuns:
    """All job runs of one emulator.

    Args:
        config: settings.
        fetch: returns the bytes of ``s3://bucket/key`` in the emulator; raises KeyError if the object is missing.
    """

    def __init__(self, config: Config, fetch: Callable[[str], bytes]) -> None:
        self._config = config
        self._fetch = fetch
        self._folder = config.state_dir / "emr"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._changed = threading.Condition()
        self.runs: dict[str, Run] = {}

    def start(self, application: dict[str, Any], request: dict[str, Any]) -> Run:
        """Start a run, or return the one started with the same ``clientToken``."""
        token = request.get("clientToken")
        with self._changed:
            for known in self.runs.values():
                if token and known["clientToken"] == token and known["applicationId"] == application["applicationId"]:
                    return known
            run = _new_run(application, request)
            self.runs[run["jobRunId"]] = run
        threading.Thread(target=self._attempts, args=(run,), name=f"emr-{run['jobRunId']}", daemon=True).start()
        return run

    def wait(self, run: Run, give_up: Callable[[], bool]) -> None:
        """Wait until the run has ended or ``give_up()`` is true."""
        with self._changed:
            while run["state"] not in FINAL and not give_up():
                self._changed.wait(0.5)

    def cancel(self, run: Run, details: str = "Cancelled by request") -> None:
        with self._changed:
            if run["state"] in FINAL:
                return
            self._move(run, "CANCELLED", details)
            process = self._processes.get(run["jobRunId"])
        if process is not None:
            _end(process)

    def close(self) -> None:
        with self._changed:
            processes, self._processes = list(self._processes.values()), {}
        for process in processes:
            _end(process)

    def _attempts(self, run: Run) -> None:
        while True:
            code, tail = self._attempt(run)
            with self._changed:
                if run["state"] in FINAL:
                    return
                if code == 0:
                    self._move(run, "SUCCESS", "")
                    return
                if not self._may_retry(run):
                    self._move(run, "FAILED", f"Job failed, exit code {code}: {tail}")
                    return
                run["attempt"] += 1
                self._move(run, "PENDING", f"Attempt {run['attempt']} follows: {tail}")
            time.sleep(min(2.0 ** (run["attempt"] - 2), 30.0))

    def _may_retry(self, run: Run) -> bool:
        policy = run["retryPolicy"]
        if run["mode"] == "STREAMING":
            now = time.time()
            run["failures"] = [*(moment for moment in run["failures"] if now - moment < _HOUR), now]
            return len(run["failures"]) <= int(policy.get("maxFailedAttemptsPerHour", _STREAMING_ATTEMPTS_PER_HOUR))
        return bool(run["attempt"] < int(policy.get("maxAttempts", 1)))

    def _attempt(self, run: Run) -> tuple[int, str]:
        """Run spark-submit once; returns its exit code and the end of its output."""
        folder = self._folder / run["jobRunId"]
        folder.mkdir(parents=True, exist_ok=True)
        log, submit = folder / f"attempt-{run['attempt']}.log", run["jobDriver"]["sparkSubmit"]
        files = JobStorage.of(run, folder / "s3", self._config)
        try:
            files.bring()
            code = self._process(run, self._command(submit, folder, files.settings()), folder, log)
            if code == 0:
                files.take_back()
        except (KeyError, NoJava, StorageFailed) as problem:
            return 1, str(problem)
        finally:
            files.forget()
        return code, told_last(log.read_bytes())

    def _process(self, run: Run, command: list[str], folder: Path, log: Path) -> int:
        """Run one process; ends it when the run is cancelled or times out."""
        environment = self._environment(run)
        with log.open("ab") as output, self._changed:
            if run["state"] in FINAL:
                return 1
            process = subprocess.Popen(
                [sys.executable, str(_DIE_WITH_PARENT), *command], stdout=output, stderr=output, stdin=subprocess.PIPE,
                env=environment, cwd=folder, start_new_session=True,
            )  # fmt: skip
            self._processes[run["jobRunId"]] = process
            self._move(run, "RUNNING", "")
        minutes = run.get("executionTimeoutMinutes") or (_BATCH_MINUTES if run["mode"] == "BATCH" else None)
        try:
            code = process.wait(minutes and minutes * 60)
        except subprocess.TimeoutExpired:
            self.cancel(run, f"Job execution took longer than {minutes} minutes")
            code = process.wait()
        with self._changed:
            self._processes.pop(run["jobRunId"], None)
        return code

    def _command(self, submit: dict[str, Any], folder: Path, settings: list[str]) -> list[str]:
        python = self._config.spark_venv / "bin" / "python"
        homes = sorted(self._config.spark_venv.glob("lib/python3*/site-packages/pyspark"))
        if not homes:
            raise KeyError(f"no pyspark in {self._config.spark_venv}; run `make setup`")
        parameters = [self._local(word, folder) for word in shlex.split(submit.get("sparkSubmitParameters") or "")]
        fixed = ["--master", "local[2]", "--conf", f"spark.pyspark.python={python}",
                 "--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.driver.bindAddress=127.0.0.1",
                 "--conf", "spark.ui.enabled=false",
                 "--conf", f"spark.sql.warehouse.dir={folder}/warehouse"]  # fmt: skip
        entry = self._local(submit["entryPoint"], folder)
        return [
            str(homes[0] / "bin" / "spark-submit"),
            *parameters,
            *settings,
            *fixed,
            entry,
            *(submit.get("entryPointArguments") or []),
        ]

    def _local(self, word: str, folder: Path) -> str:
        """Fetch each s3:// file in ``word``, as EMR does for the driver; other S3 names stay."""
        if not word.endswith((".py", ".zip", ".egg", ".whl", ".jar")) or "s3://" not in word:
            return word
        return ",".join(self._download(part, folder) if part.startswith("s3://") else part for part in word.split(","))

    def _download(self, url: str, folder: Path) -> str:
        target = folder / "files" / url.rsplit("/", 1)[-1]
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(self._fetch(url))
        return str(target)

    def _environment(self, run: Run) -> dict[str, str]:
        venv = self._config.spark_venv
        python = str(venv / "bin" / "python")
        home = java_home(venv, self._config.state_dir / "java")
        keep = {key: os.environ[key] for key in _KEPT if key in os.environ}
        return {
            **keep, "JAVA_HOME": str(home),
            "PATH": f"{home}/bin:{venv}/bin:{os.environ.get('PATH', os.defpath)}",
            "SPARK_HOME": str(min(venv.glob("lib/python3*/site-packages/pyspark"))), "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_PYTHON": python, "PYSPARK_DRIVER_PYTHON": python, "AWS_ENDPOINT_URL": self._config.endpoint,
            "AWS_ACCESS_KEY_ID": run["arn"].split(":")[4], "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": role_session.token(run["executionRole"], run["applicationId"]),
            "AWS_REGION": self._config.region, "AWS_DEFAULT_REGION": self._config.region,
            "EMR_SERVERLESS_JOB_RUN_ID": run["jobRunId"], "SPARK_LAUNCHER_OPTS": _LAUNCHER,
        }  # fmt: skip

    def _move(self, run: Run, state: str, details: str) -> None:
        run.update(state=state, stateDetails=details, updatedAt=time.time())
        if state in FINAL:
            run["endedAt"] = time.time()
        self._changed.notify_all()
        logger.info("job run %s (%s): %s %s", run["jobRunId"], run["name"], state, details[:200])


def _new_run(application: dict[str, Any], request: dict[str, Any]) -> Run:
    number = f"00{uuid.uuid4().hex[:14]}"
    now = time.time()
    return {
        "applicationId": application["applicationId"], "jobRunId": number, "name": request.get("name", ""),
        "arn": f"{application['arn']}/jobruns/{number}", "createdBy": application["arn"],
        "createdAt": now, "updatedAt": now, "executionRole": request.get("executionRoleArn", ""), "state": "SUBMITTED",
        "stateDetails": "", "releaseLabel": application["releaseLabel"], "jobDriver": request.get("jobDriver", {}),
        "configurationOverrides": request.get("configurationOverrides", {}), "tags": request.get("tags", {}),
        "mode": request.get("mode", "BATCH"), "retryPolicy": request.get("retryPolicy", {}), "attempt": 1,
        "clientToken": request.get("clientToken"), "failures": [],
        "executionTimeoutMinutes": request.get("executionTimeoutMinutes"),
    }  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
