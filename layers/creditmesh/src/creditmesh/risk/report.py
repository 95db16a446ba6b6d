"""The assessment report: what was decided about a firm and why, for people and machines.

``build_report`` makes a JSON document; ``render_html`` renders it as a self-contained page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from creditmesh.risk.condition_words import condition_words
from creditmesh.risk.expression import FeatureValue, variables
from creditmesh.risk.model import LANGUAGES, Artefact, Feature
from creditmesh.risk.points import Axis, Characteristic, Segment
from creditmesh.risk.report_words import PLATFORM_REASONS, WORDS, bin_words, format_value, money
from creditmesh.risk.unknown import Unknown

REPORT_VERSION = 2


def build_report(
    application_id: str,
    firm_name: str,
    requested: Mapping[str, Any],
    risk_result: Mapping[str, Any],
    artefact: Artefact,
    features: Mapping[str, Any],
    sources: Sequence[Mapping[str, Any]],
    engine: str,
    decided_at: str,
    rules_of: date,
    referred_for: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the report as JSON values, in every language of the artefact.

    Args:
        requested: ``amount`` (string with two decimals), ``currency``, ``term_months``.
        risk_result: ``RiskResult.to_dict()``.
        features: the key data; becomes part of the report, so that the decision can be replayed.
        sources: ``source, channel, fetched_at, sha256`` of each raw answer.
        engine: ``spark`` or ``python``.
        decided_at: ISO 8601 instant.
        rules_of: the day whose rules decided; a replay needs it with model and features.
        referred_for: why the platform refers what the model approves; of `PLATFORM_REASONS`.

    Raises:
        ValueError: the result was made by another model than ``artefact``.
    """
    if risk_result["model_hash"] != artefact.content_hash:
        raise ValueError(f"the result was made by {risk_result['model_hash']}, not by {artefact.content_hash}")
    known = artefact.checked(features)
    unknown = Unknown(artefact.in_force(rules_of), known)
    return {
        "report_version": REPORT_VERSION,
        "application_id": application_id,
        "firm_name": firm_name,
        "decided_at": decided_at,
        "rules_of": rules_of.isoformat(),
        "requested": dict(requested),
        "currency": artefact.currency,
        "decision": "refer" if referred_for else risk_result["decision"],
        "result": dict(risk_result),
        "cutoff": artefact.scorecard.cutoff,
        "base_points": _base_points(artefact, risk_result),
        "points": _points_lines(artefact, risk_result, known, unknown),
        "reasons": [
            *_reasons(artefact, risk_result["reasons"], unknown, unknown.of_result(risk_result)),
            *map(_platform_reason, referred_for),
        ],
        "price_reasons": _reasons(artefact, risk_result["price_reasons"], unknown, unknown.of_points(risk_result)),
        "fired_rules": [_rule_line(artefact, rule_id, known, unknown) for rule_id in risk_result["fired_rules"]],
        "unread_rules": [_rule_line(artefact, rule_id, known, unknown) for rule_id in risk_result["unread_rules"]],
        "limit_methods": _method_lines(artefact, risk_result["limit_steps"], unknown),
        "price": _price_steps(artefact, risk_result),
        "risk_index": _index_lines(artefact, risk_result["risk_index"]),
        "features": known,
        "quality": [
            {"feature": name, "label": dict(artefact.features[name].label), "finding": finding}
            for name, finding in artefact.findings(features)
        ],
        "sources": [dict(source) for source in sources],
        "versions": {
            "model_id": artefact.model_id,
            "model_version": artefact.version,
            "model_hash": artefact.content_hash,
            "feature_schema": artefact.feature_schema,
            "engine": engine,
        },
    }


def render_html(report: Mapping[str, Any], language: str) -> str:
    """Return the report as an HTML page in ``language`` (``zh-CN`` or ``en``).

    Args:
        report: as ``build_report`` made it; ``referral``, if any, has a person's ``decision``, ``decided_at``,
            ``role``, ``subject`` and ``note``. Parts that the reader may not see are missing, like their sections.

    Raises:
        ValueError: the artefact does not have the language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}")
    return _TEMPLATES.get_template("report.html").render(report=report, language=language, words=WORDS[language])


def _segment(artefact: Artefact, result: Mapping[str, Any]) -> Segment | None:
    return next((item for item in artefact.scorecard.segments if item.id == result["segment"]), None)


def _base_points(artefact: Artefact, result: Mapping[str, Any]) -> int | None:
    segment = _segment(artefact, result)
    return None if segment is None else segment.base_points


def _points_lines(
    artefact: Artefact, result: Mapping[str, Any], features: Mapping[str, FeatureValue], unknown: Unknown
) -> list[dict[str, Any]]:
    """The result's lines with names and values of the features, and the bins in words."""
    segment = _segment(artefact, result)
    pairs = zip(result["points"], segment.characteristics if segment else (), strict=True)
    return [_points_line(artefact, line, item, features, unknown) for line, item in pairs]


def _points_line(
    artefact: Artefact,
    line: Mapping[str, Any],
    item: Characteristic,
    features: Mapping[str, FeatureValue],
    unknown: Unknown,
) -> dict[str, Any]:
    inputs = [artefact.features[axis.feature] for axis in item.axes]
    values = [unknown.value(each) for each in inputs]
    return {
        **line,
        "label": _in_each(lambda language: _joined(each.label[language] for each in inputs)),
        "value": _in_each(lambda language: _joined(value[language] for value in values)),
        "bin_text": _in_each(lambda language: _cell_text(artefact, item, features, language)),
        "best_points": item.best_points,
        "evidence": item.evidence,
        "reason": dict(artefact.reasons[item.reason_code].text),
    }


