"""The decision model as one frozen, hashed, versioned value.

The format is described in docs/reference/risk-model.md and models/artefact.schema.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, Literal, get_args

from creditmesh.kernel.unread import UNREAD, Unread, read_unread
from creditmesh.risk.expression import Condition, FeatureType, FeatureValue
from creditmesh.risk.points import Characteristic, Scorecard
from creditmesh.risk.values import typed_value, unusable

FORMAT_VERSION = 2
LANGUAGES = ("zh-CN", "en")
STAGES = ("lists", "admission")
Unit = Literal["minor", "bps", "months", "count", "none"]
Source = Literal["borrower", "merchant", "third_party", "system"]
SOURCES: tuple[Source, ...] = get_args(Source)
Aspect = Literal["authenticity", "ability", "willingness"]
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
BPS = 10_000
AMOUNT_CEILING_MINOR = 10**15
"""Amounts are clipped to 0..this in the limit formula, so that every product fits 64 bits."""
MAX_FACTOR_BPS = 10**6
MAX_DIMENSION_GRADE = 100
"""Highest grade in one dimension of the risk index."""

Texts = Mapping[str, str]
Outcome = Literal["stop", "refer", "pass", "fast_pass", "adjust"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
IfUnread = Literal["fire", "pass", "refer"]


@dataclass(frozen=True)
class Feature:
    """One input: type, unit, source, and name in every language."""

    name: str
    type: FeatureType
    unit: Unit
    source: Source
    label: Texts


@dataclass(frozen=True)
class Reason:
    """A reason in plain language, and the standard adverse-action code it is reported under."""

    text: Texts
    adverse_action: str


@dataclass(frozen=True)
class Rule:
    """A rule over features. It fires if its condition is true, or unknown where the rule says so.

    If a ``stop`` or ``refer`` rule is undecided because a source could not be read, ``if_unread`` says what happens:
    it fires, passes or, by default, asks for a person, as no rule may let a firm through for lack of data it asked for.

    ``stop`` declines. ``refer`` asks for a person, unless a ``pass`` rule of at least the same priority fires.
    ``fast_pass`` silences every referral. ``adjust`` adds ``points`` to the score. Within a stage, rules are ordered by
    descending priority. A rule is in force from ``effective_from`` until ``effective_until``, exclusive.
    """

    id: str
    stage: Literal["lists", "admission"]
    when: Condition
    fires_if_unknown: bool
    if_unread: IfUnread
    outcome: Outcome
    points: int
    priority: int
    aspect: Aspect
    effective_from: date | None
    effective_until: date | None
    reason_code: str
    label: Texts

    def in_force(self, on: date) -> bool:
        begun = self.effective_from is None or self.effective_from <= on
        return begun and (self.effective_until is None or on < self.effective_until)


@dataclass(frozen=True)
class Grade:
    """A band of scores from ``min_score`` up: average default rate with confidence band, margin, share of the limit."""

    grade: str
    min_score: int
    pd_bps: int
    pd_low_bps: int
    pd_high_bps: int
    margin_bps: int
    limit_factor_bps: int


@dataclass(frozen=True)
class PriceTable:
    """Rate = funding + expected loss + cost + the grade's margin, up to a legal cap."""

    funding_bps: int
    lgd_bps: int
    cost_bps: int
    cap_bps: int
    declines_above_cap: bool
    reason_code: str

    def steps(self, grade: Grade) -> PriceSteps:
        """Return the steps to ``grade``'s rate; expected loss is rounded up to a basis point."""
        expected_loss = -(-grade.pd_bps * self.lgd_bps // BPS)
        uncapped = self.funding_bps + expected_loss + self.cost_bps + grade.margin_bps
        return PriceSteps(
            funding_bps=self.funding_bps,
            expected_loss_bps=expected_loss,
            cost_bps=self.cost_bps,
            margin_bps=grade.margin_bps,
            uncapped_bps=uncapped,
            cap_bps=self.cap_bps,
            annual_rate_bps=min(uncapped, self.cap_bps),
            refused=self.declines_above_cap and uncapped > self.cap_bps,
        )


@dataclass(frozen=True)
class PriceSteps:
    """Steps to a grade's rate, in basis points a year; ``refused``: above the cap, so not lent at all."""

    funding_bps: int
    expected_loss_bps: int
    cost_bps: int
    margin_bps: int
    uncapped_bps: int
    cap_bps: int
    annual_rate_bps: int
    refused: bool


@dataclass(frozen=True)
class LimitTerm:
    """A share of the greatest known feature; ``if_missing`` applies if all are unknown.

    ``skip``: the method does not apply; ``zero``: the method is 0; ``ignore``: the term counts as 0.
    """

    features: tuple[str, ...]
    factor_bps: int
    if_missing: Literal["skip", "zero", "ignore"]


@dataclass(frozen=True)
class LimitMethod:
    """One upper bound of the limit: a sum of terms, at least 0, or a fixed amount."""

    id: str
    terms: tuple[LimitTerm, ...]
    amount_minor: int | None
    reason_code: str
    label: Texts


@dataclass(frozen=True)
class LimitFormula:
    """Limit = least method × grade factor, rounded down to a whole step; below the floor the firm is declined."""

    methods: tuple[LimitMethod, ...]
    step_minor: int
    floor_minor: int
    reason_code: str


@dataclass(frozen=True)
class Dimension:
    """One dimension of the risk index: grade gₖ = base + points, clipped to 0..100; 100 is the highest risk."""

    id: str
    label: Texts
    weight_bps: int
    base: int
    characteristics: tuple[Characteristic, ...]


@dataclass(frozen=True)
class IndexGrade:
    """A band of the risk index from ``min_index`` up, and its effect."""

    grade: str
    min_index: int
    outcome: Literal["pass", "refer", "stop"]


@dataclass(frozen=True)
class RiskIndex:
    """R = Σ wₖ·gₖ, in hundredths: 0..10,000."""

    dimensions: tuple[Dimension, ...]
    grades: tuple[IndexGrade, ...]
    reason_code: str


@dataclass(frozen=True)
class TestCase:
    """A firm with its expected result, kept with the model and checked before release."""

    name: str
    on: date
    features: Mapping[str, FeatureValue]
    expected: Mapping[str, Any]


@dataclass(frozen=True)
class Artefact:
    """The whole decision model. ``rules`` are ordered by stage, priority, then position in the document.

    ``missing_reason_code`` is the reason for points lost because a feature is unknown.
    """

    model_id: str
    version: str
    content_hash: str
    currency: str
    feature_schema: str
    features: Mapping[str, Feature]
    rules: tuple[Rule, ...]
    scorecard: Scorecard
    calibration: tuple[tuple[int, int], ...]
    grades: tuple[Grade, ...]
    price: PriceTable
    limit: LimitFormula
    risk_index: RiskIndex | None
    max_reasons: int
    missing_reason_code: str
    reasons: Mapping[str, Reason]
    tests: tuple[TestCase, ...]

    @cached_property
    def prices(self) -> tuple[PriceSteps, ...]:
        return tuple(self.price.steps(grade) for grade in self.grades)

    @cached_property
    def characteristics(self) -> tuple[Characteristic, ...]:
        cards = [segment.characteristics for segment in self.scorecard.segments]
        cards += [dimension.characteristics for dimension in (self.risk_index.dimensions if self.risk_index else ())]
        return tuple(item for card in cards for item in card)

    def in_force(self, on: date) -> Artefact:
        """Return the model with only the rules in force on ``on``; the same object if that is all of them."""
        rules = tuple(rule for rule in self.rules if rule.in_force(on))
        return self if len(rules) == len(self.rules) else replace(self, rules=rules)

    def checked(self, features: Mapping[str, object]) -> dict[str, FeatureValue]:
        """Return the artefact's features with values of the right type: absent ones None, others but `UNREAD` dropped.

        Numbers are rounded down and clipped to 64 bits; NaN and infinities are unknown.

        Raises:
            FeatureInvalid: a value has another type or is not valid text.
        """
        found = {name: typed_value(name, feature.type, features.get(name)) for name, feature in self.features.items()}
        if (unread := features.get(UNREAD)) is not None:
            found[UNREAD] = typed_value(UNREAD, "string", unread)
        return found

    def unread(self, checked: Mapping[str, FeatureValue]) -> Unread:
        """Return the unknown features of ``checked`` that could not be read, with their sources."""
        told = read_unread(str(checked.get(UNREAD) or ""))
        return {name: told[name] for name in told if name in self.features and checked[name] is None}

    def findings(self, features: Mapping[str, object]) -> list[tuple[str, str]]:
        """Features that count as unknown without being None: absent from the input, or not a number."""
        found = []
        for name in self.features:
            if name not in features:
                found.append((name, "absent"))
            elif unusable(features[name]):
                found.append((name, "not_a_number"))
        return found
