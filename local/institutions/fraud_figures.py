"""The anti-fraud service's data about a firm: a score, mostly low, and the hits behind it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from institutions.draw import clamp
from institutions.history import day_in, in_order, years
from institutions.population import Firm

MEDIUM_FROM, HIGH_FROM = 400, 700
_WINDOW_DAYS = 730
# Code, severity, yearly frequency for an ordinary firm.
_SIGNALS = (
    ("shared_address", "low", 0.05),
    ("frequent_applications", "low", 0.03),
    ("shared_contact", "medium", 0.015),
    ("circular_invoicing", "medium", 0.010),
    ("document_mismatch", "high", 0.006),
    ("linked_to_fraud_case", "high", 0.004),
)
_WEIGHT = {"low": 60, "medium": 220, "high": 420}


def anti_fraud_data(firm: Firm, as_of: date) -> dict[str, Any]:
    """The service's data about a firm on a day, as third information of the kind ``anti_fraud``."""
    hits = _hits(firm, as_of)
    score = _score(firm, hits)
    return {
        "taxpayer_id": firm.taxpayer_id,
        "score": score,
        "level": "high" if score >= HIGH_FROM else "medium" if score >= MEDIUM_FROM else "low",
        "hits": hits,
        "checked_at": f"{as_of.isoformat()}T00:00:00Z",
    }


def _hits(firm: Firm, as_of: date) -> list[dict[str, Any]]:
    first = max(firm.established_on, as_of - timedelta(days=_WINDOW_DAYS))
    # Disciplined firms have less than half of the usual hits, the best none.
    proneness = clamp(1.0 - 0.8 * firm.factors.discipline - 0.2 * firm.factors.quality, 0.0, 6.0)
    found = []
    for year in years(firm, as_of, 2):
        for code, severity, usual in _SIGNALS:
            draw = firm.draw("fraud", code, year)
            if draw.chance(usual * proneness) and first <= (on := day_in(draw, year)) <= as_of:
                found.append({"code": code, "severity": severity, "on": on.isoformat()})
    return in_order(found, "on")


def _score(firm: Firm, hits: list[dict[str, Any]]) -> int:
    base = 130.0 - 35.0 * firm.factors.discipline - 15.0 * firm.factors.quality + 35.0 * firm.draw("fraud").normal()
    return int(clamp(clamp(base, 5.0, 350.0) + sum(_WEIGHT[hit["severity"]] for hit in hits), 0.0, 1000.0))
