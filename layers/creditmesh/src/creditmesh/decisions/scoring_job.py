"""Keeps one resident Spark job of the current code running, and replaces it without a gap.

See docs/explanation/resident-job.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from creditmesh.decisions.engine import Engine, ResidentJobs, job_wanted
from creditmesh.decisions.serving.heartbeat import NAME
from creditmesh.decisions.serving.spark_settings import (
    INTERPRETER,
    RESIDENT,
    RESIDENT_WORKERS,
    libraries,
    spark_submit_parameters,
)
from creditmesh.kernel.clock import Clock

if TYPE_CHECKING:
    from mypy_boto3_emr_serverless import EMRServerlessClient
    from mypy_boto3_emr_serverless.literals import JobRunStateType

_ALIVE: list[JobRunStateType] = ["SUBMITTED", "PENDING", "SCHEDULED", "QUEUED", "RUNNING"]
_FAILED_ATTEMPTS_PER_HOUR = 5
_TOKEN_SECONDS = 60
_GRACE_SECONDS = 30
"""Time for a cancelled job to finish its batch."""


@dataclass(frozen=True)
class ResidentJob:
    """The arguments of a job run."""

    entry_point: str
    arguments: tuple[str, ...]
    parameters: str

    @cached_property
    def name(self) -> str:
        """The run's name, which depends on code and arguments."""
        content = repr((self.entry_point, self.arguments, self.parameters))
        return f"{NAME}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    def driver(self) -> dict[str, Any]:
        """The argument `jobDriver` of StartJobRun."""
        return {
            "sparkSubmit": {
                "entryPoint": self.entry_point,
                "entryPointArguments": [*self.arguments, "--job", self.name],
                "sparkSubmitParameters": self.parameters,
            }
        }


def resident_job(code: str, arguments: Mapping[str, str], archive: str, further: str) -> ResidentJob:
    """The job of a deployment.

    Args:
        code: location of its code, s3://….
        arguments: the entry point's arguments.
        archive: location of its libraries, s3://…; empty if the interpreter has them.
        further: additional parameters of spark-submit, which override those of `decisions.serving.spark_settings`.
    """
    settings = {**RESIDENT, **RESIDENT_WORKERS, **INTERPRETER, **(libraries(archive) if archive else {})}
    parameters = f"--py-files {code}/creditmesh-spark.zip {spark_submit_parameters(settings)} {further}"
    words = tuple(word for pair in arguments.items() for word in pair)
    return ResidentJob(f"{code}/jobs/score_applications.py", words, parameters.strip())


@dataclass(frozen=True)
class Ensured:
    """State of the job."""

    job_run_id: str | None
    """The run of the current code; None if no job is wanted."""
    started: bool
    """Whether it was started just now."""
    ready: bool | None
    """Whether it has reported ready; None if no job is wanted."""


class ScoringJob:
    """The job runs of the scoring application.

    Args:
        threshold: requests in five minutes that start a job under ScoringEngine `auto`.
    """

    def __init__(
        self,
        emr: EMRServerlessClient,
        application_id: str,
        role_arn: str,
        job: ResidentJob,
        jobs: ResidentJobs,
        engine: Engine,
        threshold: int,
        clock: Clock,
    ) -> None:
        self._emr, self._application_id, self._role_arn, self._job = emr, application_id, role_arn, job
        self._jobs, self._engine, self._threshold, self._clock = jobs, engine, threshold, clock

    def ensure(self) -> Ensured:
        """Start the job if it is wanted and none of the current code runs; end superseded ones.

        Runs of other code continue until the current one is ready. Concurrent calls start one run: within a minute the
        client token is the same, and of two runs with one name the younger is ended.
        """
        listed = self._emr.list_job_runs(applicationId=self._application_id, states=_ALIVE)["jobRuns"]
        runs = sorted((run for run in listed if run.get("name", "").startswith(NAME)), key=lambda run: run["createdAt"])
        item = self._jobs.read()
        if not job_wanted(self._engine, self._jobs.counts(item), self._threshold, runs=bool(runs)):
            self._jobs.withdraw(item, [run["name"] for run in runs])
            self._cancel([run["id"] for run in runs])
            return Ensured(None, started=False, ready=None)
        self._jobs.forget(item, self._job.name)
        own = [run["id"] for run in runs if run["name"] == self._job.name]
        if not own:
            return Ensured(self._start(), started=True, ready=False)
        ready = self._job.name in self._jobs.ready(item)
        others = [run for run in runs if run["name"] != self._job.name] if ready else []
        self._jobs.withdraw(item, [run["name"] for run in others])
        self._cancel([*own[1:], *(run["id"] for run in others)])
        return Ensured(own[0], started=False, ready=ready)

    def _start(self) -> str:
        minute = int(self._clock.now().timestamp()) // _TOKEN_SECONDS
        return self._emr.start_job_run(
            applicationId=self._application_id,
            clientToken=f"{self._job.name}-{minute}",
            name=self._job.name,
            mode="STREAMING",
            executionRoleArn=self._role_arn,
            retryPolicy={"maxFailedAttemptsPerHour": _FAILED_ATTEMPTS_PER_HOUR},
            jobDriver=self._job.driver(),  # type: ignore[arg-type]
        )["jobRunId"]

    def _cancel(self, runs: list[str]) -> None:
        for run in runs:
            self._emr.cancel_job_run(
                applicationId=self._application_id, jobRunId=run, shutdownGracePeriodInSeconds=_GRACE_SECONDS
            )
