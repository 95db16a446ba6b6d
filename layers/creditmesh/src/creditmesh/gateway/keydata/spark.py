"""Clean rows and features of any number of firms, on Spark.

Cleaning runs the very functions of ``clean`` on Spark's workers; features are columns of built-in functions, compiled
from the same table that ``table.features_of`` evaluates. The only file of this package that needs pyspark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from creditmesh.gateway.keydata import lines
from creditmesh.gateway.keydata.features.table import FEATURES
from creditmesh.gateway.keydata.row import DDL, SECTIONS, TOP
from creditmesh.gateway.keydata.sql import Stage, Stages

#: Of each row of clean data: whose it is, the clean row, and what cleaning had to say.
CLEAN_DDL = f"firm STRING, {DDL}, quality ARRAY<STRUCT<{lines.NOTE_DDL}>>"
_ROW_COLUMNS = frozenset([*(column.name for column in TOP), *(section.name for section in SECTIONS)])


def clean_rows(spark: SparkSession, texts: DataFrame) -> DataFrame:
    """Return the clean row of each line of third information, in the columns of ``CLEAN_DDL``.

    Args:
        texts: One string column; each value a JSON object as ``lines.clean_line`` reads it.
    """
    return spark.createDataFrame(texts.rdd.mapPartitions(_clean_partition), CLEAN_DDL, verifySchema=False)


def _clean_partition(rows: Iterable[Row]) -> Iterator[tuple[Any, ...]]:
    for (text,) in rows:
        yield lines.clean_line(text)


def with_features(rows: DataFrame) -> DataFrame:
    """Return the columns of ``rows`` that are not the clean row's (firm, quality), the as-of date, and all features.

    Raises:
        ValueError: the clean row's columns are missing or have another type.
    """
    have = {field.name: field.dataType for field in rows.schema.fields}
    want = rows.sparkSession.createDataFrame([], DDL).schema.fields
    if wrong := [field.name for field in want if have.get(field.name) != field.dataType]:
        raise ValueError(f"columns {wrong} are not those of a clean row")
    kept = [F.col(name) for name in rows.columns if name not in _ROW_COLUMNS]
    as_of = F.expr("date_from_unix_date(CAST(as_of AS INT))").alias("as_of")
    *before, last = _stages()
    staged = rows
    for stage in before:
        staged = staged.withColumns({name: F.expr(sql) for name, sql in stage.items()})
    return staged.select(*kept, as_of, *(F.expr(sql).alias(name) for name, sql in last.items()))


@lru_cache(maxsize=1)
def _stages() -> list[Stage]:
    return Stages({feature.name: feature.formula for feature in FEATURES}).stages
