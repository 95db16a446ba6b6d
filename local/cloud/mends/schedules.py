"""EventBridge Scheduler and scheduled rules: on time, in their time zone, with universal targets.

Upstream checks every ten seconds, reads cron and at expressions as UTC whatever ScheduleExpressionTimezone says,
forgets the last firing at a restart, and lacks universal targets (``arn:aws:scheduler:::aws-sdk:service:action``).

We check every second, respect the time zone, store the last firing with the schedule, and run universal targets by Step
Functions' AWS SDK integrations. CREDITMESH_MINUTE_SECONDS speeds up rates, whose minimum is a minute, so that sweeps
can be seen without waiting.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from cloud.config import Config
from cloud.upstream import app, eventbridge, responses, scheduler
from cloud.upstream import stepfunctions as sf

_TICK_SECONDS = 1
_UNIVERSAL = "arn:aws:scheduler:::aws-sdk:"


def apply(config: Config) -> None:
    """Replace the check of schedules; add universal targets; set the pace of rates."""
    _set_pace(config.minute_seconds)
    scheduler._SCHEDULE_TICK_INTERVAL = _TICK_SECONDS
    eventbridge._SCHEDULER_TICK_INTERVAL = _TICK_SECONDS
    scheduler._tick_schedules = tick
    upstream_target = eventbridge._invoke_target

    def target(wanted: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        arn = wanted.get("Arn", "")
        if not arn.startswith(_UNIVERSAL):
            return upstream_target(wanted, *arguments, **named)
        resource = f"arn:aws:states:::aws-sdk:{arn.removeprefix(_UNIVERSAL)}"
        return sf._invoke_resource(resource, json.loads(wanted.get("Input") or "{}"))

    eventbridge._invoke_target = target


def _set_pace(minute_seconds: float) -> None:
    upstream = eventbridge._parse_rate_seconds

    def rate(expression: str) -> float | None:
        seconds = upstream(expression)
        return None if seconds is None else seconds * minute_seconds / 60

    eventbridge._parse_rate_seconds = rate


def tick() -> None:
    """Fire what is due."""
    now = time.time()
    for key, schedule in scheduler._schedules.all_items():
        if schedule.get("State") != "ENABLED":
            continue
        end = scheduler._to_epoch(schedule.get("EndDate"))
        due = next_firing(schedule)
        if end is not None and (now > end or (due is not None and due > end)):
            _complete(key, schedule)
        elif due is not None and due <= now:
            schedule["LastFired"] = now
            account, region, _ = key
            threading.Thread(target=_fire, args=(account, region, dict(schedule)), daemon=True).start()
            if schedule["ScheduleExpression"].startswith("at("):
                _complete(key, schedule)


def next_firing(schedule: dict[str, Any]) -> float | None:
    """Epoch second of the schedule's next firing; None if there is none."""
    expression, zone = schedule.get("ScheduleExpression", ""), _zone(schedule)
    last = schedule.get("LastFired")
    start = scheduler._to_epoch(schedule.get("StartDate")) or 0.0
    since = float(last if last is not None else max(float(schedule.get("CreationDate", 0.0)), start))
    if expression.startswith("at("):
        return None if last is not None else max(_moment(expression[3:-1], zone), start)
    interval = eventbridge._parse_rate_seconds(expression)
    if interval is not None:
        return since + float(interval)
    fields = eventbridge._parse_cron_fields(expression)
    following = eventbridge._cron_next_fire(fields, datetime.fromtimestamp(since, tz=zone)) if fields else None
    return following.timestamp() if following else None


def _zone(schedule: dict[str, Any]) -> tzinfo:
    name = schedule.get("ScheduleExpressionTimezone")
    return ZoneInfo(name) if name else UTC


def _moment(text: str, zone: tzinfo) -> float:
    return datetime.fromisoformat(text.strip()).replace(tzinfo=zone).timestamp()


def _complete(key: Any, schedule: dict[str, Any]) -> None:
    if schedule.get("ActionAfterCompletion") == "DELETE":
        scheduler._schedules._data.pop(key, None)


def _fire(account: str, region: str, schedule: dict[str, Any]) -> None:
    responses.set_request_account_id(account)
    responses.set_request_region(region)
    event = {
        "EventId": responses.new_uuid(), "Source": "aws.scheduler", "DetailType": "Scheduled Event", "Detail": "{}",
        "Time": time.time(), "Resources": [schedule.get("Arn", "")], "Account": account, "Region": region,
    }  # fmt: skip
    try:
        eventbridge._invoke_target(schedule.get("Target") or {}, event, schedule)
    except Exception:  # the schedule continues; what the target lacks went to its dead-letter queue
        app.logger.exception("schedule %s", schedule.get("Name"))
