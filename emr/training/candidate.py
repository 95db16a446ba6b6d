"""From training results to a candidate: its artefact, the baseline for drift, and its gates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from creditmesh.risk.artefact import Artefact, load
from creditmesh.risk.assembly import assemble
from training.scoring import cells, scores

SCORE_BAND = 20
"""The same width as in ``creditmesh.governance.drift``."""


def candidate(champion: str, sections: Mapping[str, Any]) -> tuple[dict[str, Any], Artefact]:
    """The candidate's document and model: the training results with the champion's policy.

    Whether they fit (e.g. an unknown reason code) is checked when the candidate is proposed.
    """
    document = assemble(json.loads(champion), sections)
    return document, load(json.dumps(document))


def baseline(artefact: Artefact, frame: pd.DataFrame) -> dict[str, Any]:
    """Count rows by score band and by cell of each characteristic: a ``creditmesh.governance.drift.Distribution``."""
    bands = Counter((scores(artefact, frame) // SCORE_BAND * SCORE_BAND).tolist())
    bins = {}
    for name, item in artefact.scorecard.named:
        found, counts = np.unique(cells(item, frame), return_counts=True)
        bins[name] = {item.label(int(cell)): int(count) for cell, count in zip(found, counts, strict=True)}
    return {"decisions": len(frame), "scores": {str(band): count for band, count in bands.items()}, "bins": bins}
