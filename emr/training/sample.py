"""Rows with outcome and weight, as the fits use them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.axes import Coded


@dataclass(frozen=True)
class Sample:
    """Rows to fit on, or to judge by.

    Args:
        bad: 1 or 0.
        weight: weight of each row.
    """

    rows: Coded
    bad: NDArray[np.int8]
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, frame: pd.DataFrame, bad: NDArray[np.int8], weight: NDArray[np.float64]) -> Sample:
        """Rows with weights of mean 1, so that penalties mean the same for all sets."""
        mean = float(weight.mean()) if len(weight) else 1.0
        return cls(Coded(frame.reset_index(drop=True)), bad, weight / (mean if mean > 0 else 1.0))

    def __len__(self) -> int:
        return len(self.bad)

    def take(self, chosen: NDArray[np.bool_]) -> Sample:
        return Sample.of(self.rows.frame[chosen], self.bad[chosen], self.weight[chosen])
