"""The anti-fraud service's answer: score, level and hits."""

from __future__ import annotations

from datetime import date

from creditmesh.features.answer import Answer, Row
from creditmesh.features.schema import LEVELS, Values
from creditmesh.features.sources.common import listed

_MOST = 1_000


def clean(answer: Answer, as_of: date) -> Values:
    """The clean row's sections of ``anti_fraud``; the features' windows exclude hits of later days."""
    root = answer.root()
    values = {"score": root.count("score", _MOST), "level": root.choice("level", LEVELS)}
    return {"fraud": values if root.present else None, "fraud_hits": listed(answer, "hits", _hit)}


def _hit(row: Row) -> Values:
    return {"severity": row.choice("severity", LEVELS), "on": row.day("on")}
