"""From log-odds to integer points: base score, PDO, and readable tables."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.additive import Additive, Table
from training.config import ScaleConfig, SegmentConfig, TrainingConfig
from training.sample import Sample

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_ID_LENGTH, _ID_WORD = 64, 8


def per_log_odds(scale: ScaleConfig) -> float:
    return scale.pdo / math.log(2)


def to_score(log_odds: Floats, scale: ScaleConfig) -> Floats:
    """The unrounded score of log-odds of default."""
    return np.asarray(scale.base_score - per_log_odds(scale) * (log_odds + math.log(scale.base_odds)))


def to_log_odds(score: Floats, scale: ScaleConfig) -> Floats:
    """The log-odds of default of a score."""
    return np.asarray((scale.base_score - score) / per_log_odds(scale) - math.log(scale.base_odds))


def segment(told: SegmentConfig, model: Additive, sample: Sample, config: TrainingConfig, kind: str) -> dict[str, Any]:
    """One segment's scorecard in integer points.

    Each table is centred over the sample; the base points include the shifts.

    Args:
        told: the segment's id and condition.
        model: its tables.
        sample: rows for the means.
        config: scale and reason codes.
        kind: origin of the outcomes (``observed`` or ``simulated``).
    """
    base = float(to_score(np.array([model.intercept]), config.scale)[0])
    characteristics = []
    for table in model.tables:
        values, mean = _centred(table, sample)
        base -= mean * per_log_odds(config.scale)
        points = np.rint(-values * per_log_odds(config.scale)).astype(np.int64)
        if points.any():
            characteristics.append(_characteristic(table, points, config, kind))
    return {"id": told.id, "when": told.when, "base_points": round(base), "characteristics": characteristics}


def _centred(table: Table, sample: Sample) -> tuple[Floats, float]:
    mass = np.bincount(sample.rows.cells(table.axes), sample.weight, len(table.values))
    mean = float(np.average(table.values, weights=mass)) if mass.sum() > 0 else 0.0
    return table.values - mean, mean


def _characteristic(table: Table, points: Ints, config: TrainingConfig, kind: str) -> dict[str, Any]:
    feature = config.feature(table.axes[0].feature)
    return {
        "id": characteristic_id(table.name),
        "axes": [axis.section() for axis in table.axes],
        "points": [int(value) for value in points],
        "reason_code": feature.reason_code or feature.name,
        "evidence": kind,
    }


def characteristic_id(name: str) -> str:
    """An id for the artefact: lower-case letters, digits and ``_``, at most 64; long ones end with a hash."""
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower())
    plain = plain if plain[:1].isalpha() else f"f_{plain}"
    if len(plain) <= _ID_LENGTH and plain == name:
        return plain
    word = hashlib.sha256(name.encode()).hexdigest()[:_ID_WORD]
    return f"{plain[: _ID_LENGTH - _ID_WORD - 1]}_{word}"


def feature_schema(config: TrainingConfig, used: Sequence[str]) -> dict[str, Any]:
    """The used features, as configured."""
    features = {}
    for name in used:
        feature = config.feature(name)
        label = {language: feature.label.get(language, name) for language in ("zh-CN", "en")}
        features[name] = {"type": feature.kind, "unit": feature.unit, "source": feature.source, "label": label}
    return {"features": features}
