"""The rows of a training run, and their validation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training import checks
from training.config import TrainingConfig
from training.errors import TrainingSetInvalid
from training.rows import canonical_order, column_bytes

__all__ = ["REJECTED", "OutcomeKind", "TrainingSet", "TrainingSetInvalid", "validate"]

OutcomeKind = Literal["observed", "simulated"]
REJECTED = -1


@dataclass(frozen=True)
class TrainingSet:
    """Applications with the data known at decision, and their outcomes.

    Args:
        name: of the set, for the model card.
        features: one column per feature: ``Int64`` (nullable), ``object`` of str or None, or nullable ``boolean``.
            Further columns are allowed (for the fairness table).
        bad: 1 defaulted, 0 not, -1 rejected, so that the outcome is unknown.
        observed: the day of each decision, for the out-of-time split.
        weight: of each row, not negative; 1 by default.
        outcome_kind: ``simulated`` for made-up outcomes; shown in the card and in every characteristic.
    """

    name: str
    features: pd.DataFrame
    bad: NDArray[np.int8]
    observed: NDArray[np.datetime64]
    weight: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    outcome_kind: OutcomeKind = "observed"

    def __post_init__(self) -> None:
        rows = len(self.features)
        weight = np.asarray(self.weight, dtype=np.float64)
        object.__setattr__(self, "features", self.features.reset_index(drop=True))
        object.__setattr__(self, "bad", np.asarray(self.bad, dtype=np.int8))
        object.__setattr__(self, "observed", np.asarray(self.observed, dtype="datetime64[D]"))
        object.__setattr__(self, "weight", np.ones(rows) if weight.size == 0 and rows else weight)
        if not len(self.bad) == len(self.observed) == len(self.weight) == rows:
            raise ValueError("features, bad, observed and weight must have one entry for each row")

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: NDArray[np.intp]) -> TrainingSet:
        return TrainingSet(
            self.name, self.features.iloc[rows], self.bad[rows], self.observed[rows], self.weight[rows],
            self.outcome_kind,
        )  # fmt: skip

    def canonical(self) -> TrainingSet:
        """The same rows in an order that depends on their content only."""
        return self.take(canonical_order(self._columns()))

    def content_hash(self) -> str:
        """``sha256:`` over names, types and values of all rows, regardless of order."""
        digest = hashlib.sha256()
        columns = self._columns()
        order = canonical_order(columns)
        for name in sorted(columns):
            for part in column_bytes(name, columns[name].take(order)):
                digest.update(part)
        return f"sha256:{digest.hexdigest()}"

    def _columns(self) -> dict[str, pd.Series]:
        columns = {f"feature:{name}": self.features[name] for name in self.features.columns}
        for name, values in (("bad", self.bad), ("observed", self.observed.astype(np.int64)), ("weight", self.weight)):
            columns[f"row:{name}"] = pd.Series(values)
        return columns


def validate(training_set: TrainingSet, config: TrainingConfig) -> dict[str, str]:
    """Refuse unusable rows.

    Returns:
        Features that are left out, with the reason; only if ``config.checks.unusable`` is ``drop``.

    Raises:
        TrainingSetInvalid: with the code of the first fault, and the columns.
    """
    checks.check_outcome(training_set.bad, training_set.weight, training_set.observed, config)
    checks.check_columns(training_set.features, config)
    known = training_set.bad != REJECTED
    frame, bad = training_set.features[known], training_set.bad[known]
    left_out = checks.unusable(frame, config)
    checks.check_leaks(frame, bad, config, left_out)
    return left_out
