"""The artefact evaluated in plain Python, for one firm at a time (C12-C15, M06, M09, M10).

Blacklist first, and a hit stops everything; then all admission rules; then score, grade and limit. Every number is an
integer. ``creditmesh.risk.spark`` says the same in Spark SQL, and tests/spark proves the two equal.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from creditmesh.risk.expression import FeatureValue, evaluate_condition
from creditmesh.risk.model import AMOUNT_CEILING_MINOR, BPS, Artefact, Characteristic, Grade, LimitMethod, Rule
from creditmesh.risk.result import LimitSteps, PointsLine, RiskResult, Stage


def evaluate(artefact: Artefact, features: Mapping[str, object]) -> RiskResult:
    """Return the risk result for ``features``; unknown features are None or absent, others than the artefact's ignored.

    Raises:
        FeatureInvalid: a value's type is not the one in the artefact's feature schema.
    """
    known = artefact.checked(features)
    stages: tuple[tuple[Stage, Sequence[Rule]], ...] = (
        ("blacklist", artefact.blacklist),
        ("admission", artefact.admission),
    )
    for stage, rules in stages:
        if fired := [rule for rule in rules if _fires(rule, known)]:
            reasons = [rule.reason_code for rule in fired]
            return _result(artefact, stage, reasons, fired_rules=tuple(rule.id for rule in fired))
    return _score(artefact, known)


def _fires(rule: Rule, features: Mapping[str, FeatureValue]) -> bool:
    outcome = evaluate_condition(rule.when, features)
    return rule.fires_if_unknown if outcome is None else outcome


def _score(artefact: Artefact, features: Mapping[str, FeatureValue]) -> RiskResult:
    card = artefact.scorecard
    lines = tuple(_points(item, features[item.feature]) for item in card.characteristics)
    score = card.base_points + sum(line.points for line in lines)
    grade = next((grade for grade in artefact.grades if score >= grade.min_score), None)
    if grade is None or score < card.cutoff:
        return _result(artefact, "score", _lost_points_reasons(artefact, lines), score=score, points=lines, grade=grade)
    steps = _limit_steps(artefact, features, grade)
    if steps.rounded_minor < steps.floor_minor:
        binding = next(item for item in artefact.limit.methods if item.id == steps.binding_method)
        reasons = [artefact.limit.reason_code, binding.reason_code]
        return _result(artefact, "limit", reasons, score=score, points=lines, grade=grade, limit_steps=steps)
    return _result(artefact, "approved", [], score=score, points=lines, grade=grade, limit_steps=steps)


def _points(item: Characteristic, value: FeatureValue) -> PointsLine:
    index = _bin_index(item, value)
    return PointsLine(item.id, item.labels[index], item.points[index], item.best_points - item.points[index])


def _bin_index(item: Characteristic, value: FeatureValue) -> int:
    if value is None:
        return item.missing_index
    if item.numeric_bins and isinstance(value, int):
        return bisect_right(item.numeric_bins[:-1], value, key=lambda numeric: numeric.upper or 0)
    for index, category in enumerate(item.category_bins):
        if value in category.values:
            return index
    return item.other_index


def _lost_points_reasons(artefact: Artefact, lines: Sequence[PointsLine]) -> list[str]:
    """Codes of the characteristics that lost points, most lost first, scorecard order among equals."""
    pairs = zip(lines, artefact.scorecard.characteristics, strict=True)
    losing = sorted((pair for pair in pairs if pair[0].lost > 0), key=lambda pair: -pair[0].lost)
    return [item.reason_code for _, item in losing]


def _limit_steps(artefact: Artefact, features: Mapping[str, FeatureValue], grade: Grade) -> LimitSteps:
    formula = artefact.limit
    values = [(method.id, _method_value(method, features)) for method in formula.methods]
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


def _method_value(method: LimitMethod, features: Mapping[str, FeatureValue]) -> int | None:
    """The greatest known feature, cut to 0..ceiling, times the factor, rounded down."""
    if method.amount_minor is not None:
        return method.amount_minor
    known = [value for name in method.features if isinstance(value := features[name], int)]
    if not known:
        return 0 if method.zero_if_missing else None
    return min(max(*known, 0), AMOUNT_CEILING_MINOR) * method.factor_bps // BPS


def _result(
    artefact: Artefact,
    stage: Stage,
    reasons: Iterable[str],
    *,
    fired_rules: tuple[str, ...] = (),
    score: int | None = None,
    points: tuple[PointsLine, ...] = (),
    grade: Grade | None = None,
    limit_steps: LimitSteps | None = None,
) -> RiskResult:
    approved = stage == "approved"
    return RiskResult(
        decision="approve" if approved else "decline",
        stage=stage,
        fired_rules=fired_rules,
        score=score,
        points=points,
        grade=grade.grade if grade else None,
        pd_bps=grade.pd_bps if grade else None,
        annual_rate_bps=grade.annual_rate_bps if grade and approved else None,
        limit_minor=limit_steps.rounded_minor if limit_steps and approved else None,
        limit_steps=limit_steps,
        reasons=tuple(dict.fromkeys(reasons))[: artefact.max_reasons],
        model_id=artefact.model_id,
        model_version=artefact.version,
        model_hash=artefact.content_hash,
    )
