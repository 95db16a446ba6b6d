"""Scores rows by the kernel, from an artefact or from trained sections: what is measured is what ships."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from creditmesh.risk.artefact import read_segments
from creditmesh.risk.bulk.columns import Column, column, unknown
from creditmesh.risk.bulk.masks import where
from creditmesh.risk.bulk.points import Cards, places
from creditmesh.risk.document import Node
from creditmesh.risk.errors import ArtefactInvalid
from creditmesh.risk.expression import FeatureType, parse_condition
from creditmesh.risk.model import Artefact
from creditmesh.risk.points import Axis, Characteristic
from training.errors import ConfigInvalid

Ints = NDArray[np.int64]


class Columns(Mapping[str, Column]):
    """A frame's features as kernel columns, each converted on first use.

    Args:
        frame: the rows.
        types: of the features; those missing from the frame are unknown. By default the frame's own types.
    """

    def __init__(self, frame: pd.DataFrame, types: Mapping[str, FeatureType] | None = None) -> None:
        self._frame = frame
        self.types = types or {str(name): _type(frame[name].dtype) for name in frame.columns}
        self._found: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        if name not in self._found:
            self._found[name] = self._column(name)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.types)

    def __len__(self) -> int:
        return len(self.types)

    def _column(self, name: str) -> Column:
        kind = self.types[name]
        if name not in self._frame:
            return unknown(kind, len(self._frame))
        found = pa.array(self._frame[name], from_pandas=True)
        return column(name, kind, found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found)


def holds(condition: Mapping[str, Any], columns: Columns, rows: int) -> NDArray[np.bool_]:
    """The rows for which the condition is true (not unknown).

    Raises:
        ConfigInvalid: not a condition over the columns.
    """
    try:
        parsed = parse_condition(Node(condition, "segments"), columns.types)
    except ArtefactInvalid as problem:
        raise ConfigInvalid(problem.path, problem.rule) from None
    return where(parsed, columns, rows, holds=True)


def scores(artefact: Artefact, frame: pd.DataFrame) -> Ints:
    """The score of each row, without rules; features missing from ``frame`` are unknown."""
    return Cards(artefact.scorecard.segments).score(_columns(artefact, frame), len(frame))[1]


def cells(item: Characteristic, frame: pd.DataFrame) -> Ints:
    first, *others = [bins(axis, frame) for axis in item.axes]
    for axis, found in zip(item.axes[1:], others, strict=True):
        first = first * axis.size + found
    return first


def bins(axis: Axis, frame: pd.DataFrame) -> Ints:
    return (places(axis, Columns(frame, {axis.feature: axis.type})[axis.feature]).astype(np.int64) - 1) % axis.size


def segments_of(sections: Mapping[str, Any], frame: pd.DataFrame) -> NDArray[np.int8]:
    """The segment of each row: the first whose condition is true."""
    return _scored(sections, frame)[0]


def scores_of(sections: Mapping[str, Any], frame: pd.DataFrame) -> Ints:
    """The score of each row, by trained sections that are not an artefact yet."""
    return _scored(sections, frame)[1]


def pd_ppm(sections: Mapping[str, Any], score: Ints) -> Ints:
    """The calibrated default rate of each score, in parts per million."""
    steps = sections["calibration"][::-1]
    least, rates = (np.asarray([step[name] for step in steps], dtype=np.int64) for name in ("min_score", "pd_ppm"))
    return np.asarray(rates[np.maximum(np.searchsorted(least, score, side="right") - 1, 0)])


def grades(sections: Mapping[str, Any], score: Ints) -> Ints:
    """The grade number of each score, from 0 for the best; scores below all grades get the last."""
    least = np.asarray([grade["min_score"] for grade in sections["grades"]])
    return np.asarray(np.minimum((score[:, None] < least[None, :]).sum(axis=1), len(least) - 1), dtype=np.int64)


def _columns(artefact: Artefact, frame: pd.DataFrame) -> Columns:
    return Columns(frame, {name: feature.type for name, feature in artefact.features.items()})


def _scored(sections: Mapping[str, Any], frame: pd.DataFrame) -> tuple[NDArray[np.int8], Ints]:
    types = {name: told["type"] for name, told in sections["feature_schema"]["features"].items()}
    cards = Cards(read_segments(sections["scorecard"]["segments"], types))
    return cards.score(Columns(frame, types), len(frame))


def _type(dtype: Any) -> FeatureType:
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    return "integer" if pd.api.types.is_numeric_dtype(dtype) else "string"
