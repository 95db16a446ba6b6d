"""Bins and points of many firms at once. Comparing with every bound is faster than searching while bounds are few.

A firm's place on an axis is 0 if the value is unknown, else 1 + the bin's index. A chunk's places take one byte each,
so that adding comparisons and looking up points cost a fraction of a nanosecond per firm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from creditmesh.risk.bulk.columns import Column, Numbers
from creditmesh.risk.bulk.masks import where
from creditmesh.risk.points import Axis, Characteristic, Segment

_MANY_BOUNDS = 48
"""With this many bounds or more, binary search is faster."""
_BYTE = 256


def places(axis: Axis, column: Column) -> Numbers:
    """Each firm's place on ``axis``, as uint8 if it fits."""
    dtype = np.uint8 if axis.size < _BYTE else np.uint32
    found = _intervals(axis, column.values, dtype) if axis.type == "integer" else _groups(axis, column, dtype)
    return found if column.known is None else np.multiply(found, column.known.view(np.uint8), out=found)


def _intervals(axis: Axis, values: Numbers, dtype: npt.DTypeLike) -> Numbers:
    if len(axis.bounds) > _MANY_BOUNDS:
        found = np.searchsorted(np.array(axis.bounds, np.int64), values, "right").astype(dtype)
        found += 1
    else:
        found = np.ones(len(values), dtype)
        beyond = np.empty(len(values), np.bool_)
        for bound in axis.bounds:
            np.greater_equal(values, bound, out=beyond)
            np.add(found, beyond.view(np.uint8), out=found)
    for place, special in enumerate(axis.sets, axis.intervals + 1):
        for value in special:
            found[values == value] = place
    return found


def _groups(axis: Axis, column: Column, dtype: npt.DTypeLike) -> Numbers:
    if axis.type == "boolean":
        return np.take(np.array([axis.index(False) + 1, axis.index(True) + 1], dtype), column.values, mode="clip")
    return column.by_word(axis, lambda word: axis.index(word) + 1, dtype)


@dataclass(frozen=True)
class _Points:
    """A characteristic's points above its ``lowest``, indexed by first place × ``width`` + second place."""

    slots: tuple[int, ...]
    width: int
    lowest: int
    table: npt.NDArray[np.int64]
    byte_table: bytes | None

    def of(self, found: Sequence[Numbers]) -> Numbers:
        place = found[self.slots[0]]
        if len(self.slots) == 2:
            small = len(self.table) <= _BYTE
            place = np.multiply(place, self.width, dtype=np.uint8 if small else np.uint32)
            np.add(place, found[self.slots[1]], out=place)
        if self.byte_table is not None:
            return np.frombuffer(place.tobytes().translate(self.byte_table), np.uint8)
        return np.take(self.table, place, mode="clip")


class Card:
    """Base points and several characteristics, summed for many firms."""

    def __init__(self, base: int, characteristics: Sequence[Characteristic]) -> None:
        self._axes: dict[Axis, int] = {}
        self._items = [self._prepared(_merged(item)) for item in characteristics]
        self._base = base + sum(item.lowest for item in self._items)
        self.range = (self._base, self._base + sum(int(item.table.max()) for item in self._items))
        """Least and greatest possible sum."""
        self.features = frozenset(axis.feature for axis in self._axes)

    def _prepared(self, item: Characteristic) -> _Points:
        slots = tuple(self._axes.setdefault(axis, len(self._axes)) for axis in item.axes)
        grid = np.array(item.points, np.int64).reshape([axis.size for axis in item.axes])
        for dimension in range(len(slots)):
            grid = np.roll(grid, 1, dimension)  # the bin for unknown values first
        lowest = int(grid.min())
        table = grid.ravel() - lowest
        small = len(table) <= _BYTE and int(table.max()) < _BYTE
        byte_table = bytes(table.tolist()) + bytes(_BYTE - len(table)) if small else None
        return _Points(slots, item.axes[-1].size, lowest, table, byte_table)

    def total(self, columns: Mapping[str, Column], rows: int) -> npt.NDArray[np.int64]:
        found = [places(axis, columns[axis.feature]) for axis in self._axes]
        total: npt.NDArray[Any] = np.zeros(rows, np.int32)
        for item in self._items:
            np.add(total, item.of(found), out=total, casting="unsafe")
        score: npt.NDArray[np.int64] = np.add(total, self._base, dtype=np.int64)
        return score


class Cards:
    """Scorecards by segment. A firm is scored by the first segment whose condition holds, or by the last one."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.all = [Card(segment.base_points, segment.characteristics) for segment in segments]
        self._conditions = [segment.when for segment in segments if segment.when is not None]

    def score(self, columns: Mapping[str, Column], rows: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
        """Each firm's segment, and its score before adjustment by rules."""
        index = np.full(rows, len(self.all) - 1, np.int8)
        if len(self.all) == 1:
            return index, self.all[0].total(columns, rows)
        for position, condition in reversed(list(enumerate(self._conditions))):
            np.copyto(index, position, where=where(condition, columns, rows, holds=True))
        score = np.zeros(rows, np.int64)
        for position, card in enumerate(self.all):
            chosen = np.flatnonzero(index == position)
            if len(chosen):
                score[chosen] = card.total({name: columns[name].pick(chosen) for name in card.features}, len(chosen))
        return index, score


def _merged(item: Characteristic) -> Characteristic:
    """Merge neighbouring intervals of equal points: the kernel needs points only."""
    axis = item.axes[0]
    if len(item.axes) > 1 or axis.type != "integer":
        return item
    intervals, rest = item.points[: axis.intervals], item.points[axis.intervals :]
    kept = [index for index, (left, right) in enumerate(pairwise(intervals)) if left != right]
    lean = replace(axis, bounds=tuple(axis.bounds[index] for index in kept))
    return replace(item, axes=(lean,), points=(intervals[0], *(intervals[index + 1] for index in kept), *rest))
