"""Tables fitted together: the sum of their values is the log-odds of default (a generalised additive model).

Each table in turn takes one penalised Newton step for all of its cells. A table's penalty follows from the noise in its
values (their variance under a normal prior, estimated on the way), so cells with few rows stay near their values of the
previous stage.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from training.axes import Axis, Coded, cell_count, sums
from training.binning import Trend
from training.merging import isotonic

Floats = NDArray[np.float64]
Axes = tuple[Axis, ...]
_LEAST_RIDGE, _MOST_RIDGE = 2.0, 1e6
_FIRST_RIDGE = 10.0


@dataclass
class Table:
    """Values over the cells of one axis or two, row by row.

    Args:
        axes: one or two.
        values: each cell's contribution to the log-odds of default.
        centre: the values are shrunk towards these.
        trends: for each axis, the required trend over its intervals.
        ridge: strength of the shrinkage.
    """

    axes: Axes
    values: Floats
    centre: Floats
    trends: tuple[Trend, ...]
    ridge: float = _FIRST_RIDGE

    @classmethod
    def empty(cls, axes: Axes, trends: tuple[Trend, ...]) -> Table:
        """A table of zeros."""
        zeros = np.zeros(cell_count(axes))
        return cls(axes, zeros, zeros.copy(), trends)

    @property
    def name(self) -> str:
        return "_x_".join(axis.feature for axis in self.axes)

    def copy(self) -> Table:
        return Table(self.axes, self.values.copy(), self.centre.copy(), self.trends, self.ridge)


@dataclass
class Additive:
    """A sum of tables."""

    intercept: float
    tables: list[Table] = field(default_factory=list)

    def predict(self, rows: Coded) -> Floats:
        """Log-odds of default of rows."""
        total = np.full(len(rows), self.intercept)
        for table in self.tables:
            total += table.values[rows.cells(table.axes)]
        return total

    def copy(self) -> Additive:
        return Additive(self.intercept, [table.copy() for table in self.tables])


class Fit:
    """Fits an additive model to rows; tables may be added between cycles.

    Args:
        bad: 1 or 0, or a share in between for inferred outcomes.
        weight: weight of each row.
        model: is changed.
    """

    def __init__(self, rows: Coded, bad: Floats, weight: Floats, model: Additive) -> None:
        self.rows, self.bad, self.weight, self.model = rows, bad, weight, model
        self.log_odds = model.predict(rows)
        self._cells = [rows.cells(table.axes) for table in model.tables]

    def add(self, table: Table) -> None:
        """Add a table, effective immediately."""
        self.model.tables.append(table)
        self._cells.append(self.rows.cells(table.axes))
        self.log_odds += table.values[self._cells[-1]]

    def cycle(self, times: int) -> None:
        """Let each table take its step, that many times."""
        for _ in range(times):
            for table, cells in zip(self.model.tables, self._cells, strict=True):
                self._step(table, cells)
            g, h = self.derivatives()
            shift = g.sum() / h.sum()
            self.model.intercept += shift
            self.log_odds += shift

    def derivatives(self) -> tuple[Floats, Floats]:
        """Gradient and curvature of each row's log-likelihood."""
        chance = expit(self.log_odds)
        return self.weight * (self.bad - chance), self.weight * chance * (1.0 - chance)

    def _step(self, table: Table, cells: NDArray[np.intp]) -> None:
        row_g, row_h = self.derivatives()
        size = len(table.values)
        g, h = sums(cells, row_g, size), sums(cells, row_h, size)
        drawn = table.values - table.centre
        stiff = h + table.ridge
        values = table.values + np.clip((g - table.ridge * drawn) / stiff, -1.0, 1.0)
        values = constrained(table, values, stiff)
        table.ridge = _ridge(values - table.centre, h, table.ridge)
        self.log_odds += (values - table.values)[cells]
        table.values = values


def constrained(table: Table, values: Floats, weight: Floats) -> Floats:
    """Values constrained to the table's trends over the intervals of each axis."""
    if all(trend == "free" for trend in table.trends):
        return values
    shape = tuple(axis.size for axis in table.axes)
    grid, mass = values.reshape(shape).copy(), weight.reshape(shape)
    for place, (axis, trend) in enumerate(zip(table.axes, table.trends, strict=True)):
        if trend == "free":
            continue
        lines, masses = np.moveaxis(grid, place, -1), np.moveaxis(mass, place, -1)
        for index in np.ndindex(lines.shape[:-1]):
            part = lines[index][: axis.regular]
            lines[index][: axis.regular] = isotonic(part, masses[index][: axis.regular], trend == "rising")
    return grid.reshape(-1)


def log_loss(log_odds: Floats, bad: Floats) -> Floats:
    """Each row's negative log-likelihood."""
    return np.asarray(np.logaddexp(0.0, log_odds) - bad * log_odds)


def _ridge(drawn: Floats, h: Floats, ridge: float) -> float:
    """The penalty under which the estimated values are as large as expected (one EM step)."""
    seen = h > 0
    if not seen.any():
        return ridge
    variance = float((drawn[seen] ** 2 + 1.0 / (h[seen] + ridge)).mean())
    return float(np.clip(1.0 / max(variance, 1e-9), _LEAST_RIDGE, _MOST_RIDGE))
