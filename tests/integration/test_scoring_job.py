"""The resident job on a running platform: replaced while applications are scored, and done without."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from creditmesh.decisions.engine import BELIEVED_SECONDS
from run import many, spark
from run.platform import LocalPlatform
from tests.integration.conftest import Target

CASES = iter(many.cases(20, skip=100) + many.cases(38, skip=162))
SECONDS = 150.0


def alive(local: LocalPlatform) -> dict[str, str]:
    """Names of the job runs that are alive, by their ids."""
    runs = local.aws("emr-serverless").list_job_runs(
        applicationId=local.outputs["ScoringApplicationId"], states=["SUBMITTED", "PENDING", "RUNNING"]
    )["jobRuns"]
    return {run["id"]: run["name"] for run in runs}


def warm(local: LocalPlatform, run: str) -> None:
    """Wait for a job that is starting; another test may have killed its process."""
    spark.wait(
        local.aws("emr-serverless"), local.outputs["ScoringApplicationId"], run, local.places.cloud / "emr" / run
    )


def engine(target: Target) -> str:
    """Another firm applies; which engine scored it."""
    journey = target.borrower(next(CASES)).live_through(uuid.uuid4().hex)
    report = target.api("auditor", "platform").report(journey.application.application_id)
    return str(report["versions"]["engine"])


def waited(local: LocalPlatform) -> int:
    """How many executions found no answer of a job and went on to score in Lambda."""
    client, found = local.aws("stepfunctions"), 0
    executions = client.list_executions(stateMachineArn=local.outputs["OriginationArn"])["executions"]
    for one in executions:
        history = client.get_execution_history(executionArn=one["executionArn"], maxResults=1000)["events"]
        found += any(event.get("stateEnteredEventDetails", {}).get("name") == "ScoreInLambda" for event in history)
    return found


def change(local: LocalPlatform, function: str, **variables: str) -> dict[str, str]:
    """Change some variables of a function's environment; what they were."""
    client: Any = local.aws("lambda")
    before = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    client.update_function_configuration(FunctionName=function, Environment={"Variables": {**before, **variables}})
    return {name: before[name] for name in variables}


@pytest.mark.timeout(SECONDS + 60)
def test_the_job_is_replaced_while_applications_are_scored(target: Target, local: LocalPlatform) -> None:
    """Every application is scored on Spark, by the old job until the new one is ready."""
    (old,) = alive(local)
    warm(local, old)
    # Stands for new code: the name is the digest of that and of the arguments.
    change(local, local.outputs["EnsureScoringJobFunction"], SCORING_WARM_UP_CALLS="11")
    engines, both, deadline = list[str](), 0, time.monotonic() + SECONDS
    while old in (runs := alive(local)):
        assert time.monotonic() < deadline
        both += len(runs) == 2
        engines.append(engine(target))
    (new,) = alive(local)
    engines.append(engine(target))
    assert both, "the old job ended before the new one was there"
    assert new != old
    assert engines == ["spark"] * len(engines)


@pytest.mark.timeout(SECONDS + 60)
def test_without_a_job_applications_are_scored_at_once(target: Target, local: LocalPlatform) -> None:
    """ScoringEngine `lambda` ends the job, and nobody waits for it; `spark` starts it again."""
    ensure, client = local.outputs["EnsureScoringJobFunction"], local.aws("lambda")
    before = change(local, ensure, SCORING_ENGINE="lambda")
    try:
        client.invoke(FunctionName=ensure, Payload=b"{}")
        assert alive(local) == {}
        time.sleep(BELIEVED_SECONDS)
        before_them = waited(local)
        assert [engine(target) for _ in range(3)] == ["python"] * 3
        assert waited(local) == before_them, "requests waited for a job that was not ready"
    finally:
        change(local, ensure, **before)
    deadline = time.monotonic() + SECONDS
    # The same token within a minute gives the run that has just been cancelled.
    while (run := spark.ensure(client, ensure)) not in alive(local):
        assert time.monotonic() < deadline
        time.sleep(1)
    warm(local, run)
    assert engine(target) == "spark"
