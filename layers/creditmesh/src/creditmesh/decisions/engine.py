"""Which engine scores: the resident Spark job, or the plain evaluator in Lambda (the parameter ScoringEngine).

Under `spark` and `auto` requests go to Spark while a job says that it is ready; before that and after it they are
scored in Lambda at once, by the same artefact. Under `spark` a job is always kept; under `auto` while demand is high.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum

from creditmesh.decisions.serving.heartbeat import KEY, job_times, ready_jobs
from creditmesh.kernel.clock import Clock
from creditmesh.platform.tables import ConditionFailed, Item, Tables, Update

WINDOW_SECONDS = 300
"""Requests are counted in windows of five minutes."""
LOW_WINDOWS = 6
"""A job is stopped after so many windows of low demand: starting one takes minutes."""
_LOW_PART = 5
"""Low demand is less than this part of the demand that starts a job."""
BELIEVED_SECONDS = 10.0
"""For so long a process believes that a job is ready."""
_WINDOW = "requests-"
_FORGOTTEN_SECONDS = 86_400


class Engine(StrEnum):
    """The values of the parameter ScoringEngine."""

    AUTO = "auto"
    SPARK = "spark"
    LAMBDA = "lambda"


def job_wanted(engine: Engine, counts: Sequence[int], threshold: int, *, runs: bool) -> bool:
    """Whether a resident job is to run.

    Args:
        counts: requests in the present window and in those before it, newest first.
        threshold: requests in one window that start a job.
        runs: whether one runs now, be it ready or on its way.
    """
    if engine is not Engine.AUTO:
        return engine is Engine.SPARK
    if not runs:
        return max(counts[:2], default=0) >= threshold
    return max(counts[: LOW_WINDOWS + 1], default=0) >= max(1, threshold // _LOW_PART)


class ResidentJobs:
    """The item in which the jobs say that they are ready (`decisions.serving.heartbeat`) and requests are counted."""

    def __init__(self, tables: Tables, table: str, clock: Clock) -> None:
        self._tables, self._table, self._clock = tables, table, clock

    def read(self) -> Item:
        """The item as it is."""
        return self._tables.get(self._table, {"request_id": KEY}) or {}

    def ready(self, item: Item) -> set[str]:
        """The names of the jobs that are ready."""
        return ready_jobs(item, self._clock.now().timestamp())

    def count(self) -> Item:
        """Count one request; the item as it is then."""
        now = int(self._clock.now().timestamp())
        attribute, forgotten = f"{_WINDOW}{now // WINDOW_SECONDS}", now + _FORGOTTEN_SECONDS
        counted = Update(self._table, {"request_id": KEY}, {"expires_at": forgotten}, add={attribute: 1}, creates=True)
        return self._tables.update(counted)

    def counts(self, item: Item) -> list[int]:
        """Requests in the present window and in those before it, newest first."""
        return [int(item.get(f"{_WINDOW}{window}", 0)) for window in self._windows()]

    def forget(self, item: Item, keep: str) -> None:
        """Remove what the item says of past windows and of jobs that ended, except the job `keep`."""
        now, windows = self._clock.now().timestamp(), {f"{_WINDOW}{window}" for window in self._windows()}
        past = {name: item[name] for name in item if name.startswith(_WINDOW) and name not in windows}
        past |= {name: until for name, until in job_times(item).items() if until <= now and name != keep}
        if past:
            try:
                self._tables.write(Update(self._table, {"request_id": KEY}, remove=tuple(past), where=past))
            except ConditionFailed:
                return  # a job spoke up, or another run of this has been here

    def withdraw(self, item: Item, names: Collection[str]) -> None:
        """Remove what the item says of jobs that are being ended: no request is to wait for them."""
        if ended := tuple(name for name in names if name in item):
            self._tables.write(Update(self._table, {"request_id": KEY}, remove=ended))

    def _windows(self) -> list[int]:
        present = int(self._clock.now().timestamp()) // WINDOW_SECONDS
        return [present - number for number in range(LOW_WINDOWS + 1)]


class Choice:
    """Chooses for each request."""

    def __init__(self, engine: Engine, jobs: ResidentJobs, clock: Clock) -> None:
        self._engine, self._jobs, self._clock = engine, jobs, clock
        self._seen = float("-inf")

    def on_spark(self) -> bool:
        """Whether Spark is to score the next request; that a job is ready is believed for some seconds."""
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
