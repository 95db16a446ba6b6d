"""Killing processes and executions in the middle of many applications loses none and pays none twice (C24)."""

from __future__ import annotations

import contextlib

import psutil
import pytest

from run import many
from run.crowds import crowd, discrepancies, paid
from run.platform import LocalPlatform
from tests.support.processes import below

SECONDS = 400.0


def kill_function_workers(platform: LocalPlatform) -> list[int]:
    """Half of the functions' processes."""
    workers = below(platform.supervisor.pid("cloud"), "zygote")
    return _killed(sorted(workers, key=lambda one: one.pid)[len(workers) // 2 :])  # the oldest is what they fork from


def kill_spark(platform: LocalPlatform) -> list[int]:
    """The resident job's Java."""
    return _killed(below(platform.supervisor.pid("cloud"), "org.apache.spark.deploy.SparkSubmit"))


def kill_lender(platform: LocalPlatform) -> list[int]:
    """A lender in the middle of its work."""
    return _killed([psutil.Process(platform.supervisor.pid("northgate-bank"))])


def kill_tax_bureau(platform: LocalPlatform) -> list[int]:
    """The source of the data."""
    return _killed([psutil.Process(platform.supervisor.pid("tax-bureau"))])


def stop_executions(platform: LocalPlatform) -> list[str]:
    """The applications' state machines, as many as run at this moment."""
    states = platform.aws("stepfunctions")
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=platform.outputs["OriginationArn"], statusFilter="RUNNING"
    )
    stopped = []
    for execution in [one["executionArn"] for page in pages for one in page["executions"]]:
        with contextlib.suppress(states.exceptions.ValidationException):  # it has just ended
            states.stop_execution(executionArn=execution)
            stopped.append(execution)
    assert stopped, "there is nothing to stop"
    return stopped


def _killed(processes: list[psutil.Process]) -> list[int]:
    assert processes, "there is nothing to kill"
    for process in processes:
        process.kill()
    return [process.pid for process in processes]


KILLS = (kill_function_workers, kill_spark, kill_lender, kill_tax_bureau, stop_executions)
"""The crowd loses these, one after the other."""
FIRST, NEXT = 0.6, 0.4
"""A crowd does about three things for each application; so many of each are done before the first one, and the next."""


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("applications", [20, pytest.param(100, marks=pytest.mark.thorough)])
def test_nothing_is_lost_or_paid_twice(local: LocalPlatform, applications: int) -> None:
    """All applications end, and each one disbursed stands once in the lenders' books."""
    firms = many.cases(applications)
    waiting = list(KILLS)

    def in_the_middle(done: int) -> None:
        if waiting and done >= applications * (FIRST + NEXT * (len(KILLS) - len(waiting))):
            waiting.pop(0)(local)

    outcome = crowd(local, firms, SECONDS, in_the_middle, retry_tasks=True)
    assert waiting == [], "not all were killed"
    assert outcome.open == {}
    assert len(outcome.ended) == applications
    assert discrepancies(outcome, paid(local)) == []
    assert sum(view.outcome == "disbursed" for view in outcome.ended.values()) > applications // 2
