"""Claims, leases, answers and poison on a real table's conditions, in process (C11, M13)."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import pytest

from creditmesh.decisions.serving.queue import ScoringQueue, open_item, packed, unpacked
from creditmesh.decisions.serving.worker import AWAKE_SECONDS, MAX_ATTEMPTS, Served, Worker, WorkerErrors
from creditmesh.risk.artefact import Artefact
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.result import RiskResult
from tests.spark.job_cloud import INDEX, TABLE

SHARDS, LEASE_MS = 3, 1_000
DAY = date(2026, 11, 22)


class Clock:
    """Epoch milliseconds that the test sets."""

    now = 1_000_000

    def __call__(self) -> int:
        return self.now


class Seconds:
    """Time that passes only while a batch is scored."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Pauses(threading.Event):
    """Notes how long a worker would wait; it is to stop after some waits."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.seconds, self._count = list[float](), count

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(round(timeout or 0.0, 6))
        if len(self.seconds) == self._count:
            self.set()
        return self.is_set()


class Day(threading.Event):
    """Lets the time pass that a worker would wait, and notes when it waited."""

    def __init__(self, clock: Seconds) -> None:
        super().__init__()
        self._clock, self.moments = clock, list[float]()

    def wait(self, timeout: float | None = None) -> bool:
        self.moments.append(self._clock.now)
        self._clock.now += timeout or 0.0
        return False


def pauses(moments: list[float], begin: float, end: float) -> float:
    """The longest pause between two moments of that time."""
    within = [moment for moment in moments if begin <= moment <= end]
    return round(max(later - earlier for earlier, later in itertools.pairwise(within)), 3)


class EngineFailed(Exception):
    """What the fake engine raises."""


class Engine:
    """Scores with the Python evaluator; fails on a given industry, or always once dead."""

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact
        self.batches: list[int] = []
        self.days: list[date] = []
        self.dead = False
        self.seconds, self.takes = Seconds(), 0.0

    def score_batch(self, batch: Sequence[Mapping[str, Any]], on: date) -> list[RiskResult]:
        self.batches.append(len(batch))
        self.days.append(on)
        self.seconds.now += self.takes
        if self.dead or any(features.get("industry") == "crash" for features in batch):
            raise EngineFailed
        return [evaluate(self.artefact, features, on) for features in batch]


class Scene:
    """A table, a clock, and what a worker needs."""

    def __init__(self, dynamodb: Any, artefact: Artefact, firm: dict[str, Any]) -> None:
        self.dynamodb, self.artefact, self.firm = dynamodb, artefact, firm
        self.clock, self.engine, self.logged = Clock(), Engine(artefact), list[Mapping[str, Any]]()

    def put(self, request_id: str, **attributes: Any) -> None:
        features = {**self.firm, **attributes.pop("changes", {})}
        item = open_item(
            request_id=request_id,
            application_id="application",
            model_id="origination",
            task_token="token",
            features=features,
            created_at="2026-11-22T00:00:00Z",
            shards=SHARDS,
            rules_of=date(2026, 11, 22),
        )
        typed = {k: {"N" if isinstance(v, int) else "S": str(v)} for k, v in {**item, **attributes}.items()}
        self.dynamodb.put_item(TableName=TABLE, Item=typed)

    def get(self, request_id: str) -> dict[str, str]:
        item = self.dynamodb.get_item(TableName=TABLE, Key={"request_id": {"S": request_id}})["Item"]
        return {name: next(iter(value.values())) for name, value in item.items()}

    def queue(self, worker_id: str) -> ScoringQueue:
        return ScoringQueue(
            self.dynamodb,
            table=TABLE,
            index=INDEX,
            shards=SHARDS,
            worker_id=worker_id,
            lease_ms=LEASE_MS,
            now_ms=self.clock,
        )

    def worker(self, worker_id: str = "w1", max_batch: int = 500, beat: Callable[[], None] = lambda: None) -> Worker:
        errors = WorkerErrors(scoring=(EngineFailed,))
        return Worker(
            self.queue(worker_id),
            {"origination": Served(self.engine, self.artefact)},
            max_batch=max_batch,
            log=self.logged.append,
            errors=errors,
            monotonic=self.engine.seconds,
            beat=beat,
        )


@pytest.fixture
def scene(dynamodb: Any, origination: Artefact, good_firm: dict[str, Any]) -> Scene:
    return Scene(dynamodb, origination, good_firm)


def test_a_batch_is_scored_at_once_and_answered_in_full(scene: Scene) -> None:
    for i in range(7):
        scene.put(f"r{i}", changes={"debt_ratio_bps": 1_000 * i})
    assert scene.worker().run_once() == 7
    assert scene.engine.batches == [7]
    for i in range(7):
        item = scene.get(f"r{i}")
        assert (item["state"], item["engine"], item["attempts"]) == ("done", "spark", "1")
        assert "queue" not in item
        assert "lease_until" not in item
        assert item["task_token"] == "token"
        expected = evaluate(scene.artefact, {**scene.firm, "debt_ratio_bps": 1_000 * i}, DAY)
        assert json.loads(unpacked(item["result"])) == expected.to_dict()
    assert scene.worker().run_once() == 0


@pytest.mark.parametrize(
    ("requests", "takes", "pauses"),
    [
        pytest.param(0, 0.0, [0.075, 0.1125, 0.16875, 0.2, 0.2], id="nothing to do: ever more slowly"),
        pytest.param(1, 0.01, [0.05, 0.075], id="quick: as told"),
        pytest.param(1, 0.12, [0.12, 0.18], id="slow: as long as it took"),
        pytest.param(1, 9.0, [0.2, 0.2], id="very slow: four polls at most"),
        pytest.param(5, 9.0, [0.05, 0.2, 0.2], id="full: the next at once"),
    ],
)
def test_the_pause_after_a_batch(scene: Scene, requests: int, takes: float, pauses: list[float]) -> None:
    for i in range(requests):
        scene.put(f"r{i}")
    scene.engine.takes = takes
    stop = Pauses(len(pauses))
    scene.worker(max_batch=3).run(stop, 50, lambda: True)
    assert stop.seconds == pauses


def test_a_day_without_requests_takes_few_queries(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick for a while after work, then a look every five seconds, then quick again."""
    clock, beats, requests = scene.engine.seconds, list[float](), [86_000.0, 0.0]

    def run_once() -> int:
        return bool(requests and requests[-1] <= clock.now and requests.pop())

    worker = scene.worker(beat=lambda: beats.append(clock.now))
    monkeypatch.setattr(worker, "run_once", run_once)
    stop = Day(clock)
    worker.run(stop, 50, lambda: clock.now < 86_400)
    assert beats == stop.moments
    assert requests == []
    assert pauses(stop.moments, 0, AWAKE_SECONDS) == 0.2
    assert pauses(stop.moments, AWAKE_SECONDS + 20, 86_000) == 5.0
    assert pauses(stop.moments, 86_010, 86_000 + AWAKE_SECONDS) == 0.2
    assert len([moment for moment in stop.moments if moment < 86_000]) < 20_000


