"""Bins merged from the bottom up: neighbours that say the same become one, until a table is as small as it may be.

A bin is told by two sums over its rows: gradient ``g`` and curvature ``h`` of the log-likelihood. ``g² / 2h`` is what
the bin gains by a value of its own; what two bins lose when they share one decides the merge (as in ChiMerge).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

Floats = NDArray[np.float64]
_TINY = 1e-9
"""Curvature added to every bin, so that empty ones do not divide by nought."""


def gain(g: Floats, h: Floats, ridge: float = _TINY) -> Floats:
    """Log-likelihood gained by a value of its own for each cell."""
    return np.asarray(g * g / (2 * (h + ridge)))


def merge_line(
    g: Floats, h: Floats, count: Floats, *, max_bins: int, min_count: float, penalty: float, ridge: float = _TINY
) -> NDArray[np.intp]:
    """Merge neighbours on a line.

    Args:
        g: gradient of each bin.
        h: curvature of each bin.
        count: rows of each bin.
        max_bins: bins that may be left.
        min_count: rows that a bin must have.
        penalty: log-likelihood that a bin of its own must gain to stay.
        ridge: curvature added to each bin.

    Returns:
        For each bin given the number of the bin it is in now.
    """
    starts = list(range(len(g)))
    sums = np.stack([g, h, count]).astype(np.float64)
    while sums.shape[1] > 1:
        own = gain(sums[0], sums[1], ridge)
        joint = sums[:, :-1] + sums[:, 1:]
        loss = own[:-1] + own[1:] - gain(joint[0], joint[1], ridge)
        scarce = np.minimum(sums[2, :-1], sums[2, 1:]) < min_count
        ranked = np.where(scarce, loss - 1e12, loss)
        best = int(np.argmin(ranked))
        if not scarce[best] and sums.shape[1] <= max_bins and loss[best] > penalty:
            break
        sums[:, best] += sums[:, best + 1]
        sums = np.delete(sums, best + 1, axis=1)
        del starts[best + 1]
    return np.searchsorted(np.asarray(starts), np.arange(len(g)), side="right") - 1


def merge_grid(
    g: Floats, h: Floats, ordered: Sequence[bool], fixed: Sequence[int], *, max_cells: int, penalty: float, ridge: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Merge rows and columns of a table.

    Args:
        g: gradient of each cell.
        h: curvature of each cell.
        ordered: for rows and columns: only neighbours may be merged.
        fixed: for rows and columns: how many at the end (specials, other, missing) stay as they are.
        max_cells: cells that may be left.
        penalty: log-likelihood for each cell that a row or column of its own must gain.
        ridge: curvature added to each cell.

    Returns:
        For each row, and for each column, the number of the one it is in now; numbers follow the first in each.
    """
    tables = [np.array(g, dtype=np.float64), np.array(h, dtype=np.float64)]
    members: list[list[list[int]]] = [[[i] for i in range(size)] for size in g.shape]
    pairs = [_losses(tables, axis, ordered[axis], fixed[axis], ridge) for axis in (0, 1)]
    while True:
        choice = [_best(pairs[axis], tables[0].shape[1 - axis]) for axis in (0, 1)]
        axis = 0 if choice[0][0] <= choice[1][0] else 1
        per_cell, i, j = choice[axis]
        if not np.isfinite(per_cell) or (tables[0].size <= max_cells and per_cell > penalty):
            break
        _join(tables, axis, i, j)
        members[axis][i] += members[axis].pop(j)
        pairs = [_losses(tables, axis, ordered[axis], fixed[axis], ridge) for axis in (0, 1)]
    return _numbers(members[0], g.shape[0]), _numbers(members[1], g.shape[1])


def _losses(tables: list[Floats], axis: int, ordered: bool, fixed: int, ridge: float) -> Floats:
    """What is lost when row i takes in row j > i; infinite where that may not be."""
    g, h = (table if axis == 0 else table.T for table in tables)
    free = len(g) - fixed
    losses = np.full((len(g), len(g)), np.inf)
    own = gain(g, h, ridge).sum(axis=1)
    if ordered:
        if free > 1:
            joint = gain(g[: free - 1] + g[1:free], h[: free - 1] + h[1:free], ridge).sum(axis=1)
            places = np.arange(free - 1)
            losses[places, places + 1] = own[: free - 1] + own[1:free] - joint
        return losses
    for i in range(free - 1):
        joint = gain(g[i] + g[i + 1 : free], h[i] + h[i + 1 : free], ridge).sum(axis=1)
        losses[i, i + 1 : free] = own[i] + own[i + 1 : free] - joint
    return losses


def _best(losses: Floats, cells: int) -> tuple[float, int, int]:
    place = int(np.argmin(losses))
    i, j = divmod(place, losses.shape[1])
    return float(losses[i, j]) / max(cells, 1), i, j


def _join(tables: list[Floats], axis: int, i: int, j: int) -> None:
    for number, table in enumerate(tables):
        view = table if axis == 0 else table.T
        view[i] += view[j]
        tables[number] = np.delete(table, j, axis=axis)


def _numbers(members: list[list[int]], size: int) -> NDArray[np.intp]:
    numbers = np.empty(size, dtype=np.intp)
    for number, places in enumerate(members):
        numbers[places] = number
    return numbers


def isotonic(values: Floats, weight: Floats, rising: bool) -> Floats:
    """The nearest values that rise (or fall)."""
    fitted = isotonic_regression(values, weights=np.maximum(weight, _TINY), increasing=rising)
    return np.asarray(fitted.x)
