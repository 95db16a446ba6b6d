"""The assessment report: what was decided about a firm, from what, and why, for people and machines (C16, S10).

``build_report`` makes a JSON document; ``render_html`` makes a page of it that needs nothing from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from creditmesh.risk.model import LANGUAGES, Artefact, Characteristic, Feature
from creditmesh.risk.report_words import WORDS, bin_words, format_value, money

REPORT_VERSION = 1


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
) -> dict[str, Any]:
    """Return the report as JSON values, in every language of the artefact.

    Args:
        application_id: whose assessment it is.
        firm_name: the borrower's name.
        requested: ``amount`` (string with two decimals), ``currency``, ``term_months``.
        risk_result: ``RiskResult.to_dict()``.
        artefact: the model that made the result.
        features: the key data it was made from; goes into the report so that the decision can be replayed.
        sources: per source ``source, channel, fetched_at, sha256`` of the raw answer.
        engine: ``spark`` or ``python``.
        decided_at: ISO 8601 instant.

    Raises:
        ValueError: the result was made by another model than ``artefact``.
    """
    if risk_result["model_hash"] != artefact.content_hash:
        raise ValueError(f"the result was made by {risk_result['model_hash']}, not by {artefact.content_hash}")
    known = artefact.checked(features)
    return {
        "report_version": REPORT_VERSION,
        "application_id": application_id,
        "firm_name": firm_name,
        "decided_at": decided_at,
        "requested": dict(requested),
        "currency": artefact.currency,
        "result": dict(risk_result),
        "cutoff": artefact.scorecard.cutoff,
        "base_points": artefact.scorecard.base_points,
        "points": [_points_line(artefact, line, known) for line in risk_result["points"]],
        "reasons": [{"code": code, "text": dict(artefact.reasons[code])} for code in risk_result["reasons"]],
        "fired_rules": [_rule_line(artefact, rule_id) for rule_id in risk_result["fired_rules"]],
        "limit_methods": _method_lines(artefact, risk_result["limit_steps"]),
        "features": known,
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
    """Return the report as a whole HTML page in ``language`` (``zh-CN`` or ``en``).

    Raises:
        ValueError: the language is not one of the artefact's.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language is one of {', '.join(LANGUAGES)}")
    return _TEMPLATES.get_template("report.html").render(report=report, language=language, words=WORDS[language])


def _points_line(artefact: Artefact, line: Mapping[str, Any], features: Mapping[str, Any]) -> dict[str, Any]:
    """The result's line plus what a reader needs: the feature's name and value, and the bin in plain words."""
    item = next(item for item in artefact.scorecard.characteristics if item.id == line["characteristic"])
    feature, value = artefact.features[item.feature], features[item.feature]
    return {
        **line,
        "feature": item.feature,
        "label": dict(feature.label),
        "value": {language: format_value(value, feature.unit, language) for language in LANGUAGES},
        "bin_text": {language: _bin_text(item, feature, line["bin"], language) for language in LANGUAGES},
        "best_points": item.best_points,
        "reason": dict(artefact.reasons[item.reason_code]),
    }


def _bin_text(item: Characteristic, feature: Feature, label: str, language: str) -> str:
    index = item.labels.index(label)
    if index >= item.other_index or not item.numeric_bins:
        return WORDS[language].get(f"bin_{label}", label.replace("|", ", "))
    lower = item.numeric_bins[index - 1].upper if index else None
    return bin_words(lower, item.numeric_bins[index].upper, feature.unit, language)


def _rule_line(artefact: Artefact, rule_id: str) -> dict[str, Any]:
    rule = next(rule for rule in (*artefact.blacklist, *artefact.admission) if rule.id == rule_id)
    return {"id": rule_id, "reason_code": rule.reason_code, "text": dict(artefact.reasons[rule.reason_code])}


def _method_lines(artefact: Artefact, steps: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if steps is None:
        return []
    return [
        {
            "id": method.id,
            "label": dict(method.label),
            "value_minor": steps["methods"][method.id],
            "binding": method.id == steps["binding_method"],
        }
        for method in artefact.limit.methods
    ]


def _environment() -> Environment:
    """Everything is escaped, and a name the template misspells is an error."""
    environment = Environment(
        loader=PackageLoader("creditmesh.risk"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["money"] = money
    environment.filters["bps"] = lambda value: format_value(value, "bps", "en")
    return environment


_TEMPLATES = _environment()
