"""The scoring benchmark's model: 20 characteristics, 10 rules, grades, limit; bins at the data's quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.scoring_data import FLAGS, INTEGERS, TEXTS, table
from creditmesh.risk.artefact import seal

_SAMPLE = 50_000
_BINS = 8
_MORE_IS_BETTER = {
    "tax_registration_months": True,
    "revenue_12m_minor": True,
    "revenue_growth_bps": True,
    "profit_margin_bps": True,
    "operating_cash_flow_12m_minor": True,
    "debt_ratio_bps": False,
    "current_ratio_bps": True,
    "tax_paid_12m_minor": True,
    "late_filings_24m": False,
    "invoice_buyers_12m": True,
    "largest_buyer_share_bps": False,
    "credit_lines": False,
    "credit_utilisation_bps": False,
    "days_past_due_max_24m": False,
    "enquiries_6m": False,
    "lawsuits_36m": False,
    "shop_orders_12m": True,
    "monthly_volatility_bps": False,
}
"""From the best to the worst value: whether more of it is better."""


def document() -> dict[str, Any]:
    """The sealed artefact, format 2."""
    return seal(
        {
            "format_version": 2,
            "model_id": "bench_scoring",
            "version": "1.0.0",
            "currency": "CNY",
            "feature_schema": {"id": "bench", "version": 1, "features": _features()},
            "rules": _rules(),
            "tests": [],
            "scorecard": _scorecard(),
            "calibration": [
                {"min_score": 700 - 20 * step, "pd_ppm": min(1_000_000, round(2_000 * 1.35**step))}
                for step in range(20)
            ]
            + [{"min_score": -1_000_000, "pd_ppm": 1_000_000}],
            "grades": [
                {
                    "grade": grade,
                    "min_score": 660 - 40 * index,
                    "pd_bps": 40 * 2**index,
                    "pd_low_bps": 30 * 2**index,
                    "pd_high_bps": 55 * 2**index,
                    "margin_bps": 150 + 40 * index,
                    "limit_factor_bps": 10_000 - 1_200 * index,
                }
                for index, grade in enumerate("ABCDEFG")
            ],
            "price": {
                "funding_bps": 310,
                "lgd_bps": 5_500,
                "cost_bps": 120,
                "cap_bps": 2_400,
                "above_cap": "decline",
                "reason_code": "PRICE",
            },
            "limit": _limit(),
            "risk_index": _risk_index(),
            "max_reasons": 4,
            "missing_reason_code": "UNKNOWN",
            "reasons": {code: _reason(code) for code in ("SCORE", "RULE", "LIMIT", "PRICE", "INDEX", "UNKNOWN")},
        }
    )


def bins() -> dict[str, dict[str, Any]]:
    """The bins of every characteristic, for other libraries: bounds or groups."""
    axes = {item["id"]: item["axes"][0] for item in _characteristics()}
    return {name: {kind: axis[kind] for kind in ("bounds", "groups") if kind in axis} for name, axis in axes.items()}


def _text(name: str) -> dict[str, str]:
    return {"zh-CN": name, "en": name}


def _reason(code: str) -> dict[str, str]:
    return {**_text(code.lower()), "adverse_action": "AA01"}


def _features() -> dict[str, Any]:
    kinds = dict.fromkeys(INTEGERS, "integer") | dict.fromkeys(TEXTS, "string")
    kinds |= dict.fromkeys(FLAGS, "boolean")
    return {
        name: {"type": kind, "unit": _unit(name), "source": "third_party", "label": _text(name)}
        for name, kind in kinds.items()
    }


def _unit(name: str) -> str:
    ends = {"_minor": "minor", "_bps": "bps", "_months": "months"}
    return next((unit for end, unit in ends.items() if name.endswith(end)), "none")


def _rules() -> list[dict[str, Any]]:
    def rule(name: str, when: dict[str, Any], **other: Any) -> dict[str, Any]:
        base = {"id": name, "stage": "admission", "when": when, "if_unknown": "pass", "outcome": "stop", "priority": 10}
        fixed = {"aspect": "willingness", "effective_from": None, "effective_until": None, "reason_code": "RULE"}
        return {**base, **fixed, "label": _text(name), **other}

    def compare(operator: str, name: str, value: int | str | bool) -> dict[str, Any]:
        return {operator: [{"var": name}, value]}

    debt, revenue = {"var": "outstanding_debt_minor"}, {"var": "revenue_12m_minor"}
    young_and_indebted = [compare("<", "tax_registration_months", 36), compare(">", "debt_ratio_bps", 7_500)]
    sued_or_late = [compare(">=", "lawsuits_36m", 2), compare(">=", "late_filings_24m", 4)]
    return [
        rule("watch_list", compare("==", "on_watch_list", True), stage="lists"),
        rule("young", compare("<", "tax_registration_months", 12), if_unknown="fire"),
        rule("not_active", compare("==", "registered_active", False), if_unknown="fire"),
        rule("industry_excluded", {"in": [{"var": "industry"}, ["O80", "A01"]]}),
        rule("long_overdue", compare(">=", "days_past_due_max_24m", 60)),
        rule("worst_tax_rating", {"==": [{"var": "tax_credit_rating"}, "D"]}, if_unknown="fire"),
        rule("debt_above_revenue", {">": [debt, revenue]}, outcome="refer"),
        rule("young_and_indebted", {"and": young_and_indebted}, outcome="refer"),
        rule("sued_or_late", {"or": sued_or_late}, outcome="adjust", points=-15),
        rule("no_bureau", {"missing": "credit_lines"}, outcome="adjust", points=-5),
    ]


def _scorecard() -> dict[str, Any]:
    return {
        "cutoff": 480,
        "refer_below": 500,
        "scale": {"base_score": 500, "base_odds": 20, "pdo": 40},
        "segments": [{"id": "all", "when": None, "base_points": 340, "characteristics": _characteristics()}],
    }


def _characteristics() -> list[dict[str, Any]]:
    sample = table(0, _SAMPLE)
    found = []
    for index, (name, more_is_better) in enumerate(_MORE_IS_BETTER.items()):
        known = sample[name].drop_null().to_numpy()
        quantiles = {int(bound) for bound in np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])}
        bounds = sorted(bound for bound in quantiles if bound > known.min())
        steps = [round(20 * bin_ / len(bounds)) + index % 3 for bin_ in range(len(bounds) + 1)]
        points = [*(steps if more_is_better else steps[::-1]), 4]
        found.append(_characteristic(name, {"feature": name, "bounds": bounds, "specials": []}, points))
    for name, (values, _, _) in TEXTS.items():
        points = [round(20 * position / len(values)) for position in range(len(values))]
        found.append(_characteristic(name, {"feature": name, "groups": [[v] for v in values]}, [*points, 0, 5]))
    return found


def _characteristic(name: str, axis: dict[str, Any], points: list[int]) -> dict[str, Any]:
    return {"id": name, "axes": [axis], "points": points, "reason_code": "SCORE", "evidence": "simulated"}


def _limit() -> dict[str, Any]:
    def method(name: str, *terms: tuple[list[str], int, str]) -> dict[str, Any]:
        listed = [{"greatest_of": of, "factor_bps": factor, "if_missing": missing} for of, factor, missing in terms]
        return {"id": name, "label": _text(name), "reason_code": "LIMIT", "terms": listed}

    return {
        "methods": [
            method("revenue", (["revenue_12m_minor"], 2_500, "skip"), (["outstanding_debt_minor"], -5_000, "ignore")),
            method("tax", (["tax_paid_12m_minor"], 60_000, "skip")),
            method("cash_flow", (["operating_cash_flow_12m_minor"], 15_000, "skip")),
            method("requested", (["requested_amount_minor"], 10_000, "zero")),
            {"id": "cap", "label": _text("cap"), "reason_code": "LIMIT", "amount_minor": 300_000_000},
        ],
        "step_minor": 100_000,
        "floor_minor": 1_000_000,
        "reason_code": "LIMIT",
    }


def _risk_index() -> dict[str, Any]:
    axis = {"feature": "lawsuits_36m", "bounds": [1, 3], "specials": []}
    dimension = {"id": "legal", "label": _text("legal"), "weight_bps": 10_000, "base": 0}
    item = _characteristic("lawsuits", axis, [0, 30, 80, 10])
    return {
        "dimensions": [{**dimension, "characteristics": [item]}],
        "grades": [
            {"grade": "HIGH", "min_index": 9_000, "outcome": "refer"},
            {"grade": "LOW", "min_index": 0, "outcome": "pass"},
        ],
        "reason_code": "INDEX",
    }
