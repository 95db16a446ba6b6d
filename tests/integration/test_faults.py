"""Killing any process in the middle of a hundred applications loses none and pays none twice (C24, DESIGN 5)."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest

from run import many
from run.crowds import crowd, discrepancies, paid
from run.platform import LocalPlatform
from tests.support.processes import below

APPLICATIONS = 100
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


def kill_cloud(platform: LocalPlatform) -> list[int]:
    """The embedded cloud itself: state machines, tables, functions."""
    return _killed([psutil.Process(platform.supervisor.pid("cloud"))])


def _killed(processes: list[psutil.Process]) -> list[int]:
    assert processes, "there is nothing to kill"
    for process in processes:
        process.kill()
    return [process.pid for process in processes]


KILLS = [kill_function_workers, kill_spark, kill_lender, kill_tax_bureau, kill_cloud]


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: kill.__name__[5:])
def test_nothing_is_lost_or_paid_twice(local: LocalPlatform, kill: Callable[[LocalPlatform], list[int]]) -> None:
    """All applications end, and each one disbursed stands once in the lenders' books."""
    firms = many.cases(APPLICATIONS, skip=0)
    killed: list[int] = []

    def in_the_middle(done: int) -> None:
        if not killed and done >= APPLICATIONS:  # of about three acts for each application
            killed.extend(kill(local))

    outcome = crowd(local, firms, SECONDS, in_the_middle, retry_tasks=True)
    assert killed, "nothing was killed"
    assert outcome.open == {}
    assert len(outcome.ended) == APPLICATIONS
    assert discrepancies(outcome, paid(local)) == []
    assert sum(view.outcome == "disbursed" for view in outcome.ended.values()) > APPLICATIONS // 2