def test_a_batch_is_no_larger_than_allowed(scene: Scene) -> None:
    for i in range(7):
        scene.put(f"r{i}")
    worker = scene.worker(max_batch=4)
    assert [worker.run_once(), worker.run_once(), worker.run_once()] == [4, 3, 0]


def test_a_claim_excludes_others_until_its_lease_ends(scene: Scene) -> None:
    scene.put("r")
    first, second = scene.queue("w1"), scene.queue("w2")
    held = first.claim("r")
    assert held is not None
    assert second.claim("r") is None
    assert second.claimable(10) == []
    scene.clock.now += LEASE_MS
    assert second.claimable(10) == ["r"]
    taken = second.claim("r")
    assert taken is not None
    assert taken.attempts == 2
    result = evaluate(scene.artefact, scene.firm, DAY)
    assert first.answer(held, result) is False
    assert first.fail(held, "late") is False
    assert second.answer(taken, result) is True
    assert second.answer(taken, result) is False
    assert scene.get("r")["claimed_by"] == "w2"


def test_an_earlier_claim_of_the_same_worker_cannot_answer(scene: Scene) -> None:
    scene.put("r")
    queue = scene.queue("w1")
    stale = queue.claim("r")
    scene.clock.now += LEASE_MS
    fresh = queue.claim("r")
    assert stale is not None
    assert fresh is not None
    result = evaluate(scene.artefact, scene.firm, DAY)
    assert [queue.answer(stale, result), queue.answer(fresh, result)] == [False, True]


