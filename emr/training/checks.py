"""Checks of a training set before anything is fitted; each has an error code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from training.config import FeatureConfig, TrainingConfig
from training.errors import TrainingSetInvalid
from training.rows import column_words

_LEAK_BINS = 200
"""Distinct values of a column in the leak check."""


def check_outcome(
    bad: NDArray[np.int8], weight: NDArray[np.float64], observed: NDArray[np.datetime64], config: TrainingConfig
) -> None:
    """Check for both classes, enough rows, valid weights and known dates.

    Raises:
        TrainingSetInvalid: ``bad_outcome``, ``too_few_rows``, ``one_class_only``, ``bad_weight`` or ``no_date``.
    """
    if not np.isin(bad, (-1, 0, 1)).all():
        raise TrainingSetInvalid("bad_outcome", "an outcome is 1 (defaulted), 0 (did not) or -1 (rejected)")
    bads, goods = int((bad == 1).sum()), int((bad == 0).sum())
    if bads + goods < config.checks.min_rows:
        raise TrainingSetInvalid(
            "too_few_rows", f"{bads + goods} rows with an outcome, at least {config.checks.min_rows} are needed"
        )
    if min(bads, goods) == 0:
        raise TrainingSetInvalid("one_class_only", f"{bads} defaulted and {goods} did not: nothing can be told apart")
    if min(bads, goods) < config.checks.min_class_rows:
        raise TrainingSetInvalid(
            "too_few_rows",
            f"{bads} defaulted and {goods} did not, at least {config.checks.min_class_rows} of each are needed",
        )
    if not np.isfinite(weight).all() or (weight < 0).any() or weight[bad == 1].sum() * weight[bad == 0].sum() <= 0:
        raise TrainingSetInvalid("bad_weight", "weights must be finite, not negative, and not all zero in a class")
    split = config.split
    if (split.out_of_time_share > 0 or split.out_of_time_from is not None) and np.isnat(observed).any():
        raise TrainingSetInvalid("no_date", "the out-of-time split needs the day of every decision")


def check_columns(frame: pd.DataFrame, config: TrainingConfig) -> None:
    """Check that every feature is present, has its type, and no forbidden name.

    Raises:
        TrainingSetInvalid: ``missing_column``, ``leaked_target`` (a forbidden name) or ``bad_dtype``.
    """
    names = [feature.name for feature in config.features]
    if missing := [name for name in names if name not in frame.columns]:
        raise TrainingSetInvalid("missing_column", f"not in the training set: {', '.join(missing)}", missing)
    if leaked := [name for name in names if name in config.checks.forbidden]:
        raise TrainingSetInvalid("leaked_target", f"known only after the decision: {', '.join(leaked)}", leaked)
    if wrong := [feature.name for feature in config.features if not has_kind(frame[feature.name], feature)]:
        raise TrainingSetInvalid("bad_dtype", f"not of the type that is configured: {', '.join(wrong)}", wrong)


def has_kind(column: pd.Series, feature: FeatureConfig) -> bool:
    """Whether the column's values have the feature's type; an empty column has every type."""
    dtype: Any = column.dtype
    if feature.kind == "boolean":
        return pd.api.types.is_bool_dtype(dtype) or bool(column.isna().all())
    if feature.kind == "integer":
        return (pd.api.types.is_integer_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)) or bool(
            column.isna().all()
        )
    known = column.dropna()
    texts = isinstance(dtype, pd.StringDtype) or pd.api.types.is_object_dtype(dtype)
    return known.empty or (texts and all(isinstance(value, str) for value in known.unique()))


def unusable(frame: pd.DataFrame, config: TrainingConfig) -> dict[str, str]:
    """Columns without information, with the reason; optbinning fails on them.

    Raises:
        TrainingSetInvalid: ``empty_column`` or ``constant_column``, if configured as errors.
    """
    reasons: dict[str, str] = {}
    for feature in config.features:
        column = frame[feature.name]
        unknown = float(column.isna().mean())
        if unknown >= config.checks.empty_share:
            reasons[feature.name] = f"empty_column: {unknown:.1%} of the values are unknown"
        elif unknown == 0 and column.nunique(dropna=False) <= 1:
            reasons[feature.name] = "constant_column: every row has the same value"
        elif column.nunique() <= 1 and unknown < 1 - config.checks.empty_share:
            reasons[feature.name] = "constant_column: all known values are the same"
    if reasons and config.checks.unusable == "error":
        name = next(iter(reasons))
        code = reasons[name].split(":")[0]
        alike = [other for other, reason in reasons.items() if reason.startswith(code)]
        raise TrainingSetInvalid(code, f"{', '.join(alike)}: {reasons[name].split(': ')[1]}", alike)
    return reasons


def check_leaks(frame: pd.DataFrame, bad: NDArray[np.int8], config: TrainingConfig, left_out: dict[str, str]) -> None:
    """Check that no single feature reveals the outcome.

    Raises:
        TrainingSetInvalid: ``leaked_target``.
    """
    found = {
        feature.name: single_auc(frame[feature.name], bad)
        for feature in config.features
        if feature.name not in left_out
    }
    if leaked := [name for name, value in found.items() if value > config.checks.max_single_auc]:
        told = ", ".join(f"{name} (AUC {found[name]:.3f})" for name in leaked)
        raise TrainingSetInvalid("leaked_target", f"separates the outcome almost by itself: {told}", leaked)


def single_auc(column: pd.Series, bad: NDArray[np.int8]) -> float:
    """AUC of a single column, of any shape: default rates of its bins, each half judged by the other."""
    codes = _codes(column)
    half = (np.arange(len(bad)) * 2_654_435_761 >> 7) % 2 == 0
    rates = np.empty(len(bad))
    for part in (half, ~half):
        count = np.bincount(codes[~part], minlength=codes.max() + 1) + 2.0
        bads = np.bincount(codes[~part], weights=bad[~part], minlength=codes.max() + 1) + 2.0 * bad[~part].mean()
        rates[part] = (bads / count)[codes[part]]
    values = [roc_auc_score(bad[part], rates[part]) for part in (half, ~half) if 0 < bad[part].sum() < part.sum()]
    return float(np.mean(values)) if values else 0.5


def _codes(column: pd.Series) -> NDArray[np.int64]:
    if pd.api.types.is_integer_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        values = column.fillna(0).to_numpy(dtype=np.int64)
        bounds = np.unique(np.quantile(values, np.linspace(0, 1, _LEAK_BINS + 1)[1:-1], method="lower"))
        codes = np.searchsorted(bounds, values, side="right") + 1
        return np.where(column.isna(), 0, codes).astype(np.int64)
    words = column_words(column)
    return np.unique(words, return_inverse=True)[1].astype(np.int64)
