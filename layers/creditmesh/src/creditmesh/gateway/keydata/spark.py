"""Clean rows and features of any number of firms, on Spark's Python workers.

The functions are those that serve one firm (``clean``, ``features.table``). The only file of this package that needs
pyspark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from creditmesh.gateway.keydata import lines
from creditmesh.gateway.keydata.features.table import FEATURES, values_of
from creditmesh.gateway.keydata.row import DDL, as_tuple, of_tuple
from creditmesh.gateway.keydata.schema import Values

_QUALITY_DDL = f"quality ARRAY<STRUCT<{lines.NOTE_DDL}>>"
#: Of each row of clean data: whose it is, the clean row, and what cleaning had to say.
CLEAN_DDL = f"firm STRING, {DDL}, {_QUALITY_DDL}"
_TYPES = {"integer": "BIGINT", "string": "STRING", "boolean": "BOOLEAN"}
_DRAWN_DDL = ", ".join(
    ["firm STRING", _QUALITY_DDL, "as_of BIGINT", *(f"{feature.name} {_TYPES[feature.type]}" for feature in FEATURES)]
)
_UNKNOWN = (None,) * (1 + len(FEATURES))


def clean_rows(spark: SparkSession, texts: DataFrame) -> DataFrame:
    """Return the clean row of each line of third information, in the columns of ``CLEAN_DDL``.

    Args:
        spark: the session.
        texts: One string column; each value a JSON object as ``lines.clean_line`` reads it.
    """
    return spark.createDataFrame(texts.rdd.mapPartitions(_clean), CLEAN_DDL, verifySchema=False)


def features_of_texts(spark: SparkSession, texts: DataFrame) -> DataFrame:
    """Return firm, quality, as-of date and all features of each line of third information."""
    return _drawn(spark, texts.rdd.mapPartitions(_draw_of_texts))


def features_of_rows(spark: SparkSession, rows: DataFrame) -> DataFrame:
    """Return firm, quality, as-of date and all features of clean rows.

    Raises:
        ValueError: the columns of ``CLEAN_DDL`` are missing or have another type.
    """
    have = {field.name: field.dataType for field in rows.schema.fields}
    want = spark.createDataFrame([], CLEAN_DDL).schema.fields
    if wrong := [field.name for field in want if have.get(field.name) != field.dataType]:
        raise ValueError(f"columns {wrong} are not those of a clean row")
    return _drawn(spark, rows.select(*(field.name for field in want)).rdd.mapPartitions(_draw_of_rows))


def _drawn(spark: SparkSession, drawn: Any) -> DataFrame:
    found = spark.createDataFrame(drawn, _DRAWN_DDL, verifySchema=False)
    return found.withColumn("as_of", F.expr("date_from_unix_date(CAST(as_of AS INT))"))


def _clean(texts: Iterable[Row]) -> Iterator[tuple[Any, ...]]:
    for (text,) in texts:
        line = lines.clean_line(text)
        yield line.firm, *as_tuple(line.values), line.notes


def _draw_of_texts(texts: Iterable[Row]) -> Iterator[tuple[Any, ...]]:
    for (text,) in texts:
        line = lines.clean_line(text)
        yield line.firm, line.notes, *_draw(line.values)


def _draw_of_rows(rows: Iterable[Row]) -> Iterator[tuple[Any, ...]]:
    for firm, *values, quality in rows:
        yield firm, quality, *_draw(of_tuple(values))


def _draw(row: Values | None) -> tuple[Any, ...]:
    """As-of day and features; all null for a line that is none."""
    return _UNKNOWN if row is None else (row["as_of"], *values_of()(row))