def test_a_released_claim_is_open_at_once(scene: Scene) -> None:
    scene.put("r")
    request = scene.queue("w1").claim("r")
    assert request is not None
    assert scene.queue("w2").release(request) is False
    assert scene.queue("w1").release(request) is True
    assert scene.queue("w2").claim("r") is not None


@pytest.mark.parametrize(
    ("features", "error"),
    [
        ("{broken", "features: must be a JSON object"),
        ("[]", "features: must be a JSON object"),
        ('{"debt_ratio_bps": "1.5"}', "debt_ratio_bps: must be of type integer"),
        ('{"industry": 34}', "industry: must be of type string"),
    ],
)
def test_poison_is_closed_and_the_rest_is_scored(scene: Scene, features: str, error: str) -> None:
    scene.put("poison", features=packed(features))
    scene.put("sound")
    assert scene.worker().run_once() == 2
    poison = scene.get("poison")
    assert (poison["state"], poison["error"]) == ("failed", error)
    assert "queue" not in poison
    assert scene.get("sound")["state"] == "done"


@pytest.mark.parametrize("day", ["yesterday", " ", "22/11/2026"])
def test_a_request_without_a_day_is_closed_and_the_rest_is_scored(scene: Scene, day: str) -> None:
    scene.put("dateless", rules_of=day)
    scene.put("sound")
    assert scene.worker().run_once() == 2
    assert (scene.get("dateless")["state"], scene.get("dateless")["error"]) == ("failed", "rules_of: must be a day")
    assert scene.get("sound")["state"] == "done"


def test_numbers_of_every_kind_are_scored_as_whole_ones(scene: Scene) -> None:
    features = {**scene.firm, "debt_ratio_bps": 4_500.9, "revenue_12m_minor": 10**30, "fraud_score": float("nan")}
    scene.put("r", features=packed(json.dumps(features)))
    scene.worker().run_once()
    whole = {**scene.firm, "debt_ratio_bps": 4_500, "revenue_12m_minor": 2**63 - 1, "fraud_score": None}
    assert json.loads(unpacked(scene.get("r")["result"])) == evaluate(scene.artefact, whole, DAY).to_dict()


def test_each_day_has_its_own_rules_and_its_own_batch(scene: Scene) -> None:
    for i, day in enumerate(("2026-11-22", "2026-11-23", "2026-11-22")):
        scene.put(f"r{i}", created_at="2026-11-22T16:00:00Z", rules_of=day)
    assert scene.worker().run_once() == 3
    assert dict(zip(scene.engine.days, scene.engine.batches, strict=True)) == {DAY: 2, date(2026, 11, 23): 1}
    assert {scene.get(f"r{i}")["state"] for i in range(3)} == {"done"}


def test_one_request_the_engine_chokes_on_does_not_hold_up_the_others(scene: Scene) -> None:
    scene.put("crash", changes={"industry": "crash"})
    for i in range(3):
        scene.put(f"r{i}")
    scene.worker().run_once()
    assert scene.get("crash")["state"] == "failed"
    assert {scene.get(f"r{i}")["state"] for i in range(3)} == {"done"}


def test_a_dead_engine_gives_its_claims_back_and_ends_the_worker(scene: Scene) -> None:
    scene.put("r")
    scene.engine.dead = True
    with pytest.raises(EngineFailed):
        scene.worker().run_once()
    assert scene.get("r")["state"] == "open"
    scene.engine.dead = False
    assert scene.worker("w2").run_once() == 1


def test_a_request_that_keeps_killing_workers_is_given_up(scene: Scene) -> None:
    scene.put("r", attempts=MAX_ATTEMPTS)
    scene.worker().run_once()
    assert scene.get("r")["error"] == f"given up after {MAX_ATTEMPTS} attempts"
    assert scene.engine.batches == []


def test_log_tells_counts_and_times_but_no_features(scene: Scene) -> None:
    scene.put("r", changes={"industry": "very-private"})
    scene.worker().run_once()
    (record,) = scene.logged
    assert record["event"] == "batch_scored"
    assert (record["claimed"], record["answered"], record["failed"], record["lease_lost"]) == (1, 1, 0, 0)
    assert "very-private" not in json.dumps(scene.logged)
