"""The decision model: all that a decision is made from, as one frozen, hashed, versioned value (C11-C15, S10).

The format is described in docs/risk-model.md and, for tools, in models/artefact.schema.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from creditmesh.risk.document import INT64_MAX, INT64_MIN, encodable
from creditmesh.risk.errors import FeatureInvalid
from creditmesh.risk.expression import Condition, FeatureType, FeatureValue

FORMAT_VERSION = 1
LANGUAGES = ("zh-CN", "en")
UNITS = ("minor", "bps", "months", "count", "none")
BPS = 10_000
#: Amounts enter the limit formula cut to 0..this, so that every product fits 64 bits in every engine.
AMOUNT_CEILING_MINOR = 10**15
MAX_FACTOR_BPS = 10**6

Texts = Mapping[str, str]


@dataclass(frozen=True)
class Feature:
    """One input: its type, the unit of its integers, and its name in every language."""

    name: str
    type: FeatureType
    unit: str
    label: Texts


@dataclass(frozen=True)
class Rule:
    """A blacklist or admission rule; it fires when its condition is true, or unknown where the rule says so."""

    id: str
    when: Condition
    fires_if_unknown: bool
    reason_code: str


@dataclass(frozen=True)
class NumericBin:
    """Values from the previous bin's upper bound up to, not including, ``upper``; None means no bound."""

    upper: int | None
    points: int


@dataclass(frozen=True)
class CategoryBin:
    """Values that are one of ``values``."""

    values: tuple[int | str | bool, ...]
    points: int


@dataclass(frozen=True)
class Characteristic:
    """One feature of the scorecard. ``labels`` and ``points`` list its bins in order, then «other», then «missing»."""

    id: str
    feature: str
    numeric_bins: tuple[NumericBin, ...]
    category_bins: tuple[CategoryBin, ...]
    reason_code: str
    labels: tuple[str, ...]
    points: tuple[int, ...]

    @property
    def missing_index(self) -> int:
        """Index of the bin for unknown values."""
        return len(self.labels) - 1

    @property
    def other_index(self) -> int:
        """Index of the bin for categories that no bin names; a numeric characteristic never uses it."""
        return len(self.labels) - 2

    @property
    def best_points(self) -> int:
        """Most points any bin gives; what a firm lost is counted from here."""
        return max(self.points)


@dataclass(frozen=True)
class Scorecard:
    """Score = base points + the points of every characteristic (C14); below the cutoff the firm is declined."""

    base_points: int
    cutoff: int
    characteristics: tuple[Characteristic, ...]


@dataclass(frozen=True)
class Grade:
    """Scores from ``min_score`` upwards: average default rate, price and share of the limit (M09, M10)."""

    grade: str
    min_score: int
    pd_bps: int
    annual_rate_bps: int
    limit_factor_bps: int


@dataclass(frozen=True)
class LimitMethod:
    """One upper bound of the limit: a factor on the greatest known of some features, or a fixed amount."""

    id: str
    features: tuple[str, ...]
    factor_bps: int
    amount_minor: int | None
    zero_if_missing: bool
    reason_code: str
    label: Texts


@dataclass(frozen=True)
class LimitFormula:
    """Limit = least method × grade factor, down to a whole step; below the floor it is a decline (C15, M10)."""

    methods: tuple[LimitMethod, ...]
    step_minor: int
    floor_minor: int
    reason_code: str


@dataclass(frozen=True)
class Artefact:
    """The whole decision model."""

    model_id: str
    version: str
    content_hash: str
    currency: str
    feature_schema: str
    features: Mapping[str, Feature]
    blacklist: tuple[Rule, ...]
    admission: tuple[Rule, ...]
    scorecard: Scorecard
    grades: tuple[Grade, ...]
    limit: LimitFormula
    max_reasons: int
    reasons: Mapping[str, Texts]

    def checked(self, features: Mapping[str, object]) -> dict[str, FeatureValue]:
        """Return the artefact's own features with values of the right type; absent ones are None, others dropped.

        Raises:
            FeatureInvalid: a value has another type, is no 64-bit integer or no valid text.
        """
        return {name: _checked(feature, features.get(name)) for name, feature in self.features.items()}


def _checked(feature: Feature, value: object) -> FeatureValue:
    if value is None:
        return None
    if feature.type == "boolean" and isinstance(value, bool):
        return value
    if feature.type == "integer" and isinstance(value, int) and not isinstance(value, bool):
        if INT64_MIN <= value <= INT64_MAX:
            return value
        raise FeatureInvalid(feature.name, "is a 64-bit integer")
    if feature.type == "string" and isinstance(value, str):
        if encodable(value):
            return value
        raise FeatureInvalid(feature.name, "is valid text")
    raise FeatureInvalid(feature.name, f"is of type {feature.type}")
