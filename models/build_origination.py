"""Writes the origination model's artefact: ``python -m models.build_origination > models/origination-1.0.0.json``.

Expert judgement, not trained: points are set around 600 at odds of 20 good firms to 1 bad, 40 points doubling the
odds, for small firms with CNY 1-50 million of revenue a year that ask for CNY 50,000 to 2,000,000.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from creditmesh.risk.artefact import load, seal
from models.origination_texts import FEATURES, REASONS

YUAN = 100
WAN = 10_000 * YUAN
LAST = None


def text(chinese: str, english: str) -> dict[str, str]:
    """The same words in every language of the format."""
    return {"zh-CN": chinese, "en": english}


def var(feature: str) -> dict[str, str]:
    """A feature inside a condition."""
    return {"var": feature}


def rule(identifier: str, when: dict[str, Any], if_unknown: str, reason: str | None = None) -> dict[str, Any]:
    """A rule whose reason code is its id in capitals unless given."""
    return {"id": identifier, "when": when, "if_unknown": if_unknown, "reason_code": reason or identifier.upper()}


def numeric(feature: str, reason: str, missing: int, *bins: tuple[int | None, int]) -> dict[str, Any]:
    """A characteristic over an integer feature; bins are (upper bound, points)."""
    return {
        "id": feature.removesuffix("_minor").removesuffix("_bps"),
        "feature": feature,
        "bins": [{"upper": upper, "points": points} for upper, points in bins],
        "missing_points": missing,
        "reason_code": reason,
    }


def category(feature: str, reason: str, missing: int, other: int, *bins: tuple[tuple[str, ...], int]) -> dict[str, Any]:
    """A characteristic over a text feature; bins are (values, points)."""
    return {
        "id": feature,
        "feature": feature,
        "bins": [{"values": list(values), "points": points} for values, points in bins],
        "other_points": other,
        "missing_points": missing,
        "reason_code": reason,
    }


#: Without these nothing can be said; their absence has a reason of its own, so the other rules let unknowns pass.
NEEDED = (
    "taxpayer_status",
    "registration_status",
    "company_age_months",
    "tax_arrears_minor",
    "invoice_gap_months_max_24m",
    "abnormal_operation_listed",
    "annual_filings_missed",
    "blacklist_hits",
)

BLACKLIST = [rule("blacklisted", {">": [var("blacklist_hits"), 0]}, "pass")]

ADMISSION = [
    rule("taxpayer_not_normal", {"!=": [var("taxpayer_status"), "normal"]}, "pass"),
    rule("tax_rating_d", {"==": [var("tax_credit_rating"), "D"]}, "pass"),
    rule("registration_not_active", {"!=": [var("registration_status"), "active"]}, "pass"),
    rule("company_too_young", {"<": [var("company_age_months"), 24]}, "pass"),
    rule("thin_file", {"<": [var("statement_months"), 12]}, "fire"),
    rule(
        "revenue_below_floor",
        {
            "or": [
                {"<": [var("revenue_12m_minor"), 100 * WAN]},
                {"and": [{"missing": "revenue_12m_minor"}, {">=": [var("statement_months"), 12]}]},
            ]
        },
        "pass",
    ),
    rule("tax_arrears", {">": [var("tax_arrears_minor"), 1_000 * YUAN]}, "pass"),
    rule("invoice_gap", {">": [var("invoice_gap_months_max_24m"), 3]}, "pass"),
    rule("abnormal_listing", {"==": [var("abnormal_operation_listed"), True]}, "pass"),
    rule("filings_missed", {">=": [var("annual_filings_missed"), 2]}, "pass"),
    rule("key_data_incomplete", {"or": [{"missing": feature} for feature in NEEDED]}, "fire"),
]

CHARACTERISTICS = [
    category("tax_credit_rating", "LOW_TAX_RATING", -5, -15, (("A",), 30), (("B",), 14), (("M",), 0), (("C",), -28)),
    numeric("revenue_12m_minor", "SMALL_SCALE", -15, (300 * WAN, -8), (1000 * WAN, 2), (3000 * WAN, 9), (LAST, 13)),
    numeric(
        "revenue_growth_bps", "REVENUE_TREND", -8, (-3000, -40), (-1000, -18), (0, -4), (1500, 8), (5000, 15), (LAST, 6)
    ),
    numeric("profit_margin_bps", "LOW_PROFIT", -12, (-500, -42), (0, -24), (300, -2), (800, 9), (2000, 17), (LAST, 14)),
    numeric("debt_ratio_bps", "HIGH_DEBT", -8, (3000, 18), (5000, 12), (7000, 0), (8500, -17), (LAST, -36)),
    numeric("current_ratio_bps", "LOW_LIQUIDITY", -4, (8000, -22), (10000, -9), (15000, 3), (25000, 9), (LAST, 12)),
    numeric("tax_burden_bps", "LOW_TAX_BURDEN", -6, (50, -20), (150, -5), (400, 6), (LAST, 10)),
    numeric("tax_late_count_24m", "LATE_TAX", -10, (1, 14), (3, -5), (6, -22), (LAST, -46)),
    numeric("invoice_volatility_bps", "INVOICE_VOLATILE", -8, (2000, 13), (4000, 6), (7000, -7), (LAST, -21)),
    numeric("invoice_trend_bps", "INVOICE_FALLING", -6, (-4000, -34), (-1500, -14), (0, 0), (3000, 9), (LAST, 5)),
    numeric("invoice_void_rate_bps", "INVOICE_VOIDED", -4, (200, 5), (500, 0), (1000, -10), (LAST, -24)),
    numeric("invoice_months_active_12m", "INVOICE_INACTIVE", -12, (9, -30), (11, -12), (12, -2), (LAST, 6)),
    numeric("top_customer_share_bps", "CUSTOMER_CONCENTRATION", -4, (2000, 9), (4000, 4), (6000, -6), (LAST, -18)),
    numeric("company_age_months", "SHORT_HISTORY", -14, (36, -13), (60, -2), (120, 7), (LAST, 14)),
    numeric("legal_rep_changes_24m", "MANAGEMENT_CHANGES", -3, (1, 5), (2, -9), (LAST, -25)),
    numeric("penalty_count_24m", "PENALTIES", -3, (1, 5), (2, -12), (LAST, -30)),
    numeric("pledge_active_count", "PLEDGES", -2, (1, 4), (3, -7), (LAST, -19)),
    category(
        "industry",
        "INDUSTRY_RISK",
        -4,
        0,
        (("C34", "C35", "C36", "C38", "C39", "C40", "I63", "I64", "I65", "M73", "M74", "M75"), 6),
        (("E47", "E48", "E49", "E50", "H61", "H62"), -9),
        (("K70", "B06", "R90"), -20),
    ),
]

#: Price = funding and running cost of about 5.5 % + default rate x loss of 60 % + margin (M09).
GRADES = [
    {"grade": "A", "min_score": 720, "pd_bps": 45, "annual_rate_bps": 680, "limit_factor_bps": 10_000},
    {"grade": "B", "min_score": 680, "pd_bps": 90, "annual_rate_bps": 780, "limit_factor_bps": 9_000},
    {"grade": "C", "min_score": 640, "pd_bps": 175, "annual_rate_bps": 920, "limit_factor_bps": 7_500},
    {"grade": "D", "min_score": 600, "pd_bps": 340, "annual_rate_bps": 1180, "limit_factor_bps": 5_500},
    {"grade": "E", "min_score": 560, "pd_bps": 650, "annual_rate_bps": 1500, "limit_factor_bps": 0},
    {"grade": "F", "min_score": -10_000, "pd_bps": 1600, "annual_rate_bps": 1500, "limit_factor_bps": 0},
]


def method(name: str, label: dict[str, str], reason: str, **terms: Any) -> dict[str, Any]:
    """One upper bound of the limit."""
    return {"id": name, "label": label, "reason_code": reason, **terms}


LIMIT = {
    "methods": [
        method(
            "revenue_share",
            text("年营业收入的15%", "15 % of a year's revenue"),
            "LIMIT_BY_REVENUE",
            greatest_of=["revenue_12m_minor"],
            factor_bps=1_500,
            if_missing="zero",
        ),
        method(
            "tax_multiple",
            text("年纳税额的8倍", "8 times a year's tax"),
            "LIMIT_BY_TAX",
            greatest_of=["tax_paid_12m_minor"],
            factor_bps=80_000,
            if_missing="zero",
        ),
        method(
            "cash_flow",
            text("年经营现金流与利润较高者", "A year's cash flow or profit, the greater"),
            "LIMIT_BY_CASH_FLOW",
            greatest_of=["operating_cash_flow_12m_minor", "profit_12m_minor"],
            factor_bps=10_000,
            if_missing="zero",
        ),
        method(
            "net_assets",
            text("净资产的50%", "Half of net assets"),
            "LIMIT_BY_NET_ASSETS",
            greatest_of=["net_assets_minor"],
            factor_bps=5_000,
            if_missing="skip",
        ),
        method(
            "single_borrower_cap", text("单户上限", "Most for one borrower"), "LIMIT_BY_CAP", amount_minor=300 * WAN
        ),
    ],
    "step_minor": 1 * WAN,
    "floor_minor": 5 * WAN,
    "reason_code": "LIMIT_BELOW_FLOOR",
}


def document() -> dict[str, Any]:
    """The artefact's whole document, sealed."""
    return seal(
        {
            "format_version": 1,
            "model_id": "origination",
            "version": "1.0.0",
            "currency": "CNY",
            "feature_schema": {
                "id": "key-data",
                "version": 1,
                "features": {
                    name: {"type": kind, "unit": unit, "label": text(chinese, english)}
                    for name, (kind, unit, chinese, english) in FEATURES.items()
                },
            },
            "blacklist": BLACKLIST,
            "admission": ADMISSION,
            "scorecard": {"base_points": 600, "cutoff": 600, "characteristics": CHARACTERISTICS},
            "grades": GRADES,
            "limit": LIMIT,
            "max_reasons": 4,
            "reasons": {code: text(chinese, english) for code, (chinese, english) in REASONS.items()},
        }
    )


if __name__ == "__main__":
    written = json.dumps(document(), ensure_ascii=False, indent=1)
    load(written)
    sys.stdout.write(written + "\n")
