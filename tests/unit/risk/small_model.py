"""A model small enough to work out by hand: each test changes the part that it is about."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from creditmesh.risk.artefact import Artefact, load, seal
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.result import RiskResult

DAY = date(2026, 1, 15)
TEXT = {"zh-CN": "文", "en": "text"}
ALWAYS = {"or": [{"missing": "debt"}, {"not": {"missing": "debt"}}]}
FIRM: dict[str, Any] = {"amount": 1_000_000, "debt": 30, "kind": "A", "flag": False}
CODES = ("RULE", "DEBT", "KIND", "PAIR", "PRICE", "INDEX", "FLOOR", "METHOD", "CAP", "UNKNOWN")


def feature(kind: str, unit: str = "none") -> dict[str, Any]:
    return {"type": kind, "unit": unit, "source": "third_party", "label": TEXT}


def over(feature: str, *bounds: int, specials: tuple[tuple[int, ...], ...] = ()) -> dict[str, Any]:
    """An axis over an integer feature."""
    return {"feature": feature, "bounds": list(bounds), "specials": [list(values) for values in specials]}


def groups(feature: str, *found: tuple[Any, ...]) -> dict[str, Any]:
    """An axis over a category."""
    return {"feature": feature, "groups": [list(values) for values in found]}


def characteristic(name: str, points: list[int], *axes: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    code = reason or name.upper()
    return {"id": name, "axes": list(axes), "points": points, "reason_code": code, "evidence": "expert"}


def rule(name: str, outcome: str, **changes: Any) -> dict[str, Any]:
    """A rule that always fires, unless it is changed."""
    return {
        "id": name, "stage": "admission", "when": ALWAYS, "if_unknown": "pass", "outcome": outcome, "priority": 0,
        "aspect": "ability", "effective_from": None, "effective_until": None, "reason_code": "RULE", "label": TEXT,
        **changes,
    }  # fmt: skip


def grade(name: str, least: int, pd_bps: int, factor: int = 10_000) -> dict[str, Any]:
    return {
        "grade": name, "min_score": least, "pd_bps": pd_bps, "pd_low_bps": pd_bps, "pd_high_bps": pd_bps,
        "margin_bps": 100, "limit_factor_bps": factor,
    }  # fmt: skip


def method(name: str, *terms: dict[str, Any], reason: str = "METHOD", **more: Any) -> dict[str, Any]:
    return {"id": name, "label": TEXT, "reason_code": reason, **({"terms": list(terms)} if terms else {}), **more}


def term(*features: str, factor_bps: int = 10_000, if_missing: str = "zero") -> dict[str, Any]:
    return {"greatest_of": list(features), "factor_bps": factor_bps, "if_missing": if_missing}


_DOCUMENT: dict[str, Any] = {
    "format_version": 2,
    "model_id": "small",
    "version": "0.1.0",
    "currency": "CNY",
    "feature_schema": {
        "id": "made-up",
        "version": 1,
        "features": {
            "amount": feature("integer", "minor"), "debt": feature("integer", "bps"), "kind": feature("string"),
            "flag": feature("boolean"),
        },
    },
    "rules": [],
    "tests": [],
    "scorecard": {
        "cutoff": 50,
        "refer_below": None,
        "scale": {"base_score": 600, "base_odds": 20, "pdo": 40},
        "segments": [
            {
                "id": "all",
                "when": None,
                "base_points": 50,
                "characteristics": [
                    characteristic("debt", [20, 10, 0, -5], over("debt", 50, 100)),
                    characteristic("kind", [20, 5, -5], groups("kind", ("A", "B"))),
                ],
            }
        ],
    },
    "calibration": [{"min_score": 90, "pd_ppm": 1_000}, {"min_score": 60, "pd_ppm": 20_000},
                    {"min_score": 0, "pd_ppm": 300_000}],
    "grades": [grade("A", 90, 100), grade("B", 70, 200, factor=5_000), grade("C", 50, 400, factor=2_500)],
    "price": {"funding_bps": 300, "lgd_bps": 5_000, "cost_bps": 100, "cap_bps": 1_000, "above_cap": "decline",
              "reason_code": "PRICE"},
    "limit": {
        "methods": [method("share", term("amount")), method("cap", reason="CAP", amount_minor=5_000_000)],
        "step_minor": 1_000,
        "floor_minor": 10_000,
        "reason_code": "FLOOR",
    },
    "risk_index": None,
    "max_reasons": 4,
    "missing_reason_code": "UNKNOWN",
    "reasons": {code: {**TEXT, "adverse_action": "977"} for code in CODES},
}  # fmt: skip


def small(**parts: Any) -> dict[str, Any]:
    """The document, with some of its parts replaced; no part of it is shared with another."""
    document: dict[str, Any] = json.loads(json.dumps({**_DOCUMENT, **parts}))
    return document


def card(*characteristics: dict[str, Any], cutoff: int = 0, refer_below: int | None = None) -> dict[str, Any]:
    """A scorecard of one segment that starts from nought."""
    segment = {"id": "all", "when": None, "base_points": 0, "characteristics": list(characteristics)}
    return {**small()["scorecard"], "cutoff": cutoff, "refer_below": refer_below, "segments": [segment]}


def refer_below(score: int | None) -> dict[str, Any]:
    """The usual scorecard, on which the usual firm has 90 points, with scores below ``score`` to be looked at."""
    return {**small()["scorecard"], "refer_below": score}


def index_of(*dimensions: dict[str, Any], grades: tuple[tuple[str, int, str], ...]) -> dict[str, Any]:
    """A risk index with grades (name, least index, outcome)."""
    names = ("grade", "min_index", "outcome")
    found = [dict(zip(names, grade, strict=True)) for grade in grades]
    return {"dimensions": list(dimensions), "grades": found, "reason_code": "INDEX"}


def dimension(name: str, weight_bps: int, base: int, *points: int) -> dict[str, Any]:
    """A dimension that adds ``points`` for debts below 50, below 100, above, unknown."""
    found = [characteristic("debt", list(points or (0, 0, 0, 0)), over("debt", 50, 100))]
    return {"id": name, "label": TEXT, "weight_bps": weight_bps, "base": base, "characteristics": found}


def loaded(**parts: Any) -> Artefact:
    """The model, with some parts replaced."""
    return load(json.dumps(seal(small(**parts))))


def outcome(features: dict[str, Any] | None = None, on: date = DAY, **parts: Any) -> RiskResult:
    """What the model, with some parts replaced, says of the usual firm with some features changed."""
    return evaluate(loaded(**parts), {**FIRM, **(features or {})}, on)
