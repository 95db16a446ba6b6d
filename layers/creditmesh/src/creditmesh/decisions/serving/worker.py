"""The resident job's loop: find requests, claim them, score them as one batch, write the results."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from creditmesh.decisions.serving.queue import ScoringQueue, ScoringRequest
from creditmesh.risk.errors import FeatureInvalid
from creditmesh.risk.expression import FeatureValue
from creditmesh.risk.model import Artefact
from creditmesh.risk.result import RiskResult

MAX_ATTEMPTS = 5
_IDLE_FACTOR = 4
AWAKE_SECONDS = 300.0
"""How long after a request the queue is polled several times a second; afterwards every few seconds, which costs 17,280
queries on a day without requests."""
_MAX_PAUSE_SECONDS = 5.0
_WRITERS = 8

Errors = tuple[type[Exception], ...]
Log = Callable[[Mapping[str, Any]], None]


class Scorer(Protocol):
    """Scores a batch: the resident Spark session."""

    def score_batch(self, batch: Sequence[Mapping[str, FeatureValue]], on: date) -> list[RiskResult]:
        """Return the results in the batch's order, by the rules of that day."""
        ...


class Models(Protocol):
    """Prepares a new champion beside the current one (`decisions.serving.reload`)."""

    def take(self) -> tuple[Scorer, Artefact] | None:
        """Return the new scorer, if there is one."""
        ...


class ShadowScoring(Protocol):
    """Scores again by a challenger (`decisions.serving.shadow`)."""

    def offer(self, answered: Sequence[tuple[ScoringRequest, RiskResult]]) -> None: ...

    def work(self, seconds: float) -> float:
        """Work for at most that long; return the seconds spent."""
        ...


@dataclass
class Served:
    """A model that the worker scores by; ``models`` is asked for a new champion between batches."""

    scorer: Scorer
    artefact: Artefact
    models: Models | None = None


@dataclass(frozen=True)
class WorkerErrors:
    """Exceptions by meaning, so that this module imports neither botocore nor py4j."""

    transient: Errors = ()
    scoring: Errors = ()


