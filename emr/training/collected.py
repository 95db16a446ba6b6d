"""Collects rows from Spark on the driver as a training set."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from creditmesh.risk.bulk.columns import column
from training.config import TrainingConfig
from training.errors import TrainingSetInvalid
from training.frame import TrainingSet
from training.gates import LABEL_CHANGED, LABEL_SOURCE

BAD, OBSERVED, WEIGHT = "bad", "observed", "weight"
_TYPES = {OBSERVED: "DATE", WEIGHT: "DOUBLE", BAD: "BIGINT"}


def training_set(rows: DataFrame, config: TrainingConfig) -> TrainingSet:
    """Collect a DataFrame's rows.

    Args:
        rows: the features, ``bad`` (1, 0, or -1 or null if unknown), ``observed`` (a date), and optionally ``weight``,
            ``label_source``, ``label_changed`` and the columns of ``config.fairness``. Integer features may be any
            number and are converted as in the evaluators.
        config: names features and their types.

    Raises:
        TrainingSetInvalid: ``missing_column`` or ``bad_dtype``.
    """
    there = set(rows.columns)
    needed = [*(feature.name for feature in config.features), *config.fairness, BAD, OBSERVED]
    if missing := sorted({name for name in needed if name not in there}):
        raise TrainingSetInvalid("missing_column", f"not in the training set: {', '.join(missing)}", missing)
    extra = [name for name in (WEIGHT, LABEL_SOURCE, LABEL_CHANGED) if name in there]
    names = list(dict.fromkeys([*needed, *extra]))
    typed = [F.col(f"`{name}`").cast(_TYPES[name]) if name in _TYPES else F.col(f"`{name}`") for name in names]
    frame = _frame(rows.select(*typed).toArrow(), {item.name for item in config.features if item.kind == "integer"})
    return TrainingSet(
        name=config.data_name,
        features=frame.drop(columns=[BAD, OBSERVED, *([WEIGHT] if WEIGHT in extra else [])]),
        bad=frame[BAD].fillna(-1).to_numpy(dtype=np.int8),
        observed=pd.to_datetime(frame[OBSERVED]).to_numpy().astype("datetime64[D]"),
        weight=_weights(frame) if WEIGHT in extra else np.empty(0),
        outcome_kind=config.outcome_kind,
    )


def _frame(table: pa.Table, whole_numbers: Collection[str]) -> pd.DataFrame:
    """The table in pandas' types, with ``whole_numbers`` converted as in the evaluators."""
    kinds = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=kinds.get, date_as_object=False)
    for name, kind in zip(table.schema.names, table.schema.types, strict=True):
        if name in whole_numbers and (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        ):
            found = column(name, "integer", table.column(name).combine_chunks())
            unknown = np.zeros(len(table), np.bool_) if found.known is None else ~found.known
            frame[name] = pd.arrays.IntegerArray(found.values.copy(), unknown)
        elif pd.api.types.is_object_dtype(frame[name].dtype):
            frame[name] = frame[name].where(frame[name].notna(), None)
    return frame


def _weights(frame: pd.DataFrame) -> NDArray[np.float64]:
    return frame[WEIGHT].to_numpy(dtype=np.float64, na_value=np.nan)
