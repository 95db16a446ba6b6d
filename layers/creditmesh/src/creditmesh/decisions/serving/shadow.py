"""Shadow scoring: a challenger scores the champion's applications, and nobody waits for it.

It runs in the pauses between batches with the plain evaluator, whose results equal every engine's. What exceeds its
capacity is dropped and counted: a comparison needs many applications, not all. Records contain results, no features.
The DynamoDB client is an argument: this package imports nothing of AWS.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from creditmesh.decisions.serving.queue import ScoringRequest
from creditmesh.risk.artefact import Artefact
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.result import RiskResult

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SHARDS = 4
"""Partitions of a challenger's records; each takes a thousand writes per second."""
KEPT_SECONDS = 90 * 86400
_MOST_WAITING = 1_000
_WRITTEN_AT_ONCE = 25
_FIELDS = ("decision", "stage", "score", "pd_ppm", "limit_minor", "grade")


@dataclass(frozen=True)
class ShadowTable:
    """Writes records; ``now_ms`` is the wall clock in epoch milliseconds."""

    client: DynamoDBClient
    name: str
    now_ms: Callable[[], int]

    def write(self, items: Sequence[Mapping[str, Any]]) -> int:
        """Write at most 25 records, once; return how many were not accepted."""
        answer = self.client.batch_write_item(
            RequestItems={self.name: [{"PutRequest": {"Item": dict(item)}} for item in items]}
        )
        return len(answer.get("UnprocessedItems", {}).get(self.name, []))


def shadow_item(request: ScoringRequest, champion: RiskResult, challenger: RiskResult, now_ms: int) -> dict[str, Any]:
    """Return the record of an application that both scored, in DynamoDB's wire format."""
    shard = crc32(request.request_id.encode()) % SHARDS
    texts = {
        "challenger": f"{challenger.model_hash}#{shard}",
        "request_id": request.request_id,
        "application_id": request.application_id,
        "champion": champion.model_hash,
        "champion_result": _compact(champion),
        "challenger_result": _compact(challenger),
    }
    numbers = {"scored_at_ms": now_ms, "expires_at": now_ms // 1000 + KEPT_SECONDS}
    return {name: {"S": text} for name, text in texts.items()} | {
        name: {"N": str(number)} for name, number in numbers.items()
    }


class Shadow:
    """The backlog for the challenger; for use by one thread.

    Args:
        challenger: returns the challenger of the model with that id, or None; must not block.
        pool: executes writes.
        errors: errors of the table's client.
    """

    def __init__(
        self,
        table: ShadowTable,
        challenger: Callable[[str], Artefact | None],
        pool: Executor,
        log: Callable[[Mapping[str, Any]], None],
        errors: tuple[type[Exception], ...] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table, self._challenger, self._pool, self._log = table, challenger, pool, log
        self._errors, self._monotonic = errors, monotonic
        self._waiting: deque[tuple[ScoringRequest, RiskResult]] = deque(maxlen=_MOST_WAITING)
        self._writing: Future[None] | None = None
        self._dropped = 0

    def offer(self, answered: Sequence[tuple[ScoringRequest, RiskResult]]) -> None:
        """Add results of champions that have a challenger to the backlog."""
        compared = [pair for pair in answered if self._challenger(pair[0].model_id)]
        self._dropped += max(0, len(self._waiting) + len(compared) - _MOST_WAITING)
        self._waiting.extend(compared)

    def work(self, seconds: float) -> float:
        """Score in the shadow for at most that long; return the seconds spent."""
        began = self._monotonic()
        if not self._waiting or (self._writing and not self._writing.done()):
            return self._monotonic() - began
        items, failed = list[dict[str, Any]](), 0
        while self._waiting and len(items) < _WRITTEN_AT_ONCE and self._monotonic() - began < seconds:
            request, decided = self._waiting.popleft()
            challenger = self._challenger(request.model_id)
            if challenger is None or challenger.content_hash == decided.model_hash:
                continue
            try:
                result = evaluate(challenger, json.loads(request.features), request.on)
            except ValueError:  # the features do not match the challenger's schema
                failed += 1
                continue
            items.append(shadow_item(request, decided, result, self._table.now_ms()))
        if items or failed:
            self._writing = self._pool.submit(self._write, items, failed, self._dropped)
            self._dropped = 0
        return self._monotonic() - began

    def _write(self, items: Sequence[Mapping[str, Any]], failed: int, dropped: int) -> None:
        try:
            lost = self._table.write(items) if items else 0
        except self._errors as error:
            self._log({"event": "shadow_not_written", "count": len(items), "error": type(error).__name__})
            return
        record = {"scored": len(items) - lost, "failed": failed, "dropped": dropped + lost}
        self._log({"event": "shadow_scored", **record})


def _compact(result: RiskResult) -> str:
    return json.dumps({name: getattr(result, name) for name in _FIELDS}, separators=(",", ":"))
