"""Bottom-up merging of bins: similar neighbours are merged until a table is small enough.

A bin is described by two sums over its rows: gradient ``g`` and curvature ``h`` of the log-likelihood. ``g² / 2h`` is
the gain of a separate value; the loss of sharing one decides the merge (as in ChiMerge).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

Floats = NDArray[np.float64]
_TINY = 1e-9
"""Curvature added to every bin, to avoid division by zero."""


def gain(g: Floats, h: Floats, ridge: float = _TINY) -> Floats:
    """Log-likelihood gained by a separate value for each cell."""
    return np.asarray(g * g / (2 * (h + ridge)))


def merge_line(
    g: Floats, h: Floats, count: Floats, *, max_bins: int, min_count: float, penalty: float, ridge: float = _TINY
) -> NDArray[np.intp]:
    """Merge neighbouring bins.

    Args:
        g: gradient of each bin.
        h: curvature of each bin.
        count: rows of each bin.
        max_bins: maximum number of bins.
        min_count: minimum rows of a bin.
        penalty: log-likelihood that a separate bin must gain.
        ridge: curvature added to each bin.

    Returns:
        The new bin number of each bin.
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
        fixed: for rows and columns: number at the end (specials, other, missing) that are kept.
        max_cells: maximum number of cells.
        penalty: log-likelihood per cell that a separate row or column must gain.
        ridge: curvature added to each cell.

    Returns:
        The new number of each row, and of each column, ordered by first occurrence.
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
    """The loss when row j > i is merged into row i; infinite where that is not allowed."""
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
    """The nearest monotone values."""
    fitted = isotonic_regression(values, weights=np.maximum(weight, _TINY), increasing=rising)
    return np.asarray(fitted.x)
