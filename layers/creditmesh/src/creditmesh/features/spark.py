"""Clean rows and features of many firms, on Spark's Python workers.

Uses the functions for one firm (``clean``, ``features.table``). The only file of this package that needs pyspark.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from creditmesh.features import lines
from creditmesh.features.row import DDL, as_tuple
from creditmesh.features.schema import Values
from creditmesh.features.table import FEATURES, values_of
from creditmesh.features.unread import unread
from creditmesh.kernel.unread import UNREAD

_QUALITY_DDL = f"quality ARRAY<STRUCT<{lines.NOTE_DDL}>>"
CLEAN_DDL = f"firm STRING, {DDL}, {_QUALITY_DDL}"
_TYPES = {"integer": "BIGINT", "string": "STRING", "boolean": "BOOLEAN"}
_NAMES = [*(feature.name for feature in FEATURES), UNREAD]
_FEATURES = [*(f"{feature.name} {_TYPES[feature.type]}" for feature in FEATURES), f"{UNREAD} STRING"]
_FEATURES_DDL = ", ".join(["firm STRING", _QUALITY_DDL, "as_of BIGINT", *_FEATURES])
_BOTH_DDL = f"{CLEAN_DDL}, features STRUCT<{', '.join(_FEATURES)}>"
_DAY = "date_from_unix_date(CAST(as_of AS INT)) AS as_of"
_UNKNOWN = (None,) * len(_NAMES)

Tuples = Iterator[tuple[Any, ...]]


def features_of_texts(spark: SparkSession, texts: DataFrame) -> DataFrame:
    """Return firm, quality, as-of date, all features of each line of third information, and which could not be read.

    Args:
        texts: One string column of JSON objects as ``lines.clean_line`` reads them.
    """
    return _with_day(spark.createDataFrame(texts.rdd.mapPartitions(_of_texts), _FEATURES_DDL, verifySchema=False))


def rows_and_features(spark: SparkSession, texts: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Return the clean rows, with the columns of ``CLEAN_DDL``, and the result of ``features_of_texts``.

    Both are views of one persisted DataFrame, so that each line is cleaned once.
    """
    both = spark.createDataFrame(texts.rdd.mapPartitions(_both), _BOTH_DDL, verifySchema=False)
    both = both.persist(StorageLevel.DISK_ONLY)
    return both.drop("features"), both.selectExpr("firm", "quality", _DAY, "features.*")


def features_of_rows(spark: SparkSession, rows: DataFrame) -> DataFrame:
    """Return firm, quality, as-of date and all features of clean rows.

    Raises:
        ValueError: the columns of ``CLEAN_DDL`` are missing or have another type.
    """
    have = {field.name: field.dataType for field in rows.schema.fields}
    want = spark.createDataFrame([], CLEAN_DDL).schema.fields
    if wrong := [field.name for field in want if have.get(field.name) != field.dataType]:
        raise ValueError(f"columns {wrong} are not those of a clean row")
    names = [field.name for field in want if field.name not in ("firm", "quality")]
    # As text: converting nested rows to Python objects takes three times as long.
    packed = rows.select("firm", "quality", F.to_json(F.struct(*names), {"ignoreNullFields": "false"}))
    return _with_day(spark.createDataFrame(packed.rdd.mapPartitions(_of_rows), _FEATURES_DDL, verifySchema=False))


def _with_day(computed: DataFrame) -> DataFrame:
    return computed.selectExpr("firm", "quality", _DAY, *_NAMES)


def _of_texts(texts: Iterable[Row]) -> Tuples:
    for (text,) in texts:
        line = lines.clean_line(text)
        as_of = None if line.values is None else line.values["as_of"]
        yield line.firm, line.notes, as_of, *_values(line.values, line.notes)


def _both(texts: Iterable[Row]) -> Tuples:
    for (text,) in texts:
        line = lines.clean_line(text)
        yield line.firm, *as_tuple(line.values), line.notes, _values(line.values, line.notes)


def _of_rows(rows: Iterable[Row]) -> Tuples:
    for firm, quality, text in rows:
        row = json.loads(text)
        yield firm, quality, row["as_of"], *_values(None if row["as_of"] is None else row, quality or ())


def _values(row: Values | None, notes: Iterable[tuple[str, str, str, object]]) -> tuple[Any, ...]:
    """The features and which could not be read; all null for an unreadable line."""
    if row is None:
        return _UNKNOWN
    values = values_of()(row)
    return *values, unread(values, notes)
