"""The bins of one feature; values fall into the same bins as in the artefact's evaluators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.config import Kind, Value
from training.scoring import Columns

Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Axis:
    """Bins in the artefact's order: intervals or groups, specials, «other» (except integers), «missing».

    Args:
        bounds: for integers, ascending; a bin includes its lower bound, not its upper.
        groups: for strings and booleans; the values of each bin.
        specials: integers that are looked up before the intervals.
    """

    feature: str
    kind: Kind
    bounds: tuple[int, ...] = ()
    groups: tuple[tuple[Value, ...], ...] = ()
    specials: tuple[tuple[int, ...], ...] = ()

    @property
    def regular(self) -> int:
        """Number of intervals or groups."""
        return len(self.bounds) + 1 if self.kind == "integer" else len(self.groups)

    @property
    def size(self) -> int:
        return self.regular + len(self.specials) + (1 if self.kind == "integer" else 2)

    def codes(self, column: pd.Series) -> Codes:
        """The bin of each value."""
        if self.kind == "integer":
            return self._integer_codes(column)
        place = {_key(value): number for number, group in enumerate(self.groups) for value in group}
        codes, values = pd.factorize(column)
        bins = np.array([place.get(_key(value), self.size - 2) for value in values] + [self.size - 1], dtype=np.int32)
        return np.asarray(bins[codes], dtype=np.int32)

    def labels(self) -> list[str]:
        if self.kind == "integer":
            ends: list[int | None] = [None, *self.bounds, None]
            told = [_interval(low, high) for low, high in zip(ends[:-1], ends[1:], strict=True)]
            return [*told, *(_listed(group) for group in self.specials), "missing"]
        return [*(_listed(group) for group in self.groups), "other", "missing"]

    def section(self) -> dict[str, Any]:
        """The axis in the artefact, format 2."""
        if self.kind == "integer":
            specials = [list(group) for group in self.specials]
            return {"feature": self.feature, "bounds": list(self.bounds), "specials": specials}
        return {"feature": self.feature, "groups": [list(group) for group in self.groups]}

    @classmethod
    def of_section(cls, section: dict[str, Any], kind: Kind) -> Axis:
        """Parse an axis of an artefact."""
        return cls(
            section["feature"], kind, tuple(section.get("bounds", ())),
            tuple(tuple(group) for group in section.get("groups", ())),
            tuple(tuple(group) for group in section.get("specials", ())),
        )  # fmt: skip

    def _integer_codes(self, column: pd.Series) -> Codes:
        missing = column.isna().to_numpy(dtype=bool)
        values = column.fillna(0).to_numpy(dtype=np.int64)
        codes = np.searchsorted(np.asarray(self.bounds, dtype=np.int64), values, side="right").astype(np.int32)
        for number, group in enumerate(self.specials):
            codes[np.isin(values, np.asarray(group, dtype=np.int64))] = self.regular + number
        codes[missing] = self.size - 1
        return codes


class Coded:
    """Rows as bin numbers, computed once per axis.

    Args:
        frame: the rows' features.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.columns = Columns(frame)
        self._codes: dict[Axis, Codes] = {}

    def __len__(self) -> int:
        return len(self.frame)

    def codes(self, axis: Axis) -> Codes:
        """The bin of each row."""
        if axis not in self._codes:
            self._codes[axis] = axis.codes(self.frame[axis.feature])
        return self._codes[axis]

    def cells(self, axes: Sequence[Axis]) -> NDArray[np.intp]:
        """The cell of each row in a table over one or two axes, row by row."""
        cells = self.codes(axes[0]).astype(np.intp)
        for axis in axes[1:]:
            cells = cells * axis.size + self.codes(axis)
        return cells


def sums(cells: NDArray[Any], part: NDArray[Any], size: int) -> NDArray[np.float64]:
    """Sum of the rows' values in each cell."""
    return np.bincount(cells, part, size).astype(np.float64, copy=False)


def cell_count(axes: Sequence[Axis]) -> int:
    return int(np.prod([axis.size for axis in axes]))


def _key(value: Any) -> tuple[type, Any]:
    # True is neither 1 nor "True".
    return (bool, bool(value)) if isinstance(value, bool | np.bool_) else (str, str(value))


def _interval(low: int | None, high: int | None) -> str:
    if low is None:
        return "all" if high is None else f"< {high}"
    if high is None:
        return f"≥ {low}"
    return str(low) if high == low + 1 else f"{low} … {high - 1}"


def _listed(group: Sequence[Value]) -> str:
    return ", ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in group)
