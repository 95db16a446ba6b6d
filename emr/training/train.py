"""Training: from rows and a configuration to the sections of an artefact and the content of a model card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from training import calibration, grades, path, reject, scale, scoring
from training.config import SegmentConfig, TrainingConfig
from training.diagnostics import diagnose
from training.finished import Finished
from training.frame import TrainingSet, TrainingSetInvalid, validate
from training.sample import Sample
from training.segments import Card
from training.split import split

_PPM = 1_000_000


@dataclass(frozen=True)
class TrainedModel:
    """A candidate: sections for the artefact, and diagnostics."""

    _sections: dict[str, Any]
    diagnostics: dict[str, Any]
    """JSON values; training/card.py renders them."""
    fitted: TrainingSet
    """The rows it was fitted to, and the held-out ones: the newest, else the test's."""
    kept_back: TrainingSet

    def sections(self) -> dict[str, Any]:
        """``feature_schema``, ``scorecard``, ``calibration`` and ``grades`` of the artefact, format 2."""
        return self._sections

    def score(self, features: pd.DataFrame) -> NDArray[np.int64]:
        """Integer scores of rows (base and characteristics' points), by the sections alone."""
        return scoring.scores_of(self._sections, features)

    def pd_ppm(self, features: pd.DataFrame) -> NDArray[np.int64]:
        return scoring.pd_ppm(self._sections, self.score(features))


def train(training_set: TrainingSet, config: TrainingConfig) -> TrainedModel:
    """Train a scorecard. Deterministic for the same rows in any order and the same configuration.

    Raises:
        TrainingSetInvalid: the rows are unusable.
    """
    left_out = validate(training_set, config)
    # In one thread: parallel sums vary from run to run.
    with threadpool_limits(1):
        return _train(training_set.canonical(), config, left_out)


def _train(rows: TrainingSet, config: TrainingConfig, left_out: dict[str, str]) -> TrainedModel:
    parts = split(rows, config.split, config.seed)
    fitted = rows.take(parts.train)
    accepted = Sample.of(fitted.features, fitted.bad, fitted.weight)
    sample = reject.inferred(accepted, rows.features.iloc[parts.rejected], config, left_out)
    judged = path.choose(sample, config, left_out)
    step = path.final(sample, config, left_out, judged)
    sections = _sections(step, judged, sample, config, rows.outcome_kind)
    finished = Finished(rows, parts, config, left_out, sample, judged, step, sections)
    kept_back = parts.out_of_time if len(parts.out_of_time) else parts.test
    return TrainedModel(sections, diagnose(finished), fitted, rows.take(kept_back))


def _sections(
    step: path.Step, judged: path.Judged, sample: Sample, config: TrainingConfig, kind: str
) -> dict[str, Any]:
    cards = step.cards or [Card(SegmentConfig("all"), step.model)]
    segments = [scale.segment(card.segment, card.model, sample, config, kind) for card in cards]
    if not all(segment["characteristics"] for segment in segments):
        raise TrainingSetInvalid("nothing_predicts", "no feature tells enough to become a characteristic")
    used = sorted({axis["feature"] for card in segments for item in card["characteristics"] for axis in item["axes"]})
    bad, weight = sample.bad[judged.rows], sample.weight[judged.rows]
    score = np.rint(scale.to_score(judged.log_odds, config.scale))
    table = calibration.calibrate(score, bad, weight, config.scale)
    cutoff = _score_at(table, config.grades.cutoff_pd_ppm, int(score.min()))
    refer = config.grades.refer_pd_ppm
    refer_below = None if refer is None else _score_at(table, refer, int(score.min()))
    scale_told = {"base_score": config.scale.base_score, "base_odds": config.scale.base_odds, "pdo": config.scale.pdo}
    return {
        "feature_schema": scale.feature_schema(config, used),
        "scorecard": {
            "cutoff": cutoff,
            "refer_below": refer_below if refer_below is not None and refer_below > cutoff else None,
            "scale": scale_told,
            "segments": segments,
        },
        "calibration": table,
        "grades": grades.grade(score.astype(np.int64), bad, weight, cutoff, config.grades),
    }


def _score_at(table: list[dict[str, int]], most_ppm: int, lowest: int) -> int:
    """The lowest score whose default rate is not above this."""
    within = [entry["min_score"] for entry in table if entry["pd_ppm"] <= most_ppm]
    return max(within[-1], lowest) if within else table[0]["min_score"]
