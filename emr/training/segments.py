"""Scorecards by segment: where tables should differ, and by how much.

A segment starts from the tables of all rows, and its values are shrunk towards them, so it differs only where its own
rows show it. Splits are chosen by the gain on rows that did not set the values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from training.additive import Additive, Fit
from training.axes import Axis, Coded, sums
from training.config import SegmentConfig, TrainingConfig
from training.sample import Sample
from training.scoring import holds

Floats = NDArray[np.float64]
Condition = dict[str, Any]
_LEAST_SHARE = 0.1
"""Minimum share of rows on each side of a split."""
_SEARCH_ROWS, _SEARCH_TABLES = 150_000, 12
"""Rows and tables used by the search."""
_SEARCH_RIDGE = 30.0
_LEAST_GAIN = 5.0
_FIRST_RIDGE = 50.0


@dataclass(frozen=True)
class Card:
    """The scorecard of one segment."""

    segment: SegmentConfig
    model: Additive


def places(segments: list[SegmentConfig], rows: Coded) -> NDArray[np.intp]:
    """The segment of each row: the first whose condition is true."""
    place = np.full(len(rows), len(segments) - 1, dtype=np.intp)
    for number in reversed(range(len(segments) - 1)):
        when = segments[number].when
        place[np.ones(len(rows), dtype=bool) if when is None else holds(when, rows.columns, len(rows))] = number
    return place


def fit_cards(sample: Sample, model: Additive, segments: list[SegmentConfig], cycles: int) -> list[Card]:
    """Fit a scorecard for each segment, shrunk towards the common one."""
    place = places(segments, sample.rows)
    cards = []
    for number, segment in enumerate(segments):
        own = model.copy()
        for table in own.tables:
            table.centre, table.ridge = table.values.copy(), _FIRST_RIDGE
        refit(sample, own, place == number, cycles)
        cards.append(Card(segment, own))
    return cards


def refit(sample: Sample, model: Additive, inside: NDArray[np.bool_], cycles: int) -> None:
    """Let a segment's tables settle on its rows; no effect without rows."""
    if inside.any():
        rows = Coded(sample.rows.frame[inside])
        Fit(rows, sample.bad[inside].astype(np.float64), sample.weight[inside], model).cycle(cycles)


def found(sample: Sample, model: Additive, axes: dict[str, Axis], most: int) -> Iterator[list[SegmentConfig]]:
    """Yield two segments, then four, then four more each time; each split is the one with the greatest gain."""
    search = _Search(sample, model, axes)
    conditions: list[Condition | None] = [None]
    while len(conditions) < most:
        best = max((search.best(conditions, number) for number in range(len(conditions))), key=lambda item: item[0])
        gained, number, condition = best
        if condition is None or gained < _LEAST_GAIN:
            return
        held = conditions[number]
        conditions[number : number + 1] = [condition if held is None else {"and": [held, condition]}, held]
        if len(conditions) in (2, 4, most) or len(conditions) % 4 == 0:
            yield [SegmentConfig(f"segment_{place + 1}", when) for place, when in enumerate(conditions)]


class _Search:
    """Searches splits and their gain, on a part of the rows."""

    def __init__(self, sample: Sample, model: Additive, axes: dict[str, Axis]) -> None:
        step = -(-len(sample) // _SEARCH_ROWS)
        self._rows = Coded(sample.rows.frame.iloc[::step].reset_index(drop=True))
        self._all = len(self._rows)
        bad, weight = sample.bad[::step], sample.weight[::step]
        chance = expit(model.predict(self._rows))
        self._g, self._h = weight * (bad - chance), weight * chance * (1 - chance)
        tables = sorted(model.tables, key=lambda table: -self._spread(table.values, self._rows.cells(table.axes)))
        self._cells = [(self._rows.cells(table.axes), len(table.values)) for table in tables[:_SEARCH_TABLES]]
        self._splits = [split for name in sorted(axes) for split in _splits(axes[name])]
        self._sides = [holds(split, self._rows.columns, len(self._rows)) for split in self._splits]

    def best(self, conditions: list[Condition | None], number: int) -> tuple[float, int, Condition | None]:
        """The best split of one segment: gain, segment number, condition."""
        segments = [SegmentConfig(str(place), when) for place, when in enumerate(conditions)]
        inside = np.flatnonzero(places(segments, self._rows) == number)
        best: tuple[float, int, Condition | None] = (0.0, number, None)
        for split, side in zip(self._splits, self._sides, strict=True):
            own = side[inside]
            if min(int(own.sum()), len(own) - int(own.sum())) < _LEAST_SHARE * self._all:
                continue
            gained = sum(max(self._gain(cells, size, inside, own), 0.0) for cells, size in self._cells)
            if gained > best[0]:
                best = (gained, number, split)
        return best

    def _gain(self, cells: NDArray[np.intp], size: int, inside: NDArray[np.intp], side: NDArray[np.bool_]) -> float:
        half = np.arange(len(inside)) % 2
        place = (half * 2 + side) * size + cells[inside]
        g, h = (sums(place, part[inside], 4 * size).reshape(2, -1) for part in (self._g, self._h))
        values = (g / (h + _SEARCH_RIDGE))[::-1]
        return float((g * values - h * values**2 / 2).sum())

    @staticmethod
    def _spread(values: Floats, cells: NDArray[np.intp]) -> float:
        return float(values[cells].std())


def _splits(axis: Axis) -> list[Condition]:
    """The conditions that split an axis in two."""
    feature = {"var": axis.feature}
    if axis.kind == "integer":
        return [{"<": [feature, bound]} for bound in axis.bounds]
    if axis.kind == "boolean":
        return [{"==": [feature, True]}]
    return [{"in": [feature, list(group)]} for group in axis.groups]


def wanted(config: TrainingConfig) -> list[SegmentConfig]:
    """The configured segments, the last for all others."""
    if not isinstance(config.segments, list):
        return []
    named = [segment for segment in config.segments if segment.when is not None]
    rest = [segment for segment in config.segments if segment.when is None][:1]
    return [*named, *(rest or [SegmentConfig("others")])]
