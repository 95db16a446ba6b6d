"""Calibration: from scores to default rates, measured on rows that the model has not seen.

A logistic curve through all rows gives the shape; bands of neighbouring scores correct it where they have many rows;
pooling ensures that a lower score never has a lower rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from training.axes import sums
from training.config import ScaleConfig
from training.logistic import regression
from training.merging import isotonic
from training.scale import to_log_odds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_PPM = 1_000_000
_BANDS = 40
_BAND_CLASS_ROWS = 25
"""Minimum of defaults, and of non-defaults, in a band."""
_CURVE_ROWS = 100.0
"""Weight of the curve in every band, in rows."""
_STEPS_PER_PDO = 10
"""Table steps per doubling of the odds."""


def calibrate(score: Floats, bad: NDArray[np.int8], weight: Floats, scale: ScaleConfig) -> list[dict[str, int]]:
    """The calibration table of the artefact, from the highest score down.

    Args:
        score: scores of rows that the model was not fitted on.
        bad: their outcomes.
        weight: weight of each row.
        scale: base score and PDO.
    """
    model_odds = to_log_odds(score, scale)
    outcome = bad.astype(np.float64)
    fitted = regression().fit(model_odds[:, None], bad, weight)
    intercept, slope = float(fitted.intercept_[0]), max(float(fitted.coef_[0, 0]), 0.05)
    curve = intercept + slope * model_odds
    bands = _bands(score, bad)
    count = int(bands.max()) + 1
    mass = sums(bands, weight, count)
    bads = sums(bands, weight * outcome, count)
    expected = sums(bands, weight * expit(curve), count) / mass
    rate = (bads + _CURVE_ROWS * expected) / (mass + _CURVE_ROWS)
    # From low to high scores: the rate falls.
    pooled = isotonic(rate, mass, rising=False)
    correction = logit(np.clip(pooled, 1e-6, 1 - 1e-6)) - logit(np.clip(expected, 1e-6, 1 - 1e-6))
    centre = sums(bands, weight * score, count) / mass
    return _table(score, centre, correction, intercept, slope, scale)


def _table(
    score: Floats, centre: Floats, correction: Floats, intercept: float, slope: float, scale: ScaleConfig
) -> list[dict[str, int]]:
    step = max(1, scale.pdo // _STEPS_PER_PDO)
    low, high = int(np.floor(score.min() / step)) * step, int(np.ceil(score.max() / step)) * step
    starts = np.arange(low, high + 1, step)
    middle: Floats = starts.astype(np.float64) + (step - 1) / 2
    odds = intercept + slope * to_log_odds(middle, scale) + np.interp(middle, centre, correction)
    rates = np.minimum.accumulate(expit(odds))
    table: list[dict[str, int]] = []
    for start, rate in zip(starts[::-1].tolist(), rates[::-1].tolist(), strict=True):
        ppm = min(max(round(rate * _PPM), 1), _PPM - 1)
        if table and table[-1]["pd_ppm"] == ppm:
            table[-1]["min_score"] = start
        else:
            table.append({"min_score": start, "pd_ppm": ppm})
    # The last step covers every lower score.
    table[-1]["min_score"] = -(10**6)
    return table


def _bands(score: Floats, bad: NDArray[np.int8]) -> NDArray[np.intp]:
    """Bands of similar size, few enough that each has enough rows of both classes."""
    smaller = int(min((bad == 1).sum(), (bad == 0).sum()))
    count = int(np.clip(smaller // _BAND_CLASS_ROWS, 1, _BANDS))
    bounds = np.unique(np.quantile(score, np.linspace(0, 1, count + 1)[1:-1], method="lower"))
    bands = np.searchsorted(bounds, score, side="right")
    return np.unique(bands, return_inverse=True)[1]