def _in_each(words: Callable[[str], str]) -> dict[str, str]:
    return {language: words(language) for language in LANGUAGES}


def _joined(parts: Iterable[str]) -> str:
    return " × ".join(parts)


def _cell_text(artefact: Artefact, item: Characteristic, features: Mapping[str, FeatureValue], language: str) -> str:
    pairs = zip(item.axes, item.bins(item.cell(features)), strict=True)
    return _joined(_bin_text(axis, artefact.features[axis.feature], index, language) for axis, index in pairs)


def _bin_text(axis: Axis, feature: Feature, index: int, language: str) -> str:
    if index >= axis.intervals:
        label = axis.labels[index]
        return WORDS[language].get(f"bin_{label}", label.replace("|", ", "))
    lower = axis.bounds[index - 1] if index else None
    upper = axis.bounds[index] if index < len(axis.bounds) else None
    return bin_words(lower, upper, feature.unit, language)


def _reasons(artefact: Artefact, codes: Sequence[str], unknown: Unknown, names: Sequence[str]) -> list[dict[str, Any]]:
    """The reasons; the one for unknown values names them, and the sources that could not be read."""
    found = []
    for code in codes:
        item, named = artefact.reasons[code], names if code == artefact.missing_reason_code else ()
        found.append(
            {
                "code": code,
                "text": _explained(item.text, unknown, named),
                "adverse_action": item.adverse_action,
                "parameters": unknown.parameters(named) if named else None,
            }
        )
    return found


def _platform_reason(code: str) -> dict[str, Any]:
    reason = PLATFORM_REASONS[code]
    text = {language: reason[language] for language in LANGUAGES}
    return {"code": code, "text": text, "adverse_action": reason["adverse_action"], "parameters": None}


def _explained(text: Mapping[str, str], unknown: Unknown, names: Sequence[str]) -> dict[str, str]:
    if not names:
        return dict(text)
    return _in_each(
        lambda language: WORDS[language]["explained"].format(
            text=text[language], unknown=unknown.words(names, language)
        )
    )


def _rule_line(
    artefact: Artefact, rule_id: str, features: Mapping[str, FeatureValue], unknown: Unknown
) -> dict[str, Any]:
    """A rule that fired or was left open: name, outcome, source × aspect, and the values that it read."""
    rule = next(rule for rule in artefact.rules if rule.id == rule_id)
    is_open = rule.when.holds(features, unknown.unread) is None
    return {
        "id": rule_id,
        "outcome": rule.outcome,
        "points": rule.points,
        "aspect": rule.aspect,
        "sources": sorted({artefact.features[name].source for name in variables(rule.when)}),
        "reason_code": rule.reason_code,
        "text": _in_each(
            lambda language: (
                WORDS[language]["undecided"].format(rule=rule.label[language]) if is_open else rule.label[language]
            )
        ),
        "condition": condition_words(rule.when, artefact.features),
        "unknown": is_open,
        "values": [
            {
                "feature": name,
                "label": dict(artefact.features[name].label),
                "value": unknown.value(artefact.features[name]),
            }
            for name in sorted(variables(rule.when))
        ],
    }


def _price_steps(artefact: Artefact, result: Mapping[str, Any]) -> dict[str, Any] | None:
    if result["grade"] is None:
        return None
    index = next(i for i, grade in enumerate(artefact.grades) if grade.grade == result["grade"])
    grade = artefact.grades[index]
    band = {"pd_low_bps": grade.pd_low_bps, "pd_high_bps": grade.pd_high_bps}
    return {**vars(artefact.prices[index]), "pd_bps": grade.pd_bps, **band, "lgd_bps": artefact.price.lgd_bps}


def _index_lines(artefact: Artefact, index: Mapping[str, Any] | None) -> dict[str, Any] | None:
    formula = artefact.risk_index
    if formula is None or index is None:
        return None
    dimensions = [
        {
            "id": item.id,
            "label": dict(item.label),
            "weight_bps": item.weight_bps,
            "grade": index["dimensions"][item.id],
        }
        for item in formula.dimensions
    ]
    return {"index": index["index"], "grade": index["grade"], "dimensions": dimensions}


def _method_lines(artefact: Artefact, steps: Mapping[str, Any] | None, unknown: Unknown) -> list[dict[str, Any]]:
    if steps is None:
        return []
    return [
        {
            "id": method.id,
            "label": _explained(method.label, unknown, unknown.of_method(method)),
            "value_minor": steps["methods"][method.id],
            "binding": method.id == steps["binding_method"],
            "unknown": unknown.of_method(method),
        }
        for method in artefact.limit.methods
    ]


def _environment() -> Environment:
    """Autoescaping; an undefined name in the template is an error."""
    environment = Environment(
        loader=PackageLoader("creditmesh.risk"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["money"] = money
    environment.filters["hundredths"] = money
    environment.filters["bps"] = lambda value: format_value(value, "bps", "en")
    return environment


_TEMPLATES = _environment()
