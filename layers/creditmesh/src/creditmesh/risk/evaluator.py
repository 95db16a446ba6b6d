"""The artefact evaluated in plain Python, for one firm.

Order: list rules (a stop ends everything), admission rules, score, price, risk index, limit. Every number is an
integer. `creditmesh.risk.bulk` computes the same for columns of firms; a test proves both equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from creditmesh.kernel.unread import Unread
from creditmesh.risk.expression import Features, variables
from creditmesh.risk.model import (
    AMOUNT_CEILING_MINOR,
    BPS,
    MAX_DIMENSION_GRADE,
    Artefact,
    Grade,
    IfUnread,
    LimitMethod,
    LimitTerm,
    RiskIndex,
    Rule,
)
from creditmesh.risk.points import Characteristic, Segment
from creditmesh.risk.result import IndexResult, LimitSteps, PointsLine, RiskResult, Stage
from creditmesh.risk.rule_effects import audible


def evaluate(artefact: Artefact, features: Mapping[str, object], on: date) -> RiskResult:
    """Return the risk result for ``features`` by the rules in force on ``on``.

    Unknown features are None or absent; features that the artefact does not have are ignored.

    Raises:
        FeatureInvalid: a value's type is not the one in the artefact's feature schema.
    """
    known = artefact.checked(features)
    return _Evaluation(artefact.in_force(on), known, artefact.unread(known)).result()


@dataclass
class _Evaluation:
    """State of one evaluation; results of later stages are None or empty."""

    artefact: Artefact
    features: Features
    unread: Unread
    fired: list[Rule] = field(default_factory=list)
    undecided: list[Rule] = field(default_factory=list)
    """Rules that ask for a person because a source could not be read."""
    segment: Segment | None = None
    adjustment: int | None = None
    score: int | None = None
    points: tuple[PointsLine, ...] = ()
    grade: int | None = None
    limit_steps: LimitSteps | None = None
    risk_index: IndexResult | None = None

    def result(self) -> RiskResult:
        """Run the stages; the first that stops the firm decides."""
        if stage := self._rule_stop():
            return self._finished(stage, [self._reason_of(rule) for rule in self.fired if rule.outcome == "stop"])
        self._score()
        self.risk_index = _risk_index(self.artefact.risk_index, self.features)
        if self.grade is None or self._score_value < self.artefact.scorecard.cutoff:
            return self._finished("score", self._lost())
        if self.artefact.prices[self.grade].refused:
            return self._finished("price", [self.artefact.price.reason_code, *self._lost()])
        if self._index_outcome() == "stop":
            return self._finished("index", self._index_reasons())
        self.limit_steps = steps = self._limit(self.artefact.grades[self.grade])
        if steps.rounded_minor < steps.floor_minor:
            binding = next(item for item in self.artefact.limit.methods if item.id == steps.binding_method)
            reason = self.artefact.missing_reason_code if zero_terms(binding, self.features) else binding.reason_code
            return self._finished("limit", [self.artefact.limit.reason_code, reason])
        referrals = self._referrals()
        return self._finished("referred" if referrals else "approved", [code for codes in referrals for code in codes])

    @property
    def _score_value(self) -> int:
        return 0 if self.score is None else self.score

    def _rule_stop(self) -> Stage | None:
        """Apply the rules of each stage. A stop by a list hides the admission rules."""
        stages: tuple[tuple[str, Stage], ...] = (("lists", "blacklist"), ("admission", "admission"))
        for name, stage in stages:
            effects = [(rule, self._effect(rule)) for rule in self.artefact.rules if rule.stage == name]
            fired = [rule for rule, effect in effects if effect == "fire"]
            self.fired += fired
            self.undecided += [rule for rule, effect in effects if effect == "refer"]
            if any(rule.outcome == "stop" for rule in fired):
                return stage
        return None

    def _effect(self, rule: Rule) -> IfUnread:
        holds = rule.when.holds(self.features, self.unread)
        stops_or_refers = rule.outcome in ("stop", "refer")
        if holds is None and stops_or_refers and not self.unread.keys().isdisjoint(variables(rule.when)):
            return rule.if_unread
        return "fire" if (rule.fires_if_unknown if holds is None else holds) else "pass"

    def _reason_of(self, rule: Rule) -> str:
        """A rule over an unknown value has one reason only: that it is unknown."""
        unknown = rule.when.holds(self.features, self.unread) is None
        return self.artefact.missing_reason_code if unknown else rule.reason_code

    def _score(self) -> None:
        segments = self.artefact.scorecard.segments
        self.segment = next(
            item for item in segments if item.when is None or item.when.holds(self.features, self.unread)
        )
        self.points = tuple(_line(item, self.features) for item in self.segment.characteristics)
        self.adjustment = sum(rule.points for rule in self.fired)
        score = self.segment.base_points + self.adjustment + sum(line.points for line in self.points)
        grades = self.artefact.grades
        self.grade = next((i for i, grade in enumerate(grades) if score >= grade.min_score), None)
        self.score = score

    def _index_outcome(self) -> str:
        formula, found = self.artefact.risk_index, self.risk_index
        if formula is None or found is None:
            return "pass"
        return next(grade.outcome for grade in formula.grades if grade.grade == found.grade)

    def _index_reasons(self) -> list[str]:
        return [] if self.artefact.risk_index is None else [self.artefact.risk_index.reason_code]

    def _referrals(self) -> list[list[str]]:
        """Everything that asks for a referral, each with its reasons.

        A fast pass silences all but what could not be read and might have stopped the firm.
        """
        asking, methods = audible(self.fired, self.undecided), self.artefact.limit.methods
        found = [[self._reason_of(rule)] for rule in asking]
        if any(lacks_unread(method, self.features, self.unread) for method in methods):
            found.append([self.artefact.missing_reason_code])
        if any(rule.outcome == "fast_pass" for rule in self.fired):
            return found
        if self._index_outcome() == "refer":
            found.append(self._index_reasons())
        below = self.artefact.scorecard.refer_below
        if below is not None and self._score_value < below:
            found.append(self._lost())
        return found

    def _lost(self) -> list[str]:
        """Reason codes of lost points, most points first; ties in the order of the scorecard, then of the rules."""
        characteristics = self.segment.characteristics if self.segment else ()
        lost = [(line.lost, self._reason(item)) for line, item in zip(self.points, characteristics, strict=True)]
        lost += [(-rule.points, self._reason_of(rule)) for rule in self.fired if rule.points < 0]
        return [code for points, code in sorted(lost, key=lambda pair: -pair[0]) if points > 0]

    def _reason(self, item: Characteristic) -> str:
        """An unknown value has one reason only: that it is unknown."""
        unknown = any(self.features[axis.feature] is None for axis in item.axes)
        return self.artefact.missing_reason_code if unknown else item.reason_code

    def _limit(self, grade: Grade) -> LimitSteps:
        formula = self.artefact.limit
        values = [(method.id, _method_value(method, self.features, self.unread)) for method in formula.methods]
        known = [(value, name) for name, value in values if value is not None]
        least, binding = min(known, key=lambda pair: pair[0])
        factored = least * grade.limit_factor_bps // BPS
        return LimitSteps(
            methods=tuple(values),
            binding_method=binding,
            least_minor=least,
            grade_factor_bps=grade.limit_factor_bps,
            factored_minor=factored,
            step_minor=formula.step_minor,
            rounded_minor=factored - factored % formula.step_minor,
            floor_minor=formula.floor_minor,
        )

    def _finished(self, stage: Stage, reasons: Iterable[str]) -> RiskResult:
        artefact = self.artefact
        lent = stage in ("approved", "referred")
        grade = None if self.grade is None else artefact.grades[self.grade]
        return RiskResult(
            decision="approve" if stage == "approved" else "refer" if stage == "referred" else "decline",
            stage=stage,
            fired_rules=tuple(rule.id for rule in self.fired),
            unread_rules=tuple(rule.id for rule in self.undecided),
            segment=self.segment.id if self.segment else None,
            adjustment=self.adjustment,
            score=self.score,
            pd_ppm=None if self.score is None else _default_rate(artefact.calibration, self.score),
            points=self.points,
            grade=grade.grade if grade else None,
            pd_bps=grade.pd_bps if grade else None,
            annual_rate_bps=artefact.prices[self.grade].annual_rate_bps if lent and self.grade is not None else None,
            limit_minor=self.limit_steps.rounded_minor if lent and self.limit_steps else None,
            limit_steps=self.limit_steps,
            risk_index=self.risk_index,
            reasons=_first(reasons, artefact.max_reasons),
            price_reasons=_first(self._lost() if lent and self.grade else (), artefact.max_reasons),
            model_id=artefact.model_id,
            model_version=artefact.version,
            model_hash=artefact.content_hash,
        )


def _line(item: Characteristic, features: Features) -> PointsLine:
    cell = item.cell(features)
    return PointsLine(item.id, item.label(cell), item.points[cell], item.best_points - item.points[cell])


def _default_rate(calibration: Sequence[tuple[int, int]], score: int) -> int:
    """The rate of the first step that the score reaches; the last step covers all lower scores."""
    return next((rate for least, rate in calibration if score >= least), calibration[-1][1])


def _risk_index(formula: RiskIndex | None, features: Features) -> IndexResult | None:
    if formula is None:
        return None
    found = []
    for dimension in formula.dimensions:
        total = dimension.base + sum(item.points[item.cell(features)] for item in dimension.characteristics)
        found.append((dimension, min(max(total, 0), MAX_DIMENSION_GRADE)))
    index = sum(dimension.weight_bps * grade for dimension, grade in found) // 100
    grade = next(item.grade for item in formula.grades if index >= item.min_index)
    return IndexResult(index, grade, tuple((dimension.id, value) for dimension, value in found))


def zero_terms(method: LimitMethod, features: Features) -> list[LimitTerm]:
    """The terms whose features are all unknown and that make the method 0 for it."""
    return [term for term in method.terms if term.if_missing == "zero" and _term_value(term, features) is None]


def lacks_unread(method: LimitMethod, features: Features, unread: Unread) -> bool:
    """Whether the method would be 0 only for values that could not be read."""
    terms = zero_terms(method, features) if unread else []
    return bool(terms) and not any(unread.keys().isdisjoint(term.features) for term in terms)


def _method_value(method: LimitMethod, features: Features, unread: Unread) -> int | None:
    """The sum of the terms, at least 0. An unknown term may make the method 0 or not applicable (None).

    A method that would be 0 because a value could not be read is not applied: a person decides.
    """
    if method.amount_minor is not None:
        return method.amount_minor
    values = [(term, _term_value(term, features)) for term in method.terms]
    unknown = {term.if_missing for term, value in values if value is None}
    if "zero" in unknown:
        return None if lacks_unread(method, features, unread) else 0
    if "skip" in unknown:
        return None
    return max(sum(value for _, value in values if value is not None), 0)


def _term_value(term: LimitTerm, features: Features) -> int | None:
    """The greatest known feature, clipped to 0..ceiling, times the factor, rounded down."""
    known = [value for name in term.features if isinstance(value := features[name], int)]
    if not known:
        return None
    amount = min(max(*known, 0), AMOUNT_CEILING_MINOR) * abs(term.factor_bps) // BPS
    return amount if term.factor_bps >= 0 else -amount


def _first(codes: Iterable[str], count: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))[:count]
