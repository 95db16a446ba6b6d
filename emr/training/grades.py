"""Grades: score bands whose default rates differ significantly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.config import GradesConfig
from training.measures import wilson

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_BPS = 10_000
_FIRST_BANDS = 30


@dataclass(frozen=True)
class Band:
    """Neighbouring scores: the lowest of them, rows and defaults."""

    min_score: int
    rows: float
    bads: float

    def joined(self, lower: Band) -> Band:
        return Band(lower.min_score, self.rows + lower.rows, self.bads + lower.bads)


def grade(
    score: Ints, bad: NDArray[np.int8], weight: Floats, cutoff: int, settings: GradesConfig
) -> list[dict[str, Any]]:
    """The grade table of the artefact, from the best down to the cutoff.

    Neighbours that differ least are merged first, until all confidence intervals are separate and there are no more
    grades than names.
    """
    kept = score >= cutoff
    if not kept.any():
        kept = np.ones(len(score), dtype=bool)
    bands = _first(score[kept], bad[kept], weight[kept])
    while len(bands) > 1:
        gaps = [_gap(high, low, settings.confidence) for high, low in zip(bands, bands[1:], strict=False)]
        worst = int(np.argmin(gaps))
        if gaps[worst] > 0 and len(bands) <= len(settings.names):
            break
        bands[worst : worst + 2] = [bands[worst].joined(bands[worst + 1])]
    return [_entry(number, band, settings, cutoff if number == len(bands) - 1 else band.min_score)
            for number, band in enumerate(bands)]  # fmt: skip


def _first(score: Ints, bad: NDArray[np.int8], weight: Floats) -> list[Band]:
    """Bands of similar size, from the highest scores down."""
    bounds = np.unique(np.quantile(score, np.linspace(0, 1, _FIRST_BANDS + 1)[:-1], method="lower"))
    place = np.searchsorted(bounds, score, side="right") - 1
    rows, bads = (np.bincount(place, part, len(bounds)) for part in (weight, weight * bad))
    bands = [Band(int(low), float(n), float(d)) for low, n, d in zip(bounds, rows, bads, strict=True) if n > 0]
    return bands[::-1]


def _gap(high: Band, low: Band, confidence: float) -> float:
    """Distance of the intervals of two bands in standard errors of their difference; negative if they overlap."""
    apart = wilson(low.bads, low.rows, confidence)[0] - wilson(high.bads, high.rows, confidence)[1]
    rate = (low.bads + high.bads) / (low.rows + high.rows)
    error = math.sqrt(max(rate * (1 - rate), 1e-9) * (1 / low.rows + 1 / high.rows))
    return apart / error


def _entry(number: int, band: Band, settings: GradesConfig, min_score: int) -> dict[str, Any]:
    low, high = wilson(band.bads, band.rows, settings.confidence)
    return {
        "grade": settings.names[number],
        "min_score": min_score,
        "pd_bps": max(round(band.bads / band.rows * _BPS), number + 1),
        "pd_low_bps": math.floor(low * _BPS),
        "pd_high_bps": math.ceil(high * _BPS),
        "margin_bps": settings.margin_bps[min(number, len(settings.margin_bps) - 1)],
        "limit_factor_bps": settings.limit_factor_bps[min(number, len(settings.limit_factor_bps) - 1)],
    }
