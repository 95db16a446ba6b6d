"""The resident scorer: ``evaluate`` in Spark's Python workers, batch after batch, whatever becomes of a worker."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import psutil
import pytest
from pyspark.sql import SparkSession

from creditmesh.decisions.serving.batches import ResidentScorer
from creditmesh.risk.artefact import Artefact, load, seal
from creditmesh.risk.evaluator import evaluate
from tests.support.artefact_strategies import feature_rows
from tests.support.candidates import FIRM, candidate

DAY = date(2026, 1, 15)


@pytest.fixture(scope="module")
def scorer(spark: SparkSession, origination: Artefact) -> ResidentScorer:
    """The shipped model."""
    return ResidentScorer(spark.sparkContext, origination)


def agrees(scorer: ResidentScorer, rows: Sequence[Mapping[str, Any]], on: date = DAY) -> bool:
    return scorer.score_batch(rows, on) == [evaluate(scorer.artefact, row, on) for row in rows]


def workers() -> list[psutil.Process]:
    """The Python workers below the session's JVM; their daemon is not among them."""
    alive = [one for one in psutil.Process().children(recursive=True) if one.status() != psutil.STATUS_ZOMBIE]
    ours = [process for process in alive if "creditmesh.decisions.serving.worker_daemon" in process.cmdline()]
    return [process for process in ours if process.parent() in ours]


@pytest.mark.parametrize("partitions", [1, 3])
def test_one_rdd_serves_batches_of_any_size_in_order(
    spark: SparkSession, origination: Artefact, partitions: int
) -> None:
    """Nothing of an earlier batch is left over."""
    scorer = ResidentScorer(spark.sparkContext, origination, partitions)
    for size in (5, 1, 0, 300, 2, 50):
        assert agrees(scorer, feature_rows(origination, (FIRM, size), size))


def test_text_stays_as_it_is(scorer: ResidentScorer) -> None:
    """Quotes, escapes, NUL, other scripts and blanks at the end reach the worker unchanged."""
    texts = ('"', "\\", "\x00", "C34 ", "c34", "中", "😀", "\u2028", "C34")
    rows = [{**FIRM, "industry": text} for text in texts]
    assert agrees(scorer, rows)
    assert len({result.points for result in scorer.score_batch(rows, DAY)}) == 2


def test_the_day_travels_with_the_batch(spark: SparkSession) -> None:
    document = candidate("2.9.0")
    rule = next(one for one in document["rules"] if one["id"] == "company_too_young")
    tomorrow, after = DAY + timedelta(days=1), DAY + timedelta(days=2)
    dated = {"effective_from": tomorrow.isoformat(), "effective_until": after.isoformat()}
    document["rules"].append({**rule, **dated, "id": "dated", "when": {">=": [{"var": "company_age_months"}, 0]}})
    scorer = ResidentScorer(spark.sparkContext, load(json.dumps(seal(document))))
    for day, decision in ((DAY, "approve"), (tomorrow, "decline"), (after, "approve"), (DAY, "approve")):
        assert agrees(scorer, [FIRM], day)
        assert scorer.score_batch([FIRM], day)[0].decision == decision


def test_two_models_score_beside_each_other(spark: SparkSession, scorer: ResidentScorer) -> None:
    """As while a new champion is prepared."""
    other = ResidentScorer(spark.sparkContext, load(json.dumps(candidate("2.9.1"))))
    for _ in range(2):
        assert agrees(scorer, [FIRM])
        assert agrees(other, [FIRM])


def test_a_worker_killed_between_batches_is_replaced(scorer: ResidentScorer) -> None:
    assert agrees(scorer, [FIRM])
    killed = workers()
    for process in killed:
        process.send_signal(signal.SIGKILL)
    assert agrees(scorer, [FIRM] * 3)
    assert killed
    assert not set(workers()) & set(killed)


def test_a_worker_killed_over_a_batch_loses_nothing(spark: SparkSession, scorer: ResidentScorer) -> None:
    """``local[1]`` tries no task twice, so the scorer does."""
    assert agrees(scorer, [FIRM])
    stopped = workers()
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(agrees, scorer, [FIRM] * 3)
        while not spark.sparkContext.statusTracker().getActiveJobsIds():
            assert not batch.done()
        for process in stopped:
            process.send_signal(signal.SIGKILL)
        assert batch.result()


def test_workers_that_spark_ended_for_idleness_are_replaced(spark: SparkSession, scorer: ResidentScorer) -> None:
    """Spark ends those that were idle for a minute; here its factories are told to at once."""
    assert agrees(scorer, [FIRM])
    idle = workers()
    context: Any = spark.sparkContext
    environment = context._jvm.org.apache.spark.SparkEnv.get()
    field = environment.getClass().getDeclaredField("pythonWorkers")
    field.setAccessible(True)
    factories = field.get(environment).values().iterator()
    nothing = context._gateway.new_array(context._jvm.java.lang.Object, 0)
    while factories.hasNext():
        factory = factories.next()
        (clean_up,) = [
            one for one in factory.getClass().getDeclaredMethods() if one.getName().endswith("cleanupIdleWorkers")
        ]
        clean_up.setAccessible(True)
        clean_up.invoke(factory, nothing)
    _, alive = psutil.wait_procs(idle, timeout=20)
    assert idle
    assert not alive
    assert agrees(scorer, [FIRM] * 3)
