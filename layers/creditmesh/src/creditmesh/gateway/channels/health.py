"""Health of channels: calls, success, latency, cost, cache hits, counted per five minutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.gateway.channels.document import Channel, Outcome
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.money import Money, format_minor
from creditmesh.platform.observability import measure
from creditmesh.platform.tables import Item, Tables, Update

SLOT_SECONDS = 300
KEPT_DAYS = 35
BOUNDS_MS = (5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 3000, 5000, 10_000, 30_000)
"""Upper bounds of the latency buckets; a quantile is its bucket's upper bound."""
_ALL = "*"
"""The partition of all channels' counters; no channel has this id."""
_AT_ONCE = 200
"""Counters per update; DynamoDB allows 300 operators."""
GOOD = (Outcome.COMPLETE, Outcome.FILLED, Outcome.NO_DATA)


class ChannelHealth(BaseModel):
    """Health of one channel over a period."""

    model_config = ConfigDict(frozen=True)

    channel_id: str
    since: str
    calls: int = Field(description="calls that went out, tries included")
    collections: int = Field(description="times the channel was asked for a firm's data, from the cache included")
    cache_hits: int
    outcomes: dict[str, int]
    success_bps: int | None = Field(description="of the answers not from the cache; null without any")
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    cost: str
    currency: str
    breaker: str


class HealthBook:
    """Counters in DynamoDB: one item per five minutes for all channels, one update per collection."""

    def __init__(self, tables: Tables, table: str, clock: Clock) -> None:
        self._tables, self._table, self._clock = tables, table, clock
        self._gathering, self._gathered, self._lock = 0, Counter[str](), Lock()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Collect the counts of all threads inside the block and write them once at its end."""
        with self._lock:
            self._gathering += 1
        try:
            yield
        finally:
            with self._lock:
                self._gathering -= 1
                gathered, self._gathered = self._gathered, Counter()
            self._write(gathered)

    def note(
        self, channel: Channel, outcome: Outcome, *, cached: bool = False, late: bool = False, calls: int = 0,
        charged: int = 0, millis: int = 0,
    ) -> None:  # fmt: skip
        """Count one collection, or the result of a pending one.

        Args:
            late: the answer came after the collection was counted.
            calls: calls that were sent.
            charged: calls that cost something.
            millis: their total duration.
        """
        amounts = {f"outcome_{outcome.value}": 1}
        if not late:
            amounts["collections"] = 1
        if cached:
            amounts["cache_hits"] = 1
        elif outcome is not Outcome.PENDING:
            amounts |= {"ended": 1, "good": int(outcome in GOOD)}
        if calls:
            amounts |= {"calls": calls, f"le_{_bucket(millis)}": 1}
        if charged and channel.cost:
            amounts["cost_minor"] = charged * Money.parse(channel.cost.amount, channel.cost.currency).minor
        self._add({f"{channel.channel_id}.{name}": amount for name, amount in amounts.items()})
        counts = {"channel_collections": int(not late), "channel_calls": calls, "channel_cache_hits": int(cached)}
        measure(
            {"channel": channel.channel_id, "outcome": outcome.value}, counts,
            {"channel_latency": millis} if calls else {},
        )  # fmt: skip

    def read(self, breakers: Sequence[tuple[Channel, str]], minutes: int) -> list[ChannelHealth]:
        """Sum the last `minutes`, rounded to whole slots, for channels with their breakers' states."""
        since = self._clock.now() - timedelta(minutes=minutes)
        total = Counter[str]()
        found = self._tables.query(
            self._table, "channel_id", _ALL, newest_first=True,
            until=("slot", self._slot(self._clock.now())), limit=minutes * 60 // SLOT_SECONDS + 2,
        )  # fmt: skip
        for item in found:
            if item["slot"] >= self._slot(since):
                total.update({name: value for name, value in item.items() if "." in name})
        return [
            _summed(one, _of(one.channel_id, total), breaker, iso(since)) for one, breaker in breakers
        ]  # fmt: skip

    def _add(self, amounts: Mapping[str, int]) -> None:
        with self._lock:
            if self._gathering:
                self._gathered.update(amounts)
                return
        self._write(amounts)

    def _write(self, amounts: Mapping[str, int]) -> None:
        now, counters = self._clock.now(), list(amounts.items())
        key = {"channel_id": _ALL, "slot": self._slot(now)}
        kept = {"expires_at": int((now + timedelta(days=KEPT_DAYS)).timestamp())}
        for start in range(0, len(counters), _AT_ONCE):
            some = dict(counters[start : start + _AT_ONCE])
            self._tables.write(Update(self._table, key, kept, add=some, creates=True))

    @staticmethod
    def _slot(at: datetime) -> str:
        seconds = int(at.timestamp()) // SLOT_SECONDS * SLOT_SECONDS
        return f"health#{seconds:012d}"


def _of(channel_id: str, total: Mapping[str, int]) -> Item:
    """The counters of one channel."""
    prefix = f"{channel_id}."
    return {name.removeprefix(prefix): value for name, value in total.items() if name.startswith(prefix)}


def _bucket(millis: int) -> int:
    return next((bound for bound in BOUNDS_MS if millis <= bound), BOUNDS_MS[-1])


def _summed(channel: Channel, total: Item, breaker: str, since: str) -> ChannelHealth:
    outcomes = {one.value: total[f"outcome_{one}"] for one in Outcome if total.get(f"outcome_{one}")}
    ended = total.get("ended", 0)
    return ChannelHealth(
        channel_id=channel.channel_id,
        since=since,
        calls=total.get("calls", 0),
        collections=total.get("collections", 0),
        cache_hits=total.get("cache_hits", 0),
        outcomes=outcomes,
        success_bps=total.get("good", 0) * 10_000 // ended if ended else None,
        latency_p50_ms=_quantile(total, 50),
        latency_p95_ms=_quantile(total, 95),
        cost=format_minor(total.get("cost_minor", 0)),
        currency=channel.cost.currency if channel.cost else "CNY",
        breaker=breaker,
    )


def _quantile(total: Item, percent: int) -> int | None:
    """The upper bound of the bucket in which the quantile lies."""
    counts = [(bound, total.get(f"le_{bound}", 0)) for bound in BOUNDS_MS]
    wanted, seen = sum(count for _, count in counts) * percent, 0
    for bound, count in counts:
        seen += count * 100
        if count and seen >= wanted:
            return bound
    return None
