"""Chooses additional tables by their gain on rows that did not set their values, and cuts their cells.

Candidates are pairs of features, and single features that the logistic part dropped but that add information. They are
screened on few bins; a table that is added gets cells of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.additive import Fit, Table
from training.axes import Axis, Coded, cell_count, sums
from training.binning import Trend, fine, regrouped, shrunk
from training.config import BinningConfig, TrainingConfig
from training.merging import merge_grid
from training.sample import Sample

Floats = NDArray[np.float64]
_SCREEN_BINS, _START_BINS = 24, 64
_SCREEN_RIDGE, _GRID_RIDGE = 20.0, 10.0
_CELL_PENALTY = 0.3
"""Log-likelihood that a separate cell must gain. Noise gains half; the ridge shrinks what remains of it."""
_LEAST_GAIN = 2.0
"""Log-likelihood on unused rows that a table must gain to be added."""


@dataclass(frozen=True)
class Menu:
    """The bins of one feature by use."""

    single: Axis
    trend: Trend
    start: Axis
    """Fine bins that a pair's axis is cut from."""
    screen: Axis
    """Few bins, for screening."""
    pair_trend: Trend
    """The trend that also holds in pairs."""
    may_pair: bool


def menu(name: str, sample: Sample, fit: Fit, coarse: Axis, trend: Trend, config: TrainingConfig) -> Menu:
    """Bins for a feature, from the current model and from the outcome alone."""
    feature, column = config.feature(name), sample.rows.frame[name]
    g, h = fit.derivatives()
    single = fine(column, g, h, feature, config.binning, coarse)
    rate = np.average(sample.bad, weights=sample.weight)
    alone = (sample.weight * (sample.bad - rate), sample.weight * rate * (1 - rate))
    wide = BinningConfig(config.binning.min_bin_share, config.binning.min_bin_rows, _START_BINS, _START_BINS)
    start = fine(column, *alone, feature, wide, penalty=0.5)
    if feature.kind == "string" and feature.groups is None:
        start = shrunk(_each(start), column, *alone, _START_BINS)
    wanted: Trend = {"ascending": "rising", "descending": "falling"}.get(feature.monotonic, "free")  # type: ignore[assignment]
    return Menu(single, trend, start, shrunk(start, column, *alone, _SCREEN_BINS), wanted, feature.may_pair)


def screen(
    fit: Fit, sample: Sample, menus: dict[str, Menu], candidates: Sequence[tuple[str, ...]]
) -> list[tuple[float, tuple[str, ...]]]:
    """The gain of each candidate, greatest first, without those that gain nothing."""
    g, h = fit.derivatives()
    half = np.arange(len(g)) % 2 == 0
    gains = []
    for names in candidates:
        axes = [menus[name].screen for name in names]
        gained = _cross_gain(sample.rows, axes, g, h, half)
        if gained > _LEAST_GAIN:
            gains.append((gained, names))
    return sorted(gains, key=lambda item: (-item[0], item[1]))


def all_candidates(menus: dict[str, Menu], singles: set[str]) -> list[tuple[str, ...]]:
    """Every feature without a table of its own, and all pairs allowed."""
    names = sorted(menus)
    pairs = [pair for pair in itertools.combinations(names, 2) if all(menus[name].may_pair for name in pair)]
    return [*((name,) for name in names if name not in singles), *pairs]


def table(names: tuple[str, ...], fit: Fit, sample: Sample, menus: dict[str, Menu], max_cells: int) -> Table:
    """An empty table for a candidate, its cells cut where the model errs."""
    if len(names) == 1:
        one = menus[names[0]]
        return Table.empty((one.single,), (one.trend,))
    first, second = (menus[name] for name in names)
    axes = [first.start, second.start]
    g, h = fit.derivatives()
    cells, shape = sample.rows.cells(axes), (axes[0].size, axes[1].size)
    rows, columns = merge_grid(
        sums(cells, g, cell_count(axes)).reshape(shape), sums(cells, h, cell_count(axes)).reshape(shape),
        [axis.kind == "integer" for axis in axes], [axis.size - axis.regular for axis in axes],
        max_cells=max_cells, penalty=_CELL_PENALTY, ridge=_GRID_RIDGE,
    )  # fmt: skip
    cut = (_cut(axes[0], rows), _cut(axes[1], columns))
    return Table.empty(cut, (first.pair_trend, second.pair_trend))


def _cross_gain(rows: Coded, axes: Sequence[Axis], g: Floats, h: Floats, half: NDArray[np.bool_]) -> float:
    """Log-likelihood that each half gains by the values of the other."""
    cells, count = rows.cells(axes), cell_count(axes)
    # Both halves at once: the second half's cells come after the first's.
    place = cells + np.where(half, 0, count)
    sums_g, sums_h = (np.bincount(place, part, 2 * count).reshape(2, count) for part in (g, h))
    values = sums_g / (sums_h + _SCREEN_RIDGE)
    return float((sums_g * values[::-1] - sums_h * values[::-1] ** 2 / 2).sum())


def _cut(axis: Axis, numbers: NDArray[np.intp]) -> Axis:
    own = numbers[: axis.regular]
    if axis.kind == "integer":
        bounds = tuple(bound for place, bound in enumerate(axis.bounds) if own[place] != own[place + 1])
        return Axis(axis.feature, axis.kind, bounds, (), axis.specials)
    return regrouped(axis, own)


def _each(axis: Axis) -> Axis:
    """Each value in a group of its own."""
    values = sorted(value for group in axis.groups for value in group)
    return Axis(axis.feature, axis.kind, (), tuple((value,) for value in values))
