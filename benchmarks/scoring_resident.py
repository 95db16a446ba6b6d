"""The resident job's scorer alone: one application, and batches of up to 500.

``python -m benchmarks.scoring_resident`` in a process of its own, as the job's session has settings of its own.
Prints JSON. What the job adds, claims and answers in DynamoDB, is in ``bench_origination``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pyspark import SparkConf, SparkContext

from benchmarks.measures import quantiles
from cloud.java import java_home
from creditmesh.decisions.serving.batches import ResidentScorer
from creditmesh.decisions.serving.spark_settings import RESIDENT, SMALL_RESIDENT
from creditmesh.risk.artefact import load
from run.places import ROOT

_DAY = date(2026, 1, 15)
_WARM_UP_CALLS = 100
_BATCHES = {1: 300, 20: 60, 100: 30, 500: 20}
"""Applications at a time -> how often."""


def main() -> None:
    """Measure and print."""
    (model,) = (ROOT / "models").glob("origination-[0-9]*.json")
    scorer = ResidentScorer(context(), load(model.read_text(encoding="utf-8")))
    firm = json.loads((ROOT / "models" / "sample-firm.json").read_text(encoding="utf-8"))
    scorer.warm_up(_DAY, _WARM_UP_CALLS)
    print(json.dumps({str(size): measured(scorer, [firm] * size, times) for size, times in _BATCHES.items()}))


def measured(scorer: ResidentScorer, batch: Sequence[Mapping[str, Any]], times: int) -> dict[str, Any]:
    """Milliseconds for a batch, and requests a second in the median."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        scorer.score_batch(batch, _DAY)
        taken.append((time.perf_counter() - began) * 1000)
    found = quantiles(taken, 1)
    return {"milliseconds": found, "requests_per_second": round(len(batch) * 1000 / (found["median"] or 1.0))}


def context() -> SparkContext:
    """A context as `make run` starts the job's."""
    os.environ["JAVA_HOME"] = str(java_home(ROOT / ".venvs" / "spark", ROOT / "build" / "java"))
    os.environ["PYSPARK_PYTHON"] = sys.executable  # workers import the package
    local = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    settings = {**RESIDENT, **SMALL_RESIDENT, **local}
    made = SparkContext(
        conf=SparkConf().setMaster("local[1]").setAppName("scoring-resident").setAll(list(settings.items()))
    )
    made.setLogLevel("ERROR")
    return made


if __name__ == "__main__":
    main()
