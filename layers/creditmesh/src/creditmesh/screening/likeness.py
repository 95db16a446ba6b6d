"""How alike two names of one firm are written."""

from __future__ import annotations

from creditmesh.kernel.errors import InvalidInput
from creditmesh.screening.model import Kind
from creditmesh.screening.normalise import normalise, spelling
from creditmesh.screening.similarity import FULL, score_bps


def likeness_bps(one: str, other: str) -> int:
    """10,000 for names that only width, case, punctuation or simplified characters tell apart; less for all others."""
    if spelling(one) == spelling(other):
        return FULL
    try:
        return min(score_bps(normalise(Kind.NAME, one), normalise(Kind.NAME, other)), FULL - 1)
    except InvalidInput:  # a single letter, or nothing but a legal form
        return 0
