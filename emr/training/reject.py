"""Reject inference: assumed outcomes of declined applications. Off by default.

Their outcome is unknown, so each method is an assumption, which the model card names.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from training import logistic
from training.config import TrainingConfig
from training.sample import Sample

Floats = NDArray[np.float64]
_BANDS = 10
_MOST_WEIGHT = 10.0


def inferred(accepted: Sample, rejected: pd.DataFrame, config: TrainingConfig, left_out: dict[str, str]) -> Sample:
    """The rows to fit on, including the rejected.

    ``reweighting``: accepted rows represent similar rejected ones, weighted by the inverse probability of acceptance.
    ``fuzzy``: each rejected row counts twice, as a default and as none, by its probability under a model of the
    accepted.
    ``parcelling``: rejected rows of a band of that probability get outcomes in the band's proportion.
    The latter two multiply the odds of default of the rejected by ``config.reject_prudence``.
    """
    if config.reject_inference == "none" or rejected.empty:
        return accepted
    if config.reject_inference == "reweighting":
        return _reweighted(accepted, rejected, config, left_out)
    found = logistic.choices(accepted, config, left_out)
    model = logistic.fit(accepted, config, found)
    other = Sample.of(rejected, np.zeros(len(rejected), dtype=np.int8), np.ones(len(rejected)))
    log_odds = model.predict(other.rows) + np.log(config.reject_prudence)
    if config.reject_inference == "fuzzy":
        return _fuzzy(accepted, rejected, expit(log_odds))
    return _parcelled(accepted, rejected, expit(log_odds))


def _reweighted(accepted: Sample, rejected: pd.DataFrame, config: TrainingConfig, left_out: dict[str, str]) -> Sample:
    frame = pd.concat([accepted.rows.frame, rejected], ignore_index=True)
    turned_down = np.repeat(np.array([0, 1], dtype=np.int8), [len(accepted), len(rejected)])
    both = Sample.of(frame, turned_down, np.concatenate([accepted.weight, np.ones(len(rejected))]))
    model = logistic.fit(both, config, logistic.choices(both, config, left_out))
    # 1 / P(acceptance) is 1 plus the odds of rejection.
    factor = np.minimum(1.0 + np.exp(model.predict(accepted.rows)), _MOST_WEIGHT)
    return Sample.of(accepted.rows.frame, accepted.bad, accepted.weight * factor)


def _fuzzy(accepted: Sample, rejected: pd.DataFrame, chance: Floats) -> Sample:
    frame = pd.concat([accepted.rows.frame, rejected, rejected], ignore_index=True)
    outcome = np.repeat(np.array([1, 0], dtype=np.int8), len(rejected))
    weight = np.concatenate([accepted.weight, chance, 1 - chance])
    return Sample.of(frame, np.concatenate([accepted.bad, outcome]), weight)


def _parcelled(accepted: Sample, rejected: pd.DataFrame, chance: Floats) -> Sample:
    """Outcomes spread evenly within each band: a default each time the sum of probabilities passes an integer."""
    outcome = np.zeros(len(rejected), dtype=np.int8)
    ranks = np.argsort(np.argsort(chance, kind="stable"), kind="stable")
    bands = ranks * _BANDS // len(chance)
    for band in range(_BANDS):
        rows = np.flatnonzero(bands == band)
        if len(rows):
            total = np.cumsum(np.full(len(rows), chance[rows].mean())) + 0.5
            outcome[rows] = np.diff(np.floor(total), prepend=0.0) > 0
    frame = pd.concat([accepted.rows.frame, rejected], ignore_index=True)
    weight = np.concatenate([accepted.weight, np.ones(len(rejected))])
    return Sample.of(frame, np.concatenate([accepted.bad, outcome]), weight)
