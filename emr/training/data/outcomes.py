"""Made-up outcomes: a firm's probability of default by a published formula.

Nothing here is learnt from data. ``log-odds = BASE + STRENGTH × effects + noise``; the outcome is drawn from it. An
effect is linear between two values of a feature and constant outside, so signs and sizes can be read from the tables.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

Features = Mapping[str, int | str | bool | None]
BASE = -3.2
"""About 7 % of the made-up firms fail within the year."""
STRENGTH = 0.6
"""The features of a firm are correlated, so effects add up; weakened so that a perfect model's AUC is 0.8."""
NOISE = 0.55
"""Standard deviation, in log-odds, of what no feature explains."""
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Slope:
    """Log-odds of default along an integer feature."""

    feature: str
    low: int
    high: int
    at_low: float
    """Log-odds at `low`."""
    at_high: float
    missing: float = 0.0

    def of(self, features: Features) -> float:
        value = features.get(self.feature)
        if not isinstance(value, int) or isinstance(value, bool):
            return self.missing
        share = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return self.at_low + share * (self.at_high - self.at_low)


@dataclass(frozen=True)
class Classes:
    """Log-odds of default by a text feature's value; ``missing`` also applies to unlisted values."""

    feature: str
    values: Mapping[str, float]
    missing: float = 0.0

    def of(self, features: Features) -> float:
        return self.values.get(str(features.get(self.feature)), self.missing)


@dataclass(frozen=True)
class Both:
    """Log-odds added when two conditions hold, each ``above`` or below its bound."""

    first: tuple[str, int, bool]
    second: tuple[str, int, bool]
    log_odds: float

    def of(self, features: Features) -> float:
        return self.log_odds if all(_beyond(features, *side) for side in (self.first, self.second)) else 0.0


EFFECTS: tuple[Slope | Classes | Both, ...] = (
    Classes("tax_credit_rating", {"A": -0.35, "B": -0.10, "M": 0.05, "C": 0.50, "D": 0.90}, missing=0.20),
    Classes("industry", {"I65": -0.20, "M74": -0.15, "C39": -0.05, "F51": 0.05, "E50": 0.20, "H62": 0.30}),
    Classes("taxpayer_status", {"normal": 0.0}, missing=0.90),
    Slope("revenue_12m_minor", 200_000_000, 3_000_000_000, 0.25, -0.25, missing=0.25),
    Slope("revenue_growth_bps", -3_000, 2_000, 0.55, -0.25, missing=0.15),
    Slope("profit_margin_bps", -500, 1_500, 0.60, -0.35, missing=0.15),
    Slope("debt_ratio_bps", 3_000, 9_000, -0.35, 0.70, missing=0.15),
    Slope("current_ratio_bps", 8_000, 22_000, 0.25, -0.15, missing=0.05),
    Slope("tax_burden_bps", 50, 400, 0.20, -0.10, missing=0.05),
    Slope("tax_late_count_24m", 0, 8, -0.20, 0.80, missing=0.10),
    Slope("tax_arrears_minor", 0, 5_000_000, -0.05, 0.70, missing=0.10),
    Slope("invoice_volatility_bps", 1_000, 6_000, -0.25, 0.40, missing=0.10),
    Slope("invoice_trend_bps", -4_000, 2_000, 0.45, -0.20, missing=0.10),
    Slope("invoice_void_rate_bps", 100, 1_000, -0.10, 0.35),
    Slope("top_customer_share_bps", 1_500, 6_000, -0.12, 0.30, missing=0.05),
    Slope("company_age_months", 18, 120, 0.35, -0.25, missing=0.20),
    Slope("legal_rep_changes_24m", 0, 3, -0.05, 0.40),
    Slope("penalty_count_24m", 0, 3, -0.05, 0.45),
    Slope("pledge_active_count", 0, 4, -0.04, 0.30),
    Slope("defendant_case_open_count", 0, 3, -0.05, 0.50),
    Slope("enforcement_open_count", 0, 2, -0.03, 0.60),
    Slope("overdue_months_24m", 0, 4, -0.15, 0.95, missing=0.10),
    Slope("credit_utilisation_bps", 2_000, 9_500, -0.20, 0.40),
    Slope("debt_service_to_revenue_bps", 300, 3_000, -0.15, 0.45, missing=0.05),
    Slope("enquiry_count_6m", 0, 8, -0.15, 0.50),
    Slope("shop_refund_rate_bps", 200, 1_200, -0.08, 0.30),
    Slope("fraud_score", 60, 600, -0.10, 0.60),
    Slope("requested_to_revenue_bps", 300, 3_000, -0.20, 0.45, missing=0.10),
    # Debt is sustainable while sales grow, not when they fall.
    Both(("debt_ratio_bps", 6_000, True), ("revenue_growth_bps", 0, False), 0.45),
    # Many enquiries matter when credit is used up.
    Both(("enquiry_count_6m", 3, True), ("credit_utilisation_bps", 7_000, True), 0.40),
    # Late tax payments matter less with good margins.
    Both(("tax_late_count_24m", 2, True), ("profit_margin_bps", 400, False), 0.35),
)


def log_odds(features: Features) -> float:
    """Log-odds of default within a year, as far as features explain."""
    return BASE + STRENGTH * sum(effect.of(features) for effect in EFFECTS)


def probability(features: Features) -> float:
    """Probability of default within a year for these features, averaged over the noise."""
    # A logit averaged over normal noise is nearly a logit again, shrunk towards 0.5.
    return 1.0 / (1.0 + math.exp(-log_odds(features) / math.sqrt(1.0 + 0.346 * NOISE * NOISE)))


def defaulted(features: Features, *key: int | str) -> bool:
    """The firm's outcome; deterministic for a key, independent between keys."""
    noise = NOISE * _NORMAL.inv_cdf(_chance("noise", *key))
    return _chance("outcome", *key) < 1.0 / (1.0 + math.exp(-(log_odds(features) + noise)))


def _beyond(features: Features, name: str, bound: int, above: bool) -> bool:
    value = features.get(name)
    if not isinstance(value, int):
        return False
    return value >= bound if above else value < bound


def _chance(*key: int | str) -> float:
    """Uniform between 0 and 1, both excluded."""
    digest = hashlib.sha256("|".join(map(str, key)).encode()).digest()
    return (int.from_bytes(digest[:6], "big") + 0.5) / 2**48
