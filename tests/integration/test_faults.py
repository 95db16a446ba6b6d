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


#: Each crowd loses these, one after the other: all that the platform rests on, and the platform itself.
KILLS = {
    "what the platform rests on": [kill_function_workers, kill_spark, kill_lender, kill_tax_bureau],
    "the cloud": [kill_cloud],
}
#: A crowd does about three things for each application; from here on one is killed after so many more.
FIRST, NEXT = 60, 40


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("kills", KILLS.values(), ids=KILLS)
def test_nothing_is_lost_or_paid_twice(local: LocalPlatform, kills: list[Callable[[LocalPlatform], list[int]]]) -> None:
    """All applications end, and each one disbursed stands once in the lenders' books."""
    firms = many.cases(APPLICATIONS, skip=0)
    waiting, killed = list(kills), list[int]()

    def in_the_middle(done: int) -> None:
        if waiting and done >= FIRST + NEXT * (len(kills) - len(waiting)):
            killed.extend(waiting.pop(0)(local))

    outcome = crowd(local, firms, SECONDS, in_the_middle, retry_tasks=True)
    assert waiting == [], "not all were killed"
    assert len(killed) >= len(kills)
    assert outcome.open == {}
    assert len(outcome.ended) == APPLICATIONS
    assert discrepancies(outcome, paid(local)) == []
    assert sum(view.outcome == "disbursed" for view in outcome.ended.values()) > APPLICATIONS // 2
