"""Stops EMR Serverless applications while CloudFormation changes or deletes them: AWS refuses it for started ones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

APPLICATION = "AWS::EMRServerless::Application"
_AT_REST = ("CREATED", "STOPPED")
_ALIVE = ["SUBMITTED", "PENDING", "SCHEDULED", "QUEUED", "RUNNING", "CANCELLING"]
_SECONDS = 900.0


class NotStopped(Exception):
    """An application did not stop in time."""


@contextmanager
def stopped(emr: Any, applications: Sequence[str], pause: float) -> Iterator[None]:
    """Keep the applications stopped: cancel their job runs and disable automatic start.

    With automatic start the scheduled function would start the resident job again within a minute, before
    CloudFormation reaches the application. CloudFormation's update enables it again; if there was no update, this
    function does. The scheduled function then restarts the job.

    Args:
        emr: a boto3 client.
        applications: their ids.
        pause: seconds between polls.

    Raises:
        NotStopped: an application did not stop within a quarter of an hour.
    """
    try:
        for application in applications:
            _hold(emr, application, pause)
        yield
    finally:
        for application in applications:
            if _state(emr, application) in _AT_REST:
                emr.update_application(applicationId=application, autoStartConfiguration={"enabled": True})


def _hold(emr: Any, application: str, pause: float) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        state = _state(emr, application)
        if state in _AT_REST:
            with suppress(emr.exceptions.ValidationException, emr.exceptions.ConflictException):
                emr.update_application(applicationId=application, autoStartConfiguration={"enabled": False})
                return  # else a job has just started
        elif state == "TERMINATED":
            return
        elif state == "STARTED" and not _cancel_runs(emr, application):
            emr.stop_application(applicationId=application)
        time.sleep(pause)
    raise NotStopped(
        f"EMR Serverless application {application} did not stop within {_SECONDS / 60:.0f} minutes; see "
        f"`aws emr-serverless list-job-runs --application-id {application}`, and deploy again."
    )


def _cancel_runs(emr: Any, application: str) -> bool:
    """Cancel active runs; returns whether there were any."""
    pages = emr.get_paginator("list_job_runs").paginate(applicationId=application, states=_ALIVE)
    alive = [run for page in pages for run in page["jobRuns"]]
    for run in alive:
        if run["state"] != "CANCELLING":
            emr.cancel_job_run(applicationId=application, jobRunId=run["id"])
    return bool(alive)


def _state(emr: Any, application: str) -> str:
    try:
        return str(emr.get_application(applicationId=application)["application"]["state"])
    except emr.exceptions.ResourceNotFoundException:
        return "TERMINATED"
