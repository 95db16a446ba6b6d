"""Fairness: approval, default rate, separation and calibration by group."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from training.config import TrainingConfig
from training.frame import TrainingSet

_LEAST_ROWS = 30
_MOST_GROUPS = 60


def fairness(
    rows: TrainingSet, score: NDArray[np.int64], rate: NDArray[np.float64], sections: dict[str, Any],
    config: TrainingConfig,
) -> list[dict[str, Any]]:  # fmt: skip
    """For each column of ``config.fairness`` its groups, and the four-fifths ratio of their approval rates.

    Groups with fewer than 30 rows are left out: their rates would be chance.
    """
    approved = score >= sections["scorecard"]["cutoff"]
    told = []
    for column in config.fairness:
        names = rows.features[column].astype("string").fillna("missing").to_numpy(dtype=object)
        counted = {str(name): int((names == name).sum()) for name in np.unique(names.astype(str))}
        largest = sorted(counted, key=lambda name: (-counted[name], name))[:_MOST_GROUPS]
        groups = [
            _group(name, names == name, rows.bad, approved, score, rate)
            for name in sorted(largest)
            if counted[name] >= _LEAST_ROWS
        ]
        rates = [group["approval_rate"] for group in groups]
        ratio = round(min(rates) / max(rates), 4) if rates and max(rates) > 0 else None
        told.append({"column": column, "groups": groups, "four_fifths_ratio": ratio})
    return told


def _group(
    name: str, inside: NDArray[np.bool_], bad: NDArray[np.int8], approved: NDArray[np.bool_],
    score: NDArray[np.int64], rate: NDArray[np.float64],
) -> dict[str, Any]:  # fmt: skip
    own = bad[inside]
    both = 0 < int((own == 1).sum()) < len(own)
    return {
        "group": name, "rows": len(own), "approval_rate": round(float(approved[inside].mean()), 5),
        "bad_rate": round(float((own == 1).mean()), 5), "foretold_rate": round(float(rate[inside].mean()), 5),
        "auc": round(float(roc_auc_score(own, -score[inside])), 5) if both else None,
    }  # fmt: skip
