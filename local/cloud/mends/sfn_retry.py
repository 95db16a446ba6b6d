"""Retry and Catch: MaxDelaySeconds, jitter, and the reserved error names.

Upstream ignores ``MaxDelaySeconds`` and ``JitterStrategy``, does not match ``States.HeartbeatTimeout`` by
``States.Timeout``, and lets ``States.ALL`` and ``States.TaskFailed`` catch ``States.Runtime``, which AWS never retries
nor catches, so that mistakes in a definition stay hidden.

We compute the delay as AWS does (FULL jitter: uniform between 0 and the delay) and match names by the Amazon States
Language.
"""

from __future__ import annotations

import random
from typing import Any

from cloud.config import Config
from cloud.upstream import stepfunctions as sf

_UNCATCHABLE = ("States.Runtime", "States.DataLimitExceeded")


def apply(_config: Config) -> None:
    """Replace the matching of names; wrap the choice of a retrier."""
    upstream = sf._find_matching_retrier

    def find(retriers: list[dict[str, Any]], error: str, counts: dict[int, int]) -> tuple[dict[str, Any] | None, int]:
        retrier, index = upstream(retriers, error, counts)
        if retrier is None:
            return None, -1
        return {**retrier, "IntervalSeconds": _delay(retrier, counts.get(index, 0)), "BackoffRate": 1.0}, index

    sf._find_matching_retrier = find
    sf._error_matches = _matches


def _delay(retrier: dict[str, Any], retries: int) -> float:
    delay = float(retrier.get("IntervalSeconds", 1)) * float(retrier.get("BackoffRate", 2.0)) ** retries
    delay = min(delay, float(retrier.get("MaxDelaySeconds", delay)))
    return random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay


def _matches(names: list[str], error: str) -> bool:
    if error in names:
        return True
    if error in _UNCATCHABLE:
        return False
    if error == "States.HeartbeatTimeout" and "States.Timeout" in names:
        return True
    return "States.ALL" in names or ("States.TaskFailed" in names and error != "States.Timeout")
