"""EventBridge Scheduler, which upstream stores but never fires: ``rate(…)`` schedules whose target is a function."""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from localstack_host.config import Config

logger = logging.getLogger("localstack_host.schedules")
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_LOOK_SECONDS = 2.0


def interval(expression: str) -> int | None:
    """Seconds between two runs of a ``rate(…)``, None for another kind of expression."""
    found = _RATE.fullmatch(expression)
    return int(found[1]) * _SECONDS[found[2]] if found else None


class Clockwork:
    """Fires what is due; the first time one interval after the schedule was first seen."""

    def __init__(self, schedules: Any, functions: Any) -> None:
        self._schedules, self._functions = schedules, functions
        self._due: dict[str, float] = {}

    def tick(self, now: float) -> list[str]:
        """Fire what is due at ``now`` (seconds of any steady clock); the ARNs of what was fired."""
        fired = []
        listed = [one for page in self._pages() for one in page["Schedules"]]
        self._due = {one["Arn"]: self._due[one["Arn"]] for one in listed if one["Arn"] in self._due}
        for one in listed:
            schedule = self._schedules.get_schedule(Name=one["Name"], GroupName=one["GroupName"])
            seconds = interval(schedule["ScheduleExpression"])
            if seconds is None or schedule.get("State") == "DISABLED":
                continue
            if now >= self._due.setdefault(one["Arn"], now + seconds):
                self._due[one["Arn"]] = now + seconds
                self._fire(schedule["Target"])
                fired.append(one["Arn"])
        return fired

    def _pages(self) -> Any:
        return self._schedules.get_paginator("list_schedules").paginate()

    def _fire(self, target: dict[str, Any]) -> None:
        if ":lambda:" not in target["Arn"]:
            logger.warning("only functions are called by schedules here, not %s", target["Arn"])
            return
        payload = (target.get("Input") or "{}").encode()
        self._functions.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=payload)


def _run(config: Config) -> None:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-west-1"}
    endpoint = f"http://127.0.0.1:{config.port}"
    schedules: Any = boto3.client("scheduler", endpoint_url=endpoint, **keys)  # type: ignore[call-overload]
    functions: Any = boto3.client("lambda", endpoint_url=endpoint, **keys)  # type: ignore[call-overload]
    clockwork = Clockwork(schedules, functions)
    while True:
        time.sleep(_LOOK_SECONDS)
        try:
            clockwork.tick(time.monotonic())
        except (BotoCoreError, ClientError) as problem:  # LocalStack starts or stops, or a function was just deleted
            logger.info("schedules were not looked at: %s", problem)


def apply(config: Config) -> None:
    """Start the clock."""
    threading.Thread(target=_run, args=(config,), name="schedules", daemon=True).start()
