"""Schedules on LocalStack: what is due is fired once per interval."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localstack_host.substitutions.schedules import Clockwork, interval

FUNCTION = "arn:aws:lambda:eu-west-1:000000000000:function:sweep"


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200), ("rate(1 day)", 86400),
     ("cron(0 1 * * ? *)", None), ("at(2026-01-01T00:00:00)", None), ("rate(x minutes)", None)],
)  # fmt: skip
def test_interval(expression: str, seconds: int | None) -> None:
    assert interval(expression) == seconds


class Scheduler:
    """EventBridge Scheduler's calls that the clock makes."""

    def __init__(self, *schedules: dict[str, Any]) -> None:
        self.schedules = {one["Name"]: {"GroupName": "default", **one} for one in schedules}

    def get_paginator(self, operation: str) -> Scheduler:
        assert operation == "list_schedules"
        return self

    def paginate(self) -> Iterator[dict[str, Any]]:
        for one in self.schedules.values():
            yield {"Schedules": [{"Arn": one["Name"], "Name": one["Name"], "GroupName": one["GroupName"]}]}

    def get_schedule(self, *, Name: str, GroupName: str) -> dict[str, Any]:
        assert self.schedules[Name]["GroupName"] == GroupName
        return self.schedules[Name]


class Functions(list[tuple[str, bytes]]):
    """Lambda's invoke."""

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> None:
        assert InvocationType == "Event"
        self.append((FunctionName, Payload))


def schedule(name: str, **changes: Any) -> dict[str, Any]:
    target = {"Arn": FUNCTION, "Input": '{"by":"clock"}'}
    return {"Name": name, "ScheduleExpression": "rate(1 minute)", "State": "ENABLED", "Target": target, **changes}


def test_fires_once_per_interval() -> None:
    functions = Functions()
    clock = Clockwork(Scheduler(schedule("sweep")), functions)
    fired = [clock.tick(now) for now in (0.0, 59.0, 60.0, 61.0, 119.0, 120.0, 500.0, 501.0)]
    assert fired == [[], [], ["sweep"], [], [], ["sweep"], ["sweep"], []]
    assert functions == [(FUNCTION, b'{"by":"clock"}')] * 3


def test_leaves_out_what_it_cannot_or_must_not_fire() -> None:
    functions = Functions()
    queue = {"Arn": "arn:aws:sqs:eu-west-1:000000000000:queue"}
    scheduler = Scheduler(
        schedule("off", State="DISABLED"), schedule("cron", ScheduleExpression="cron(0 1 * * ? *)"),
        schedule("queue", Target=queue),
    )  # fmt: skip
    clock = Clockwork(scheduler, functions)
    clock.tick(0.0)
    clock.tick(90.0)
    assert functions == []


def test_a_schedule_made_anew_waits_its_interval() -> None:
    functions, scheduler = Functions(), Scheduler(schedule("sweep"))
    clock = Clockwork(scheduler, functions)
    clock.tick(0.0)
    kept = scheduler.schedules.pop("sweep")
    clock.tick(10.0)
    scheduler.schedules["sweep"] = kept
    assert clock.tick(65.0) == []
    assert clock.tick(125.0) == ["sweep"]
