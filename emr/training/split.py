"""Splits rows into fitted, test and newest ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.config import SplitConfig
from training.errors import TrainingSetInvalid
from training.frame import REJECTED, TrainingSet

TRAIN, TEST, OUT_OF_TIME, REJECTS = "train", "test", "out_of_time", "rejected"


@dataclass(frozen=True)
class Split:
    """Row numbers of each part."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    out_of_time: NDArray[np.intp]
    rejected: NDArray[np.intp]


def split(training_set: TrainingSet, settings: SplitConfig, seed: int) -> Split:
    """Split a set in canonical order; the seed shuffles within it.

    Raises:
        TrainingSetInvalid: ``one_class_only``, if a fitted or tested part lacks a class.
    """
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(len(training_set))
    bad = training_set.bad[shuffled]
    rejected = shuffled[bad == REJECTED]
    known = shuffled[bad != REJECTED]
    young = _young(training_set.observed[known], settings)
    rest, out_of_time = known[~young], known[young]
    test = np.zeros(len(rest), dtype=bool)
    for kind in (0, 1):
        places = np.flatnonzero(training_set.bad[rest] == kind)
        test[places[: round(len(places) * settings.test_share)]] = True
    cut = Split(rest[~test], rest[test], out_of_time, rejected)
    for name, rows in ((TRAIN, cut.train), (TEST, cut.test), (OUT_OF_TIME, cut.out_of_time)):
        if (len(rows) or name == TRAIN) and len(np.unique(training_set.bad[rows])) < 2:
            raise TrainingSetInvalid("one_class_only", f"the part «{name}» has rows of one class only")
    return cut


def _young(observed: NDArray[np.datetime64], settings: SplitConfig) -> NDArray[np.bool_]:
    if settings.out_of_time_from is not None:
        return np.asarray(observed >= np.datetime64(settings.out_of_time_from))
    if settings.out_of_time_share <= 0:
        return np.zeros(len(observed), dtype=bool)
    days = np.sort(observed)
    first = days[min(int(len(days) * (1 - settings.out_of_time_share)), len(days) - 1)]
    return np.asarray(observed >= first)
