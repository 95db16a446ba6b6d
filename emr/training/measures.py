"""Measures of a score: separation, calibration, stability. A higher score here always means more risk (C14)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Outcome = NDArray[np.integer]


def auc(risk: NDArray[np.number], bad: Outcome, weight: Floats | None = None) -> float:
    """Area under the ROC curve: the chance that a defaulted row has more risk than one that did not; ties are half."""
    bads, goods = _by_value(risk, bad, weight)
    below = np.cumsum(goods) - goods
    return float((bads * (below + goods / 2)).sum() / (bads.sum() * goods.sum()))


def ks(risk: NDArray[np.number], bad: Outcome, weight: Floats | None = None) -> float:
    """Kolmogorov–Smirnov: the widest gap between both classes' cumulative shares."""
    bads, goods = _by_value(risk, bad, weight)
    return float(np.abs(np.cumsum(bads) / bads.sum() - np.cumsum(goods) / goods.sum()).max())


def _by_value(risk: NDArray[np.number], bad: Outcome, weight: Floats | None) -> tuple[Floats, Floats]:
    """Weight of bad and of good rows at each different value of risk, rising."""
    _, place = np.unique(risk, return_inverse=True)
    counted = np.ones(len(bad)) if weight is None else weight
    bads, goods = (np.bincount(place, counted * (bad == kind)).astype(np.float64) for kind in (1, 0))
    return bads, goods
