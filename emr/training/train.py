"""Training: rows and a configuration in, the sections of an artefact and what a model card tells out (C14, M07)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.config import TrainingConfig
from training.frame import TrainingSet


@dataclass(frozen=True)
class TrainedModel:
    """A candidate: what the artefact takes over, and what was found on the way."""

    _sections: dict[str, Any]
    #: JSON-able; training/card.py makes the model card of it.
    diagnostics: dict[str, Any]

    def sections(self) -> dict[str, Any]:
        """``feature_schema``, ``scorecard``, ``calibration`` and ``grades`` of the artefact, format 2."""
        raise NotImplementedError

    def score(self, features: pd.DataFrame) -> NDArray[np.int64]:
        """Integer scores of rows (base and characteristics' points), by the sections alone."""
        raise NotImplementedError

    def pd_ppm(self, features: pd.DataFrame) -> NDArray[np.int64]:
        """Calibrated default rates of rows, in parts per million."""
        raise NotImplementedError


def train(training_set: TrainingSet, config: TrainingConfig) -> TrainedModel:
    """Train a scorecard.

    Raises:
        TrainingSetInvalid: the rows cannot be learnt from.
    """
    raise NotImplementedError