class Worker:
    """One worker of one queue."""

    def __init__(
        self,
        queue: ScoringQueue,
        served: Mapping[str, Served],
        *,
        max_batch: int,
        log: Log,
        errors: WorkerErrors,
        monotonic: Callable[[], float] = time.monotonic,
        shadow: ShadowScoring | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """Score at most ``max_batch`` requests at a time; ``log`` takes one flat record per event.

        ``served`` has the models by id; ``shadow`` works in the pauses; ``beat`` is called before each look at the
        queue and says that the worker is alive.
        """
        self._queue = queue
        self._served = served
        self._max_batch = max_batch
        self._log = log
        self._errors = errors
        self._monotonic = monotonic
        self._shadow = shadow
        self._beat = beat
        self._pool = ThreadPoolExecutor(_WRITERS, thread_name_prefix="scoring-queue")

    def run(self, stop: threading.Event, poll_ms: int, keep_on: Callable[[], bool]) -> None:
        """Work until ``stop`` is set or ``keep_on`` returns False; a started batch is always finished.

        Polls every ``poll_ms`` after work, then ever more slowly down to a quarter of that rate, and every five seconds
        after ``AWAKE_SECONDS`` without work. The pause after a batch is as long as the batch took, at most four polls:
        on a busy machine requests gather meanwhile, which together cost hardly more than one. After a full batch there
        is no such pause.
        """
        busy_pause, pause = poll_ms / 1000, poll_ms / 1000
        longest, worked = busy_pause * _IDLE_FACTOR, self._monotonic()
        while keep_on() and not stop.is_set():
            self._switch()
            try:
                self._beat()
                began = self._monotonic()
                found = self.run_once()
                if found:
                    worked = self._monotonic()
                    pause = max(busy_pause, 0.0 if found >= self._max_batch else min(worked - began, longest))
                else:
                    awake = began - worked < AWAKE_SECONDS
                    pause = min(pause * 1.5, longest if awake else _MAX_PAUSE_SECONDS)
            except self._errors.transient as error:
                self._log({"event": "poll_failed", "error": type(error).__name__})
                pause = min(max(pause, busy_pause) * 2, _MAX_PAUSE_SECONDS)
            spent = self._shadow.work(pause) if self._shadow else 0.0
            stop.wait(max(0.0, pause - spent))
        self._pool.shutdown()

    def run_once(self) -> int:
        """Claim, score and answer one batch; return the number of claimed requests."""
        started = self._monotonic()
        claimed = [item for item in self._pool.map(self._claim, self._queue.claimable(self._max_batch)) if item]
        if not claimed:
            return 0
        readable = [(item, features) for item in claimed if (features := self._features(item)) is not None]
        scoring = self._monotonic()
        try:
            scored = self._score(readable)
        except self._errors.scoring:
            self._release([request for request, _ in readable])
            raise
        answering = self._monotonic()
        written = list(self._pool.map(lambda pair: self._queue.answer(*pair), scored))
        self._log(
            {
                "event": "batch_scored",
                "claimed": len(claimed),
                "answered": sum(written),
                "failed": len(claimed) - len(scored),
                "lease_lost": len(written) - sum(written),
                "claim_ms": _ms(started, scoring),
                "score_ms": _ms(scoring, answering),
                "write_ms": _ms(answering, self._monotonic()),
            }
        )
        if self._shadow:
            self._shadow.offer([pair for pair, done in zip(scored, written, strict=True) if done])
        return len(claimed)

    def _switch(self) -> None:
        """Switch to new champions that are ready."""
        for one in self._served.values():
            if taken := one.models.take() if one.models else None:
                one.scorer, one.artefact = taken

    def _claim(self, request_id: str) -> ScoringRequest | None:
        """A claim that fails for a moment must not affect the others; the next poll finds the request again."""
        try:
            return self._queue.claim(request_id)
        except self._errors.transient as error:
            self._log({"event": "claim_failed", "request_id": request_id, "error": type(error).__name__})
            return None

    def _features(self, request: ScoringRequest) -> Mapping[str, FeatureValue] | None:
        """Return the request's features, or answer it «failed» and return None."""
        try:
            if request.attempts > MAX_ATTEMPTS:
                raise ValueError(f"given up after {MAX_ATTEMPTS} attempts")
            _ = request.on  # refused here, before it can fail the batch
            if request.model_id not in self._served:
                raise ValueError("this job does not have the model")
            return self._served[request.model_id].artefact.checked(parse_features(request.features))
        except ValueError as error:
            self._refuse(request, str(error))
            return None

    def _release(self, requests: Sequence[ScoringRequest]) -> None:
        """Release requests that a dead engine cannot score, so that nobody waits for the leases to end."""
        released = list(self._pool.map(self._queue.release, requests))
        self._log({"event": "batch_released", "count": sum(released)})

    def _refuse(self, request: ScoringRequest, error: str) -> None:
        self._queue.fail(request, error)
        self._log({"event": "request_failed", "request_id": request.request_id, "error": error})

    def _score(
        self, readable: Sequence[tuple[ScoringRequest, Mapping[str, FeatureValue]]]
    ) -> list[tuple[ScoringRequest, RiskResult]]:
        """Score the requests of each model and day as one batch."""
        batches: dict[tuple[str, date], list[tuple[ScoringRequest, Mapping[str, FeatureValue]]]] = {}
        for item in readable:
            batches.setdefault((item[0].model_id, item[0].on), []).append(item)
        return [
            pair
            for (model_id, on), batch in sorted(batches.items(), key=lambda one: one[0])
            for pair in self._score_batch(self._served[model_id].scorer, batch, on)
        ]

    def _score_batch(
        self, scorer: Scorer, readable: Sequence[tuple[ScoringRequest, Mapping[str, FeatureValue]]], on: date
    ) -> list[tuple[ScoringRequest, RiskResult]]:
        """Score all as one batch; if that fails, one by one, so that one request cannot block the others."""
        requests = [request for request, _ in readable]
        try:
            results = scorer.score_batch([features for _, features in readable], on)
            return list(zip(requests, results, strict=True))
        except self._errors.scoring as error:
            self._log({"event": "batch_failed", "count": len(readable), "error": type(error).__name__})
        scorer.score_batch([{}], on)  # A dead session fails here too, which ends the process.
        if len(readable) > 1:
            return [pair for item in readable for pair in self._score_batch(scorer, [item], on)]
        self._refuse(requests[0], "the engine cannot score these features")
        return []


def parse_features(text: str) -> Mapping[str, Any]:
    """Return the JSON object in ``text``.

    Raises:
        FeatureInvalid: not an object; the message does not quote it.
    """
    try:
        features = json.loads(text)
    except (ValueError, RecursionError):
        features = None
    if not isinstance(features, dict):
        raise FeatureInvalid("features", "must be a JSON object")
    return features


def _ms(since: float, until: float) -> int:
    return round((until - since) * 1000)
