"""Drift: whether current applicants resemble the training population and default as predicted.

All figures are parts per million, so that they can be stored and compared exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import log, sqrt
from typing import Any

from pydantic import BaseModel, ConfigDict

from creditmesh.risk.model import Artefact

PPM = 1_000_000
SHIFTED_PPM = 250_000
"""Above this index, populations count as shifted (the usual threshold)."""
LEAST_DECISIONS = 100
"""Fewer decisions give no result."""
MAX_SIGMA = 3.0
"""Accepted difference of observed and predicted defaults, in standard errors."""
SCORE_BAND = 20
_LEAST_SHARE = 1e-4


class Distribution(BaseModel):
    """Distribution of decisions by score band, and by bin of each characteristic."""

    model_config = ConfigDict(frozen=True)

    decisions: int
    scores: dict[str, int]
    bins: dict[str, dict[str, int]]


class Drift(BaseModel):
    """Result of a comparison."""

    model_config = ConfigDict(frozen=True)

    decisions: int
    score_psi_ppm: int | None
    characteristics: dict[str, int]
    """Population stability index of each, in parts per million, worst first."""
    matured: int = 0
    expected_bad_ppm: int | None = None
    observed_bad_ppm: int | None = None
    calibration_sigma_milli: int | None = None
    """Excess of defaults over the prediction, in thousandths of a standard error."""
    alarms: list[str]
    """Names of exceeded thresholds."""


def distribution(artefact: Artefact, decided: Iterable[tuple[int, Mapping[str, Any]]]) -> Distribution:
    """Count decisions by the bands and bins of a model.

    Args:
        decided: score and features of each decision with a score.
    """
    scores: Counter[str] = Counter()
    bins: dict[str, Counter[str]] = {name: Counter() for name, _ in artefact.scorecard.named}
    decisions = 0
    for score, features in decided:
        known = artefact.checked(features)
        decisions += 1
        scores[str(score // SCORE_BAND * SCORE_BAND)] += 1
        for name, item in artefact.scorecard.named:
            bins[name][item.label(item.cell(known))] += 1
    return Distribution(decisions=decisions, scores=dict(scores), bins={name: dict(c) for name, c in bins.items()})


def merged(parts: Iterable[Distribution]) -> Distribution:
    """Merge the distributions of several days."""
    scores: Counter[str] = Counter()
    bins: dict[str, Counter[str]] = {}
    decisions = 0
    for part in parts:
        decisions += part.decisions
        scores.update(part.scores)
        for name, counts in part.bins.items():
            bins.setdefault(name, Counter()).update(counts)
    return Distribution(decisions=decisions, scores=dict(scores), bins={name: dict(c) for name, c in bins.items()})


def compare(before: Distribution, now: Distribution, matured: Sequence[tuple[int, bool]] = ()) -> Drift:
    """Compare two periods, and predicted (ppm) with actual defaults of matured loans."""
    calibration = _calibration(matured)
    if min(before.decisions, now.decisions) < LEAST_DECISIONS:
        return Drift(decisions=now.decisions, score_psi_ppm=None, characteristics={}, **calibration)
    score = psi_ppm(before.scores, now.scores)
    shifts = {name: psi_ppm(before.bins[name], now.bins[name]) for name in before.bins.keys() & now.bins.keys()}
    ranked = dict(sorted(shifts.items(), key=lambda pair: (-pair[1], pair[0])))
    alarms = [
        *(["score"] if score > SHIFTED_PPM else []),
        *(name for name, value in ranked.items() if value > SHIFTED_PPM),
    ]
    found = {**calibration, "alarms": [*alarms, *calibration["alarms"]]}
    return Drift(decisions=now.decisions, score_psi_ppm=score, characteristics=ranked, **found)


def psi_ppm(before: Mapping[str, int], now: Mapping[str, int]) -> int:
    """Return the population stability index of two counts by bin; an empty bin counts as one in ten thousand."""
    totals = sum(before.values()), sum(now.values())
    value = 0.0
    for name in sorted(before.keys() | now.keys()):
        first, second = (
            max(part.get(name, 0) / total, _LEAST_SHARE) for part, total in zip((before, now), totals, strict=True)
        )
        value += (second - first) * log(second / first)
    return round(value * PPM)


def _calibration(matured: Sequence[tuple[int, bool]]) -> dict[str, Any]:
    """Predicted and actual defaults; loans are independent, so their variances add up."""
    if len(matured) < LEAST_DECISIONS:
        return {"matured": len(matured), "alarms": []}
    rates = [rate / PPM for rate, _ in matured]
    expected, seen = sum(rates), sum(bad for _, bad in matured)
    error = sqrt(sum(rate * (1 - rate) for rate in rates)) or 1.0
    sigma = (seen - expected) / error
    return {
        "matured": len(matured),
        "expected_bad_ppm": round(expected / len(matured) * PPM),
        "observed_bad_ppm": round(seen / len(matured) * PPM),
        "calibration_sigma_milli": round(sigma * 1_000),
        "alarms": ["calibration"] if abs(sigma) > MAX_SIGMA else [],
    }
