"""Executions of state machines on the running platform."""

from __future__ import annotations

import json
import time
from typing import Any


def output(states: Any, arn: str, seconds: float) -> dict[str, Any]:
    """What an execution says at its end, which must be a success within ``seconds``."""
    deadline = time.monotonic() + seconds
    while (ended := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline, f"{arn} did not end"
        time.sleep(0.3)
    assert ended["status"] == "SUCCEEDED", ended
    told: dict[str, Any] = json.loads(ended["output"])
    return told
