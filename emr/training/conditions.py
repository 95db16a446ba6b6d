"""Conditions of segments for whole columns; three-valued as in the artefact (docs/reference/risk-model.md)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.errors import ConfigInvalid

Flags = NDArray[np.bool_]
#: Where a condition is true, and where it is known.
Truth = tuple[Flags, Flags]
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def holds(condition: dict[str, Any], frame: pd.DataFrame) -> Flags:
    """The rows for which the condition is true; not those for which it is unknown.

    Raises:
        ConfigInvalid: an operator that there is not, or a feature that the frame has not.
    """
    true, known = _truth(condition, frame)
    return np.asarray(true & known, dtype=np.bool_)


def _truth(condition: dict[str, Any], frame: pd.DataFrame) -> Truth:
    if not isinstance(condition, dict) or len(condition) != 1:
        raise ConfigInvalid("segments", "a condition has one operator")
    (name, arguments), rows = next(iter(condition.items())), len(frame)
    if name == "missing":
        names = arguments if isinstance(arguments, list) else [arguments]
        return frame[names].isna().any(axis=1).to_numpy(dtype=bool), np.ones(rows, dtype=bool)
    if name in ("!", "not"):
        true, known = _truth(arguments[0] if isinstance(arguments, list) else arguments, frame)
        return ~true, known
    if name in ("and", "or"):
        return _joined([_truth(argument, frame) for argument in arguments], name == "and")
    if name == "in":
        values, known = _values(arguments[0], frame)
        return np.asarray(pd.Series(values).isin(arguments[1]), dtype=bool), known
    if name in _COMPARE:
        (left, left_known), (right, right_known) = (_values(argument, frame) for argument in arguments)
        known = left_known & right_known
        true = np.zeros(rows, dtype=bool)
        true[known] = _COMPARE[name](left[known], right[known])
        return true, known
    raise ConfigInvalid("segments", f"no operator {name}")


def _joined(parts: list[Truth], all_of: bool) -> Truth:
    """``and``: false where any part is false; ``or``: true where any part is true; else known where all are."""
    settles = [known & (true != all_of) for true, known in parts]
    settled = np.logical_or.reduce(settles)
    known = settled | np.logical_and.reduce([known for _, known in parts])
    return np.where(settled, not all_of, all_of).astype(bool), known


def _values(argument: Any, frame: pd.DataFrame) -> tuple[NDArray[Any], Flags]:
    if isinstance(argument, dict):
        if argument.get("var") not in frame.columns:
            raise ConfigInvalid("segments", f"no feature {argument.get('var')}")
        column = frame[argument["var"]]
        return column.to_numpy(dtype=object), column.notna().to_numpy(dtype=bool)
    values = np.empty(len(frame), dtype=object)
    values[:] = argument
    return values, np.full(len(frame), argument is not None)
