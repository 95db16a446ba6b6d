"""Scoring small batches on a Spark session that stays up, with one plan for all of them.

Planning a query costs three times as much as running it on a handful of rows, and ``createDataFrame`` means a new plan
for every batch. So the plan is made once, over «cells»: one-row partitions that hold a batch as a JSON text in an array
of the JVM. Spark sends a partition's content to the task that computes it anew in each run, so writing other
texts into the cells and running the same job again scores another batch under the plan already made.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pyspark.rdd import _load_from_socket
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from creditmesh.risk.expression import FeatureType, FeatureValue
from creditmesh.risk.model import Artefact
from creditmesh.risk.result import RiskResult
from creditmesh.risk.spark import feature_schema, result_from_row, score

_ROW = "row"
#: Requests around midnight may need the rules of two days.
_MAX_PLANS = 2


class Cells:
    """Partitions of one text each, whose content the driver replaces between runs."""

    def __init__(self, spark: SparkSession, count: int) -> None:
        """Make ``count`` cells, each holding an empty JSON array."""
        gateway: Any = spark.sparkContext._gateway
        jvm: Any = spark._jvm
        self._cells = [gateway.new_array(jvm.java.lang.Object, 1) for _ in range(count)]
        rows = jvm.java.util.ArrayList()
        for cell in self._cells:
            rows.add(jvm.org.apache.spark.sql.RowFactory.create(cell))
        schema = jvm.org.apache.spark.sql.types.DataType.fromDDL("batch string")
        partitions = spark._jsc.parallelize(rows, count)
        self.df = DataFrame(spark._jsparkSession.createDataFrame(partitions, schema), spark)
        self.fill([])

    def fill(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Spread ``records`` over the cells, in place of what they held."""
        for index, cell in enumerate(self._cells):
            cell[0] = json.dumps(records[index :: len(self._cells)])


class ResidentScorer:
    """Scores batches one after the other; not for use by several threads at a time."""

    def __init__(self, spark: SparkSession, artefact: Artefact, partitions: int = 1) -> None:
        """Score with ``artefact`` over ``partitions`` cells (as many as there are cores to use)."""
        self._spark, self.artefact, self._partitions = spark, artefact, partitions
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def score_batch(self, batch: Sequence[Mapping[str, FeatureValue]], on: date) -> list[RiskResult]:
        """Return the result of each set of features by the rules in force on the day ``on``, in order.

        Raises:
            FeatureInvalid: some value breaks the feature schema; check with ``Artefact.checked`` to find out whose.
        """
        return self._plan(on).run([self.artefact.checked(features) for features in batch])

    def warm_up(self, on: date, calls: int = 100, pause_seconds: float = 0.0) -> None:
        """Score two made-up applications ``calls`` times, until the JVM has compiled what the plan runs.

        ``pause_seconds`` after each leave room for another model that answers requests meanwhile.
        """
        zero: dict[FeatureType, FeatureValue] = {"integer": 0, "string": "", "boolean": False}
        full = {name: zero[feature.type] for name, feature in self.artefact.features.items()}
        for _ in range(calls):
            self.score_batch([{}, full], on)
            time.sleep(pause_seconds)

    def _plan(self, on: date) -> _Plan:
        """The plan of that day's rules; a new one is made on the first day of a rule's force or after its last."""
        artefact = self.artefact.in_force(on)
        key = tuple(rule.id for rule in artefact.rules)
        if key not in self._plans:
            while len(self._plans) >= _MAX_PLANS:
                del self._plans[next(iter(self._plans))]
            self._plans[key] = _Plan(self._spark, artefact, self._partitions)
        return self._plans[key]


class _Plan:
    """One artefact's query, planned once."""

    def __init__(self, spark: SparkSession, artefact: Artefact, partitions: int) -> None:
        self._artefact = artefact
        self._cells = Cells(spark, partitions)
        record = f"array<struct<{_ROW}:int,{feature_schema(artefact).simpleString()[len('struct<') :]}>"
        records = self._cells.df.select(F.inline(F.from_json("batch", record)))
        self._job = _Job(score(records, artefact), partitions)

    def run(self, batch: Sequence[Mapping[str, FeatureValue]]) -> list[RiskResult]:
        self._cells.fill([{_ROW: row, **features} for row, features in enumerate(batch)])
        rows = sorted(self._job.run(), key=lambda row: int(row[_ROW]))
        if len(rows) != len(batch):
            raise RuntimeError(f"Spark answered {len(rows)} rows for {len(batch)}")
        return [result_from_row(self._artefact, row) for row in rows]


class _Job:
    """A DataFrame's rows, collected again and again.

    ``DataFrame.collect`` describes the plan, builds its RDDs and serialises them twice each time, which costs as much
    as the run itself. Here they are built once, and run as ``RDD.take`` runs its own, by a function that holds nothing.
    """

    def __init__(self, df: DataFrame, partitions: int) -> None:
        rows: Any = df.rdd
        jvm: Any = rows.ctx._jvm
        self._rdd, self._rows = rows._jrdd, rows._jrdd_deserializer
        self._context, self._run = rows.ctx._jsc.sc(), jvm.PythonRDD.runJob
        self._partitions = jvm.java.util.ArrayList(range(partitions))

    def run(self) -> list[Row]:
        """Return the rows as they are now, in no order."""
        return list(_load_from_socket(self._run(self._context, self._rdd, self._partitions), self._rows))
