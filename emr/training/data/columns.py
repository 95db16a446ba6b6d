"""Converts columns of a polars frame for a training set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from training.config import FeatureConfig, Kind
from training.frame import OutcomeKind, TrainingSet

_KINDS: dict[Any, Kind] = {pl.Int64: "integer", pl.String: "string", pl.Boolean: "boolean"}


def kind_of(column: pl.Series) -> Kind:
    """The artefact's type of a column.

    Raises:
        TypeError: neither 64-bit integers, text nor booleans.
    """
    kind = _KINDS.get(column.dtype)
    if kind is None:
        raise TypeError(f"{column.name} is {column.dtype}, which cannot be a feature")
    return kind


def feature_configs(frame: pl.DataFrame, columns: Sequence[str]) -> list[FeatureConfig]:
    """Each column as a feature by its type; amounts are minor units, shares basis points."""
    return [FeatureConfig(name=name, kind=kind_of(frame[name]), unit=_unit(name)) for name in columns]


def training_set(
    frame: pl.DataFrame,
    columns: Sequence[str],
    *,
    name: str,
    target: str,
    observed: str,
    outcome_kind: OutcomeKind = "observed",
) -> TrainingSet:
    """A training set from a frame.

    Args:
        frame: all rows have an outcome.
        columns: the features.
        target: boolean column, true if the loan defaulted.
        observed: column with the day of the decision.
    """
    return TrainingSet(
        name=name,
        features=pd.DataFrame({column: _pandas(frame[column]) for column in columns}),
        bad=frame[target].cast(pl.Int8).to_numpy(),
        observed=frame[observed].to_numpy().astype("datetime64[D]"),
        outcome_kind=outcome_kind,
    )


def _pandas(column: pl.Series) -> Any:
    kind = kind_of(column)
    if kind == "string":
        return pd.Series(column.to_list(), dtype=object)
    unknown: NDArray[np.bool_] = column.is_null().to_numpy()
    if kind == "integer":
        return pd.arrays.IntegerArray(column.fill_null(0).to_numpy().copy(), unknown.copy())
    return pd.arrays.BooleanArray(column.fill_null(False).to_numpy().copy(), unknown.copy())


def _unit(name: str) -> str:
    ending = name.rsplit("_", 1)[-1]
    return ending if ending in ("minor", "bps", "months") else "none"
