"""Scores small batches by ``evaluate`` in Spark's Python workers, on a persistent context.

Everything but the scoring is prepared once: an RDD over «cells», one-element partitions that hold a batch as bytes in a
JVM array. Spark sends a partition's content to the task in each run, so writing new bytes into the cells and running
the same RDD again scores another batch. The day is part of the batch, the model is a broadcast variable.
``creditmesh.decisions.serving.worker_daemon`` makes small tasks fast.
"""

from __future__ import annotations

import copyreg
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import Broadcast, SparkContext
from pyspark.rdd import RDD, _load_from_socket
from pyspark.serializers import AutoBatchedSerializer, CPickleSerializer

from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.expression import FeatureType, FeatureValue
from creditmesh.risk.model import Artefact
from creditmesh.risk.result import RiskResult

Batch = Sequence[Mapping[str, FeatureValue]]
_WORTH_A_TASK = 20
"""Batch size from which a second task pays off."""


def _read_only(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(values)


# The artefact contains read-only mappings, which pickle does not support.
copyreg.pickle(MappingProxyType, lambda view: (_read_only, (dict(view),)))


class ResidentScorer:
    """Scores one batch at a time; not thread-safe."""

    def __init__(self, context: SparkContext, artefact: Artefact, partitions: int = 1) -> None:
        """Score with ``artefact`` in up to ``partitions`` tasks at once (as many as there are cores to use)."""
        self.artefact = artefact
        gateway: Any = context._gateway
        jvm: Any = context._jvm
        java: Any = context._jsc
        self._cells = [gateway.new_array(jvm.java.lang.Object, 1) for _ in range(partitions)]
        elements = jvm.java.util.ArrayList()
        for cell in self._cells:
            elements.add(cell)
        pickled = jvm.org.apache.spark.api.python.SerDeUtil.javaToPython(java.parallelize(elements, partitions))
        reader: Any = AutoBatchedSerializer
        cells: RDD[Any] = RDD(pickled, context, reader(CPickleSerializer()))
        scored: Any = cells.mapPartitions(partial(_score, context.broadcast(artefact)))
        # RDD.collect would create all of this for each batch.
        self._rdd, self._results = scored._jrdd, scored._jrdd_deserializer
        self._context, self._run, self._list = java.sc(), jvm.PythonRDD.runJob, jvm.java.util.ArrayList

    def score_batch(self, batch: Batch, on: date) -> list[RiskResult]:
        """Return the result of each set of features by the rules in force on ``on``, in order.

        Raises:
            Py4JJavaError: for example if a value breaks the feature schema; ``Artefact.checked`` names it.
        """
        tasks = min(len(self._cells), -(-len(batch) // _WORTH_A_TASK))
        for number in range(tasks):
            self._cells[number][0] = pickle.dumps((on, batch[number::tasks]))
        try:
            parts = self._collected(tasks)
        except Py4JJavaError:  # a worker died with its task; a local master does not retry tasks
            parts = self._collected(tasks)
        results: list[RiskResult] = [None] * len(batch)  # type: ignore[list-item]
        for number, part in enumerate(parts):
            results[number::tasks] = part
        return results

    def warm_up(self, on: date, calls: int = 100) -> None:
        """Score two made-up applications ``calls`` times, until the JVM has compiled the code."""
        zero: dict[FeatureType, FeatureValue] = {"integer": 0, "string": "", "boolean": False}
        full = {name: zero[feature.type] for name, feature in self.artefact.features.items()}
        for _ in range(calls):
            self.score_batch([{}, full], on)

    def _collected(self, tasks: int) -> list[list[RiskResult]]:
        if not tasks:
            return []
        return list(_load_from_socket(self._run(self._context, self._rdd, self._list(range(tasks))), self._results))


def _score(model: Broadcast[Artefact], cells: Iterable[tuple[bytes]]) -> Iterator[list[RiskResult]]:
    """Runs in a worker: one cell's results."""
    for (content,) in cells:
        on, batch = pickle.loads(content)
        artefact = model.value.in_force(on)
        yield [evaluate(artefact, features, on) for features in batch]
