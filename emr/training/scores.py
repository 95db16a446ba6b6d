"""Scores of many firms at once by an artefact's scorecard: what the evaluators say one by one, without the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from creditmesh.risk.expression import Condition, FeatureValue
from creditmesh.risk.model import Artefact
from creditmesh.risk.points import Axis, Characteristic
from training import axes

Ints = NDArray[np.int64]


def scores(artefact: Artefact, frame: pd.DataFrame) -> Ints:
    """Return the score of each row; features that ``frame`` lacks are unknown."""
    columns = {name: frame[name] if name in frame else pd.Series([None] * len(frame)) for name in artefact.features}
    segment = _segments(artefact, columns, len(frame))
    total = np.zeros(len(frame), dtype=np.int64)
    for place, card in enumerate(artefact.scorecard.segments):
        rows = segment == place
        total[rows] = card.base_points
        for item in card.characteristics:
            total[rows] += np.asarray(item.points)[cells(item, columns)[rows]]
    return total


def cells(item: Characteristic, columns: Mapping[str, pd.Series]) -> Ints:
    """Return the index of each row's cell in a characteristic."""
    found = np.zeros(len(columns[item.axes[0].feature]), dtype=np.int64)
    for axis in item.axes:
        found = found * axis.size + bins(axis, columns[axis.feature])
    return found


def bins(axis: Axis, column: pd.Series) -> Ints:
    """Return the index of each row's bin on an axis."""
    if axis.type == "integer":
        specials = tuple(tuple(int(value) for value in values) for values in axis.sets)
        own, column = axes.Axis(axis.feature, "integer", axis.bounds, specials=specials), column.astype("Int64")
    else:
        own = axes.Axis(axis.feature, axis.type, groups=axis.sets)
    return own.codes(column).astype(np.int64)


def _segments(artefact: Artefact, columns: Mapping[str, pd.Series], rows: int) -> Ints:
    """Return the index of each row's segment: the first whose condition holds."""
    cards = artefact.scorecard.segments
    found = np.full(rows, len(cards) - 1, dtype=np.int64)
    if len(cards) == 1:
        return found
    frame = pd.DataFrame({name: column.astype(object) for name, column in columns.items()})
    for row, record in enumerate(frame.where(frame.notna(), None).to_dict("records")):
        found[row] = next(i for i, card in enumerate(cards) if _holds(card.when, record))
    return found


def _holds(condition: Condition | None, record: Mapping[Any, FeatureValue]) -> bool:
    return condition is None or condition.holds(record) is True
