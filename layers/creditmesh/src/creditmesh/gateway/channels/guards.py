"""Rate limit and circuit breaker of a channel."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from creditmesh.gateway.channels.document import Channel
from creditmesh.kernel.clock import Clock
from creditmesh.platform.tables import ConditionFailed, Item, Tables, Update

_RATE_KEPT_SECONDS = 120
LOOK_SECONDS = 5
"""A process reads a breaker without failures at most this often. If the source fails meanwhile, that costs one call."""


class BreakerState(StrEnum):
    """State of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    """The pause is over: one call tests whether the source is back."""


@dataclass(frozen=True)
class Breaker:
    """State of a channel's breaker."""

    state: BreakerState
    failures: int = 0
    """Consecutive failures."""
    opened_at: int | None = None
    """Seconds since the epoch."""


class Guards:
    """Rate limits and breakers, shared by all functions through DynamoDB.

    Powertools' breaker counts per process only; ours counts across functions.
    """

    def __init__(self, tables: Tables, table: str, clock: Clock, sleep: Callable[[float], None] = time.sleep) -> None:
        self._tables, self._table, self._clock, self._sleep = tables, table, clock, sleep
        self._failures: dict[str, int] = {}  # by channel, as last read
        self._faultless: dict[str, float] = {}  # by channel, when last read without failures

    def breaker(self, channel: Channel) -> Breaker:
        item = self._tables.get(self._table, _breaker_key(channel)) or {}
        return self._read(channel, item)

    def look(self, channels: Sequence[Channel]) -> None:
        """Read several breakers in one call, so that `may_call` need not read those without failures."""
        asked = [channel for channel in channels if not self._seen_faultless(channel)]
        items = self._tables.batch_get(self._table, [_breaker_key(one) for one in asked])
        failing = {item["channel_id"]: item.get("failures", 0) for item in items}
        for one in asked:
            self._saw(one, failing.get(one.channel_id, 0))

    def may_call(self, channel: Channel) -> bool:
        """Whether the breaker admits a call; after the pause only one of many callers is admitted."""
        if self._seen_faultless(channel):
            return True
        key = _breaker_key(channel)
        item = self._tables.get(self._table, key) or {}
        breaker = self._read(channel, item)
        self._saw(channel, breaker.failures)
        if breaker.state is not BreakerState.HALF_OPEN:
            return breaker.state is BreakerState.CLOSED
        now, probe = self._now(), item.get("probe_until", 0)
        if probe > now:
            return False
        # As long as the call may take, including its wait for the rate limit.
        until = now + int(2 * channel.limits.total_seconds) + 1
        expected = {"where": {"probe_until": probe}} if probe else {"absent": ("probe_until",)}
        try:
            self._tables.write(Update(self._table, key, set={"probe_until": until}, **expected))
        except ConditionFailed:
            return False
        return True

    def succeeded(self, channel: Channel) -> None:
        """Record that the source answered, which resets its failures.

        Skipped if the last read found none: a call that began before another's failure says nothing about later ones.
        """
        if self._failures.get(channel.channel_id) == 0:
            return
        key = _breaker_key(channel)
        item = self._tables.get(self._table, key)
        if item and item.get("failures"):
            self._tables.write(Update(self._table, key, set={"failures": 0}, remove=("opened_at", "probe_until")))

    def failed(self, channel: Channel) -> None:
        """Record that the source gave no usable answer."""
        key = _breaker_key(channel)
        failures = self._tables.update(Update(self._table, key, add={"failures": 1}, creates=True))["failures"]
        self._saw(channel, failures)
        if failures >= channel.breaker.failures:
            self._tables.write(Update(self._table, key, set={"opened_at": self._now()}, remove=("probe_until",)))

    def admit(self, channel: Channel, longest_wait: float) -> bool:
        """Wait for a slot of the channel's rate limit; False if none was free in time."""
        limit, waited = channel.limits.calls_per_second, 0.0
        while limit is not None:
            at = self._clock.now().timestamp()
            second = int(at)
            key = {"channel_id": channel.channel_id, "slot": f"rate#{second}"}
            kept = {"expires_at": second + _RATE_KEPT_SECONDS}
            counted = self._tables.update(Update(self._table, key, kept, add={"calls": 1}, creates=True))
            if counted["calls"] <= limit:
                return True
            pause = second + 1 - at
            waited += pause
            if waited > longest_wait:
                return False
            self._sleep(pause)
        return True

    def _seen_faultless(self, channel: Channel) -> bool:
        return self._clock.now().timestamp() - self._faultless.get(channel.channel_id, 0) < LOOK_SECONDS

    def _saw(self, channel: Channel, failures: int) -> None:
        self._failures[channel.channel_id] = failures
        self._faultless[channel.channel_id] = 0 if failures else self._clock.now().timestamp()

    def _read(self, channel: Channel, item: Item) -> Breaker:
        failures, opened_at = item.get("failures", 0), item.get("opened_at")
        if opened_at is None:
            return Breaker(BreakerState.CLOSED, failures)
        over = self._now() >= opened_at + channel.breaker.open_seconds
        return Breaker(BreakerState.HALF_OPEN if over else BreakerState.OPEN, failures, opened_at)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _breaker_key(channel: Channel) -> dict[str, str]:
    return {"channel_id": channel.channel_id, "slot": "breaker"}
