"""Contract of ``mends/schedules``."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

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


def test_rate_rule_fires(mended: Cloud, name: str) -> None:
    """A scheduled rule of EventBridge (SAM's Schedule event) starts its target; its shortest rate is a minute."""
    machine = writer(mended, name)
    events = mended.client("events")
    events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": machine, "RoleArn": ROLE, "Input": '{"key": "tick"}'}])
    started_at = time.monotonic()
    assert eventually(lambda: written(mended, name), 75)
    assert time.monotonic() - started_at < 70
