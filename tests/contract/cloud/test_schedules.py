"""Contract of ``mends/schedules``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cloud.config import Config

from .clouds import ROLE, Cloud, eventually


def soon(seconds: int, zone: str = "UTC") -> str:
    """An at expression a little ahead."""
    return f"at({(datetime.now(UTC) + timedelta(seconds=seconds)).astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M:%S})"


def schedule(cloud: Cloud, name: str, expression: str, target: str, given: object, **fields: str) -> None:
    """Create a schedule."""
    cloud.client("scheduler").create_schedule(
        Name=name, ScheduleExpression=expression, FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": target, "RoleArn": ROLE, "Input": json.dumps(given)}, **fields,
    )  # fmt: skip


def writer(cloud: Cloud, name: str) -> str:
    """A machine that writes its input's key into the table of its name; returns its ARN."""
    cloud.table(name)
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "End": True,
        "Arguments": {"TableName": name, "Item": {"pk": {"S": "{% $states.input.key %}"}}},
    }  # fmt: skip
    return cloud.machine(name, {"Write": task}, "Write")


def written(cloud: Cloud, name: str) -> set[str]:
    """The keys in the table."""
    return {item["pk"]["S"] for item in cloud.client("dynamodb").scan(TableName=name)["Items"]}


def test_at_fires_on_time_and_in_its_zone(cloud: Cloud, name: str) -> None:
    """Shanghai's clock is hours ahead: read as UTC the moment would be far away."""
    machine = writer(cloud, name)
    schedule(cloud, name, soon(2, "Asia/Shanghai"), machine, {"key": "x"}, ScheduleExpressionTimezone="Asia/Shanghai")
    cloud.verdict("schedules", bool(eventually(lambda: written(cloud, name), 6)))


def test_a_schedule_invokes_a_function(mended: Cloud, name: str) -> None:
    """Its input is the event; a completed schedule that is to be deleted is gone."""
    function = mended.function(name, "def handler(event, context):\n    print('heard ' + event['key'])\n")
    schedule(mended, name, soon(1), function, {"key": "value"}, ActionAfterCompletion="DELETE")
    assert eventually(lambda: any("heard value" in line for line in log_lines(mended, name)), 6)
    assert not mended.client("scheduler").list_schedules(NamePrefix=name)["Schedules"]


def log_lines(cloud: Cloud, name: str) -> list[str]:
    """What a function has logged so far."""
    logs = cloud.client("logs")
    try:
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [event["message"] for event in events]


def test_universal_target(cloud: Cloud, name: str) -> None:
    """An AWS SDK call as target."""
    table = cloud.table(name)
    target = "arn:aws:scheduler:::aws-sdk:dynamodb:putItem"
    schedule(cloud, name, soon(1), target, {"TableName": table, "Item": {"pk": {"S": "direct"}}})
    cloud.verdict("schedules", bool(eventually(lambda: written(cloud, name) == {"direct"}, 12 if cloud.mended else 6)))


@pytest.fixture
def hurried(tmp_path: Path) -> Iterator[Cloud]:
    """An emulator whose minutes last four seconds: the shortest rate is a minute."""
    cloud = Cloud(tmp_path, mended=True).start(CREDITMESH_MINUTE_SECONDS="4")
    yield cloud
    cloud.stop()


def test_rates_fire_again_and_again(hurried: Cloud) -> None:
    """A scheduled rule of EventBridge (SAM's Schedule event) and a schedule, not before their time."""
    states = hurried.client("stepfunctions")
    rule, timed = writer(hurried, "rule"), writer(hurried, "timed")
    begun = time.monotonic()
    events = hurried.client("events")
    events.put_rule(Name="rule", ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": rule, "RoleArn": ROLE, "Input": '{"key": "tick"}'}])
    schedule(hurried, "timed", "rate(2 minutes)", timed, {"key": "tick"})

    def fired(machine: str) -> int:
        return len(states.list_executions(stateMachineArn=machine)["executions"])

    assert eventually(lambda: fired(rule) >= 2, 60)
    assert time.monotonic() - begun >= 6
    assert eventually(lambda: fired(timed), 60)
    assert time.monotonic() - begun >= 7
    assert written(hurried, "rule") == written(hurried, "timed") == {"tick"}


def test_a_minute_lasts_a_minute() -> None:
    """Where nobody asks for another pace."""
    assert Config.from_environment({}).minute_seconds == 60
