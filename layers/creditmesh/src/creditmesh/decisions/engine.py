"""Chooses the engine: the resident Spark job, or the plain evaluator in Lambda (parameter ScoringEngine).

Under `spark` and `auto` requests go to Spark while a job is ready; otherwise they are scored in Lambda at once, by the
same artefact. Under `spark` a job always runs; under `auto` while demand is high.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum

from creditmesh.decisions.serving.heartbeat import KEY, job_times, ready_jobs
from creditmesh.kernel.clock import Clock
from creditmesh.platform.tables import ConditionFailed, Item, Tables, Update

WINDOW_SECONDS = 300
"""Length of a counting window."""
LOW_WINDOWS = 6
"""Windows of low demand after which a job is stopped, since starting one takes minutes."""
_LOW_PART = 5
"""Demand is low below this part of the threshold."""
BELIEVED_SECONDS = 10.0
"""How long a process caches that a job is ready."""
_WINDOW = "requests-"
_FORGOTTEN_SECONDS = 86_400


class Engine(StrEnum):
    """The values of the parameter ScoringEngine."""

    AUTO = "auto"
    SPARK = "spark"
    LAMBDA = "lambda"


def job_wanted(engine: Engine, counts: Sequence[int], threshold: int, *, runs: bool) -> bool:
    """Whether a resident job should run.

    Args:
        counts: requests in the current and earlier windows, newest first.
        threshold: requests in one window that start a job.
        runs: whether one runs now, ready or starting.
    """
    if engine is not Engine.AUTO:
        return engine is Engine.SPARK
    if not runs:
        return max(counts[:2], default=0) >= threshold
    return max(counts[: LOW_WINDOWS + 1], default=0) >= max(1, threshold // _LOW_PART)


class ResidentJobs:
    """The item in which jobs report that they are ready (`decisions.serving.heartbeat`) and requests are counted."""

    def __init__(self, tables: Tables, table: str, clock: Clock) -> None:
        self._tables, self._table, self._clock = tables, table, clock

    def read(self) -> Item:
        return self._tables.get(self._table, {"request_id": KEY}) or {}

    def ready(self, item: Item) -> set[str]:
        return ready_jobs(item, self._clock.now().timestamp())

    def count(self) -> Item:
        """Count one request; returns the updated item."""
        now = int(self._clock.now().timestamp())
        attribute, forgotten = f"{_WINDOW}{now // WINDOW_SECONDS}", now + _FORGOTTEN_SECONDS
        counted = Update(self._table, {"request_id": KEY}, {"expires_at": forgotten}, add={attribute: 1}, creates=True)
        return self._tables.update(counted)

    def counts(self, item: Item) -> list[int]:
        """Requests in the current and earlier windows, newest first."""
        return [int(item.get(f"{_WINDOW}{window}", 0)) for window in self._windows()]

    def forget(self, item: Item, keep: str) -> None:
        """Remove past windows and ended jobs from the item, except the job `keep`."""
        now, windows = self._clock.now().timestamp(), {f"{_WINDOW}{window}" for window in self._windows()}
        past = {name: item[name] for name in item if name.startswith(_WINDOW) and name not in windows}
        past |= {name: until for name, until in job_times(item).items() if until <= now and name != keep}
        if past:
            try:
                self._tables.write(Update(self._table, {"request_id": KEY}, remove=tuple(past), where=past))
            except ConditionFailed:
                return  # a heartbeat or a concurrent run changed the item

    def withdraw(self, item: Item, names: Collection[str]) -> None:
        """Remove jobs that are being ended, so that no request waits for them."""
        if ended := tuple(name for name in names if name in item):
            self._tables.write(Update(self._table, {"request_id": KEY}, remove=ended))

    def _windows(self) -> list[int]:
        present = int(self._clock.now().timestamp()) // WINDOW_SECONDS
        return [present - number for number in range(LOW_WINDOWS + 1)]


class Choice:
    """Chooses the engine of each request."""

    def __init__(self, engine: Engine, jobs: ResidentJobs, clock: Clock) -> None:
        self._engine, self._jobs, self._clock = engine, jobs, clock
        self._seen = float("-inf")

    def on_spark(self) -> bool:
        """Whether Spark should score the next request; readiness is cached for some seconds."""
        if self._engine is Engine.LAMBDA:
            return False
        if self._engine is Engine.AUTO:
            return bool(self._jobs.ready(self._jobs.count()))
        now = self._clock.now().timestamp()
        if 0 <= now - self._seen < BELIEVED_SECONDS:
            return True
        if not self._jobs.ready(self._jobs.read()):
            return False
        self._seen = now
        return True
