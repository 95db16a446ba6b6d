"""The results of a training run, for its reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.config import TrainingConfig
from training.frame import TrainingSet
from training.path import Judged, Step
from training.sample import Sample
from training.split import Split

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Finished:
    """All results of a training run."""

    rows: TrainingSet
    parts: Split
    config: TrainingConfig
    left_out: dict[str, str]
    sample: Sample
    judged: Judged
    step: Step
    sections: dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One part of the rows with its scores."""

    rows: TrainingSet
    score: Ints
    rate: NDArray[np.float64]
