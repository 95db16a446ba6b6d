"""From a score to all that hangs on it alone: the default rate, the grade, what the grade costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from creditmesh.risk.bulk.columns import Numbers

_MOST_ENTRIES = 1 << 16
"""Up to so many different scores each has an entry of its own; beyond, bands are searched for."""


class Bands:
    """The scores between two neighbouring thresholds are one band; everything is looked up by band."""

    def __init__(self, thresholds: Sequence[int], lowest: int, highest: int) -> None:
        self._starts = [lowest, *sorted({at for at in thresholds if lowest < at <= highest})]
        self._lowest = lowest
        self._table: npt.NDArray[np.intp] | None = None
        if highest - lowest < _MOST_ENTRIES:
            self._table = self._searched(np.arange(lowest, highest + 1))

    def of(self, scores: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        """Every firm's band."""
        if self._table is None:
            return self._searched(scores)
        return np.take(self._table, scores - self._lowest, mode="clip")

    def _searched(self, scores: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        return np.searchsorted(self._starts, scores, "right") - 1

    def table(self, value_of: Callable[[int], Any], dtype: npt.DTypeLike) -> Numbers:
        """What ``value_of`` says of each band's scores, to be looked up with what ``of`` gives."""
        return np.array([value_of(start) for start in self._starts]).astype(dtype)
