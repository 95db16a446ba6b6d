"""The worker and what changes beneath it: a new champion between batches, a challenger in the pauses (M08)."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from creditmesh.decisions.serving.queue import ScoringQueue, ScoringRequest, open_item, unpacked
from creditmesh.decisions.serving.worker import Served, Worker, WorkerErrors
from creditmesh.risk.artefact import Artefact, load
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.expression import FeatureValue
from creditmesh.risk.result import RiskResult
from tests.spark.job_cloud import INDEX, TABLE
from tests.support.candidates import FIRM, SHIPPED, candidate

TRADE = Path(__file__).parents[3] / "models" / "trade-1.0.0.json"


class Scorer:
    """Scores by one model with the plain evaluator."""

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact

    def score_batch(self, batch: Sequence[Mapping[str, FeatureValue]], on: date) -> list[RiskResult]:
        return [evaluate(self.artefact, features, on) for features in batch]


class Models:
    """Has a new model at the look told."""

    def __init__(self, at: int) -> None:
        self.at, self.looks = at, 0

    def take(self) -> tuple[Scorer, Artefact] | None:
        self.looks += 1
        if self.looks != self.at:
            return None
        artefact = load(json.dumps(candidate("2.2.0")))
        return Scorer(artefact), artefact


class Shadow:
    """Notes what it is offered and how long it may work; takes half of it."""

    def __init__(self) -> None:
        self.offered: list[str] = []
        self.given: list[float] = []

    def offer(self, answered: Sequence[tuple[ScoringRequest, RiskResult]]) -> None:
        self.offered += [request.request_id for request, _ in answered]

    def work(self, seconds: float) -> float:
        self.given.append(seconds)
        return seconds / 2


class Rounds(threading.Event):
    """Ends a worker after some rounds; puts a request before each."""

    def __init__(self, client: Any, count: int) -> None:
        super().__init__()
        self.client, self.count, self.waited = client, count, list[float]()
        self.put()

    def put(self) -> None:
        item = open_item(
            request_id=f"r{len(self.waited)}", application_id="a", model_id="origination", task_token="t",
            features=FIRM, created_at="2026-11-22T00:00:00Z", shards=1, rules_of=date(2026, 11, 22),
        )  # fmt: skip
        typed = {name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in item.items()}
        self.client.put_item(TableName=TABLE, Item=typed)

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        if len(self.waited) == self.count:
            self.set()
        else:
            self.put()
        return self.is_set()


def queue(dynamodb: Any, worker_id: str = "w") -> ScoringQueue:
    return ScoringQueue(
        dynamodb, table=TABLE, index=INDEX, shards=1, worker_id=worker_id, lease_ms=1_000, now_ms=lambda: 1_000_000
    )


def test_a_new_model_scores_from_the_next_batch_on(dynamodb: Any) -> None:
    artefact = load(json.dumps(SHIPPED))
    models, shadow, rounds = Models(at=3), Shadow(), Rounds(dynamodb, 4)
    worker = Worker(
        queue(dynamodb), {"origination": Served(Scorer(artefact), artefact, models)}, max_batch=10,
        log=lambda _: None, errors=WorkerErrors(), monotonic=lambda: 0.0, shadow=shadow,
    )  # fmt: skip
    worker.run(rounds, 50, lambda: True)
    items = [dynamodb.get_item(TableName=TABLE, Key={"request_id": {"S": f"r{n}"}})["Item"] for n in range(4)]
    versions = [json.loads(unpacked(item["result"]["S"]))["model_version"] for item in items]
    assert versions == ["2.1.0", "2.1.0", "2.2.0", "2.2.0"]
    assert shadow.offered == ["r0", "r1", "r2", "r3"]
    assert shadow.given == [0.05] * 4
    assert rounds.waited == [0.025] * 4


def test_what_another_worker_answered_is_not_offered(dynamodb: Any) -> None:
    artefact, shadow = load(json.dumps(SHIPPED)), Shadow()
    Rounds(dynamodb, 1)

    class Robbed(Scorer):
        """While it scores, the lease ends and another worker answers."""

        def score_batch(self, batch: Sequence[Mapping[str, FeatureValue]], on: date) -> list[RiskResult]:
            dynamodb.update_item(
                TableName=TABLE, Key={"request_id": {"S": "r0"}}, UpdateExpression="SET claimed_by = :other",
                ExpressionAttributeValues={":other": {"S": "other"}},
            )  # fmt: skip
            return super().score_batch(batch, on)

    worker = Worker(
        queue(dynamodb), {"origination": Served(Robbed(artefact), artefact)}, max_batch=10, log=lambda _: None,
        errors=WorkerErrors(), shadow=shadow,
    )  # fmt: skip
    assert worker.run_once() == 1
    assert shadow.offered == []


def test_each_request_is_scored_by_its_model(dynamodb: Any) -> None:
    """E01: one job serves the models of all flows; a request for another one is left to the fallback."""
    served = {
        path: Served(Scorer(artefact), artefact)
        for path, artefact in (
            ("origination", load(json.dumps(SHIPPED))),
            ("trade", load(TRADE.read_text(encoding="utf-8"))),
        )
    }
    for request_id, model_id in (("r1", "origination"), ("r2", "trade"), ("r3", "astrology")):
        item = open_item(
            request_id=request_id, application_id="a", model_id=model_id, task_token="t", features=FIRM,
            created_at="2026-11-22T00:00:00Z", shards=1, rules_of=date(2026, 11, 22),
        )  # fmt: skip
        typed = {name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in item.items()}
        dynamodb.put_item(TableName=TABLE, Item=typed)
    worker = Worker(queue(dynamodb), served, max_batch=10, log=lambda _: None, errors=WorkerErrors())
    assert worker.run_once() == 3
    items = [dynamodb.get_item(TableName=TABLE, Key={"request_id": {"S": f"r{n}"}})["Item"] for n in (1, 2, 3)]
    results = [json.loads(unpacked(item["result"]["S"])) for item in items[:2]]
    assert [(one["model_id"], one["decision"]) for one in results] == [("origination", "approve"), ("trade", "refer")]
    assert (items[2]["state"]["S"], items[2]["error"]["S"]) == ("failed", "this job does not have the model")
