"""The platform's own decisions as training rows: reports joined with loan outcomes."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from creditmesh.risk.model import Artefact
from training.frame import REJECTED

_TYPES = {"integer": T.LongType(), "string": T.StringType(), "boolean": T.BooleanType()}
LABEL_SCHEMA = "application_id string, bad tinyint, observed date, label_source string, label_changed boolean"


def training_rows(spark: SparkSession, labels: str, reports: str, artefact: Artefact) -> DataFrame:
    """A row per labelled application, and per declined one, whose outcome is unknown.

    Args:
        labels: folder of JSON lines, as ``creditmesh.governance.labels`` exports them.
        reports: folder of the assessment reports, one JSON document each.
        artefact: names the features, and their types.

    Returns:
        The features, ``bad`` (1, 0, or -1 if declined), ``observed``, ``label_source`` and ``label_changed``.
    """
    decided = _newest(spark.read.schema(_report_schema(artefact)).json(reports))
    known = spark.read.schema(LABEL_SCHEMA).json(labels)
    joined = decided.join(known, "application_id", "left")
    bad = F.coalesce("bad", F.when(F.col("result.decision") == "decline", F.lit(REJECTED))).cast("tinyint")
    observed = F.coalesce("observed", F.substring("decided_at", 1, 10).cast("date"))
    rows = joined.select("features.*", bad.alias("bad"), observed.alias("observed"), "label_source", "label_changed")
    return rows.where(F.col("bad").isNotNull())


def _report_schema(artefact: Artefact) -> T.StructType:
    features = T.StructType([T.StructField(item.name, _TYPES[item.type]) for item in artefact.features.values()])
    result = T.StructType([T.StructField("decision", T.StringType())])
    return T.StructType(
        [
            T.StructField("application_id", T.StringType()),
            T.StructField("decided_at", T.StringType()),
            T.StructField("features", features),
            T.StructField("result", result),
        ]
    )


def _newest(reports: DataFrame) -> DataFrame:
    """Keeps the later one of two reports, as a retry around midnight may write two."""
    order = Window.partitionBy("application_id").orderBy(F.desc("decided_at"))
    readable = reports.where(F.col("application_id").isNotNull())
    return readable.withColumn("place", F.row_number().over(order)).where("place = 1").drop("place")
