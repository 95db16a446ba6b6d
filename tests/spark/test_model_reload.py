"""A new champion reaches the resident job without a restart; a bad one never does; a challenger scores unseen (M08)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import median
from typing import Any

import psutil
import pytest

from creditmesh.decisions.serving.model_signature import kms_sign, kms_verify
from creditmesh.decisions.serving.queue import unpacked
from creditmesh.decisions.serving.stored_models import Places, StoredModels
from creditmesh.governance.model import ModelKind
from creditmesh.governance.registry import ModelRegistry
from creditmesh.governance.shadows import ShadowScores
from creditmesh.governance.store import ModelStore
from creditmesh.kernel.clock import FixedClock
from creditmesh.platform.objects import Objects
from creditmesh.platform.tables import Tables
from creditmesh.risk.artefact import load
from creditmesh.risk.evaluator import evaluate
from tests.spark.job_cloud import BUCKET, MODEL_ID, MODEL_KEY, MODELS, SHADOWS, client, emulator, signing_key
from tests.spark.resident_job import DAY, Job, closed, get, put, until
from tests.support.candidates import SHIPPED, candidate, stricter

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """An emulator's port."""
    with emulator(tmp_path_factory.mktemp("emulator")) as number:
        yield number


@pytest.fixture(scope="module")
def job(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """One worker, ready, which looks at the pointer twice a second."""
    started = Job(port, tmp_path_factory.mktemp("job"), "worker-1", "--models-poll-seconds", "0.5")
    try:
        until(lambda: bool(started.events("ready")), seconds=300)
        yield started
    finally:
        started.process.kill()
        started.process.wait(timeout=20)


@pytest.fixture(scope="module")
def registry(port: int) -> ModelRegistry:
    """The registry over the emulator."""
    dynamodb, storage, kms = (client(name, port) for name in ("dynamodb", "s3", "kms"))
    stored = StoredModels(
        dynamodb, storage, Places(MODEL_ID, MODELS, BUCKET, MODEL_KEY), kms_verify(kms, [signing_key(port)])
    )
    clock = FixedClock(datetime(2026, 11, 22, tzinfo=UTC))
    store = ModelStore(Tables(dynamodb), MODELS, Objects(storage, BUCKET), clock)
    shadows = ShadowScores(Tables(dynamodb), SHADOWS)
    return ModelRegistry(store, {MODEL_ID: stored}, kms_sign(kms, signing_key(port)), shadows.of_challenger, clock)


def approved(registry: ModelRegistry, document: dict[str, Any]) -> str:
    """The hash of a version that is approved."""
    content_hash = registry.propose(document, maker="ann", kind=ModelKind.POLICY).content_hash
    registry.approve(MODEL_ID, content_hash, checker="bob")
    return content_hash


def promote(registry: ModelRegistry, content_hash: str) -> None:
    registry.propose_promotion(MODEL_ID, content_hash, maker="bob")
    registry.confirm_promotion(MODEL_ID, content_hash, checker="cid")


def answer(port: int, request_id: str) -> dict[str, Any]:
    """The result of a request made now."""
    put(port, request_id)
    until(lambda: closed(port, request_id))
    return dict(json.loads(unpacked(get(port, request_id)["result"])))


def memory_mb(job: Job) -> int:
    """What the job's processes, Java and Python, hold of the machine's memory."""
    parent = psutil.Process(job.process.pid)
    return sum(one.memory_info().rss for one in (parent, *parent.children(recursive=True))) // 2**20


class Traffic(threading.Thread):
    """Requests that keep coming, ten a second."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port, self.ended, self.asked = port, threading.Event(), list[str]()

    def run(self) -> None:
        while not self.ended.wait(0.1):
            self.asked.append(f"traffic-{len(self.asked)}")
            put(self.port, self.asked[-1])

    def stop(self) -> list[dict[str, Any]]:
        """The items of all requests, once they are answered."""
        self.ended.set()
        self.join()
        until(lambda: all(closed(self.port, one) for one in self.asked))
        return [get(self.port, one) for one in self.asked]


def test_a_challenger_scores_what_the_champion_decides(port: int, job: Job, registry: ModelRegistry) -> None:
    """Answers stay the champion's; the challenger's results are those of the plain evaluator."""
    document = candidate("2.2.0", stricter)
    content_hash = approved(registry, document)
    registry.challenge(MODEL_ID, content_hash, by="bob")
    numbers = iter(range(1_000))

    def compared() -> bool:
        assert answer(port, f"shadowed-{next(numbers)}")["model_hash"] == SHIPPED["content_hash"]
        return registry.comparison(MODEL_ID).scored >= 5

    until(compared)
    scores = ShadowScores(Tables(client("dynamodb", port)), SHADOWS).of_challenger(content_hash)
    request = client("dynamodb", port).get_item(
        TableName="scoring-requests", Key={"request_id": {"S": scores[0].request_id}}
    )["Item"]
    expected = evaluate(load(json.dumps(document)), json.loads(unpacked(request["features"]["S"])), DAY).to_dict()
    assert scores[0].challenger_result == {name: expected[name] for name in scores[0].challenger_result}
    assert scores[0].application_id == f"application-{scores[0].request_id}"
    found = registry.comparison(MODEL_ID)
    assert (found.champion_approval_bps, found.challenger_approval_bps, found.agreed) == (10_000, 0, 0)
    assert found.decisions == {"approve/decline": found.scored}
    registry.withdraw_challenger(MODEL_ID, by="bob")


def test_a_promotion_reaches_the_job_between_two_batches(port: int, job: Job, registry: ModelRegistry) -> None:
    """Every request is answered, by the old or by the new model, and none waits for the change."""
    traffic = Traffic(port)
    traffic.start()
    until(lambda: len(traffic.asked) >= 30)
    content_hash, memory = approved(registry, candidate("2.3.0", stricter)), memory_mb(job)
    promoted_at = time.monotonic()
    promote(registry, content_hash)
    until(lambda: bool(job.events("model_switched")), seconds=60)
    took = time.monotonic() - promoted_at
    enough = len(traffic.asked) + 20
    until(lambda: len(traffic.asked) >= enough)
    items = traffic.stop()
    assert {item["state"] for item in items} == {"done"}
    results = [json.loads(unpacked(item["result"])) for item in items]
    versions = [result["model_version"] for result in results]
    assert (versions[0], versions[-1]) == ("2.1.0", "2.3.0")
    assert {result["decision"] for result in results if result["model_version"] == "2.3.0"} == {"decline"}
    waits = [int(item["scored_at_ms"]) - int(item["claimed_at_ms"]) for item in items]
    old = versions.count("2.1.0")
    print(f"switched {took:.1f} s after the promotion ({job.events('model_switched')[-1]['prepare_ms']} ms to prepare)")
    print(f"memory, MB: {memory} before, {memory_mb(job)} after")
    for name, part in (("before", waits[:30]), ("meanwhile", waits[30:old]), ("after", waits[old:])):
        print(f"claim to result {name}, ms: median {median(part)}, worst {max(part)}")
    # A switch that stalled requests would show as one that takes many times what the others take.
    assert max(waits) < 10 * median(waits)
    assert job.events("model_switched")[-1]["model_hash"] == content_hash
    assert len(job.events("ready")) == 1


def test_a_bad_champion_is_refused_once_and_the_last_good_one_stays(
    port: int, job: Job, registry: ModelRegistry
) -> None:
    before = answer(port, "before-the-bad-one")["model_hash"]
    version = registry.propose(candidate("2.4.0"), maker="ann", kind=ModelKind.POLICY)
    client("dynamodb", port).update_item(
        TableName=MODELS,
        Key={"model_id": {"S": MODEL_ID}, "record": {"S": "current"}},
        UpdateExpression="SET champion = :bad",
        ExpressionAttributeValues={":bad": {"S": version.content_hash}},
    )
    until(lambda: bool(job.events("model_refused")))
    for number in range(15):
        assert answer(port, f"beside-the-bad-one-{number}")["model_hash"] == before
        time.sleep(0.1)
    (refused,) = job.events("model_refused")
    assert (refused["model_hash"], refused["path"]) == (version.content_hash, "$.signature")


def test_a_rollback_reaches_the_job_too(port: int, job: Job, registry: ModelRegistry) -> None:
    registry.rollback(MODEL_ID, by="dan", reason="nobody signed it")
    until(lambda: answer(port, f"rolled-back-{time.monotonic_ns()}")["model_version"] == "2.1.0", seconds=60)
    assert len(job.events("ready")) == 1
