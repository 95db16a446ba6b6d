"""Pieces of an artefact's document, as the builders of this folder write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Reasons = Mapping[str, tuple[str, str, str]]
_LINE = 120


def text(chinese: str, english: str) -> dict[str, str]:
    """The same words in every language of the format."""
    return {"zh-CN": chinese, "en": english}


def var(feature: str) -> dict[str, str]:
    """A feature inside a condition."""
    return {"var": feature}


def rule(
    reasons: Reasons,
    identifier: str,
    when: dict[str, Any],
    if_unknown: str,
    aspect: str,
    outcome: str = "stop",
    **more: Any,
) -> dict[str, Any]:
    """A rule whose reason code is its id in capitals, and whose label is the reason's text."""
    code = more.pop("reason_code", identifier.upper())
    return {
        "id": identifier,
        "stage": "admission",
        "when": when,
        "if_unknown": if_unknown,
        "outcome": outcome,
        "priority": 100,
        "aspect": aspect,
        "effective_from": None,
        "effective_until": None,
        "reason_code": code,
        "label": text(*reasons[code][:2]),
        **more,
    }


def method(name: str, label: dict[str, str], reason: str, **terms: Any) -> dict[str, Any]:
    """One upper bound of the limit."""
    return {"id": name, "label": label, "reason_code": reason, **terms}


def term(*features: str, factor_bps: int, if_missing: str = "zero") -> dict[str, Any]:
    """A share of the greatest of some features."""
    return {"greatest_of": list(features), "factor_bps": factor_bps, "if_missing": if_missing}


def feature_schema(name: str, version: int, features: Mapping[str, tuple[str, str, str, str, str]]) -> dict[str, Any]:
    """Features by name: type, unit, whose data, Chinese, English."""
    return {
        "id": name,
        "version": version,
        "features": {
            feature: {"type": kind, "unit": unit, "source": source, "label": text(chinese, english)}
            for feature, (kind, unit, source, chinese, english) in features.items()
        },
    }


def reason_texts(reasons: Reasons) -> dict[str, dict[str, str]]:
    """Reasons by code, with their words and the standard adverse-action code."""
    return {
        code: {**text(chinese, english), "adverse_action": standard}
        for code, (chinese, english, standard) in reasons.items()
    }


def laid_out(value: Any, depth: int = 0) -> str:
    """JSON with one line for what fits it and for what holds no object, so that bins and points can be compared."""
    plain = json.dumps(value, ensure_ascii=False)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if len(plain) + depth <= _LINE or not any(_holds_object(item) for item in inner):
        return plain
    keys = [f"{json.dumps(key)}: " for key in value] if isinstance(value, dict) else [""] * len(value)
    blank = "\n" + " " * depth
    items = [f"{blank} {key}{laid_out(item, depth + 1)}" for key, item in zip(keys, inner, strict=True)]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return opening + ",".join(items) + blank + closing


def _holds_object(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(_holds_object(item) for item in value))
