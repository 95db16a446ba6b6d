"""Look-up of everything that depends on the score alone: default rate, grade, price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from creditmesh.risk.bulk.columns import Numbers

_MOST_ENTRIES = 1 << 16
"""Up to this many scores are looked up in a table by score; a wider range is searched by band."""


class Bands:
    """Bands of scores between neighbouring thresholds, and look-up tables by band."""

    def __init__(self, thresholds: Sequence[int], lowest: int, highest: int) -> None:
        self._starts = [lowest, *sorted({at for at in thresholds if lowest < at <= highest})]
        self._lowest = lowest
        self._table: npt.NDArray[np.intp] | None = None
        if highest - lowest < _MOST_ENTRIES:
            self._table = self._searched(np.arange(lowest, highest + 1))

    def of(self, scores: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        """The band of each firm."""
        if self._table is None:
            return self._searched(scores)
        return np.take(self._table, scores - self._lowest, mode="clip")

    def _searched(self, scores: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        return np.searchsorted(self._starts, scores, "right") - 1

    def table(self, value_of: Callable[[int], Any], dtype: npt.DTypeLike) -> Numbers:
        """``value_of`` for each band, to be indexed with the result of ``of``."""
        return np.array([value_of(start) for start in self._starts]).astype(dtype)
