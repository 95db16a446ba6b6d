"""Rows that Spark reads, brought to the driver as a training set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import types as T

from creditmesh.risk.dialect import SparkDialect, whole
from creditmesh.risk.spark import number_kind
from training.config import TrainingConfig
from training.errors import TrainingSetInvalid
from training.frame import TrainingSet
from training.gates import LABEL_CHANGED, LABEL_SOURCE

BAD, OBSERVED, WEIGHT = "bad", "observed", "weight"
_DIALECT = SparkDialect()


def training_set(rows: DataFrame, config: TrainingConfig) -> TrainingSet:
    """Collect a DataFrame's rows.

    Args:
        rows: the features, ``bad`` (1, 0, or -1 or null where nobody knows), ``observed`` (a date), and where there
            are: ``weight``, ``label_source``, ``label_changed`` and the columns of ``config.fairness``. An integer
            feature may be any number: it becomes one as in the evaluators.
        config: names features and their types.

    Raises:
        TrainingSetInvalid: ``missing_column`` or ``bad_dtype``.
    """
    there = {field.name: field.dataType for field in rows.schema.fields}
    needed = [*(feature.name for feature in config.features), *config.fairness, BAD, OBSERVED]
    if missing := sorted({name for name in needed if name not in there}):
        raise TrainingSetInvalid("missing_column", f"not in the training set: {', '.join(missing)}", missing)
    extra = [name for name in (WEIGHT, LABEL_SOURCE, LABEL_CHANGED) if name in there]
    whole_numbers = {feature.name for feature in config.features if feature.kind == "integer"}
    names = list(dict.fromkeys([*needed, *extra]))
    frame = _frame(rows.selectExpr(*(_expression(name, there[name], name in whole_numbers) for name in names)), names)
    return TrainingSet(
        name=config.data_name,
        features=frame.drop(columns=[BAD, OBSERVED, *([WEIGHT] if WEIGHT in extra else [])]),
        bad=frame[BAD].fillna(-1).to_numpy(dtype=np.int8),
        observed=pd.to_datetime(frame[OBSERVED]).to_numpy().astype("datetime64[D]"),
        weight=_weights(frame) if WEIGHT in extra else np.empty(0),
        outcome_kind=config.outcome_kind,
    )


def _expression(name: str, found: T.DataType, whole_number: bool) -> str:
    column = _DIALECT.name(name)
    if name == OBSERVED:
        return f"CAST({column} AS DATE) AS {column}"
    if name == WEIGHT:
        return f"CAST({column} AS DOUBLE) AS {column}"
    if name == BAD:
        return f"CAST({column} AS BIGINT) AS {column}"
    if whole_number and isinstance(found, T.NumericType):
        return f"{whole(column, number_kind(found), _DIALECT)} AS {column}"
    return column


def _frame(rows: DataFrame, names: Sequence[str]) -> pd.DataFrame:
    table: pa.Table = rows.toArrow()
    kinds = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=kinds.get, date_as_object=False)
    for name in names:
        if pd.api.types.is_object_dtype(frame[name].dtype):
            frame[name] = frame[name].where(frame[name].notna(), None)
    return frame


def _weights(frame: pd.DataFrame) -> NDArray[np.float64]:
    return frame[WEIGHT].to_numpy(dtype=np.float64, na_value=np.nan)
