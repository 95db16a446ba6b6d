"""Writes the origination model's artefact: ``python -m models.build_origination > models/origination-2.1.0.json``.

Points, calibration and grades are learnt (models/train_origination.py): around 600 at odds of 20 good firms to 1 bad,
40 points doubling the odds. Rules, prices, limit and risk index are policy, written here: for small firms with CNY 1-50
million of revenue a year that ask for CNY 50,000 to 2,000,000.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from creditmesh.governance.document.artefact import checked
from creditmesh.risk.artefact import seal
from models import parts
from models.origination_tests import TESTS
from models.origination_texts import FEATURES, REASONS
from models.parts import method, term, text, var

YUAN = 100
WAN = 10_000 * YUAN
LAST = None

rule = partial(parts.rule, REASONS)


def numeric(feature: str, reason: str, missing: int, *bins: tuple[int | None, int]) -> dict[str, Any]:
    """A characteristic over an integer feature; bins are (upper bound, points)."""
    return {
        "id": feature.removesuffix("_minor").removesuffix("_bps"),
        "axes": [{"feature": feature, "bounds": [upper for upper, _ in bins[:-1]], "specials": []}],
        "points": [*(points for _, points in bins), missing],
        "reason_code": reason,
        "evidence": "expert",
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

#: Who outranks whom among referrals: a whitelist vouches for conduct, not for the firm being who it says it is.
SUSPECTED, VOUCHED = 300, 200

#: What the platform's lists say.
LIST_RULES = [
    rule("blacklisted", {">": [var("blacklist_hits"), 0]}, "pass", "willingness", stage="lists"),
    rule(
        "blacklist_name_alike",
        {">=": [var("blacklist_name_score_bps"), 9_500]},
        "pass",
        "authenticity",
        "refer",
        stage="lists",
        priority=SUSPECTED,
    ),
    rule(
        "greylisted", {">": [var("greylist_hits"), 0]}, "pass", "willingness", "refer", stage="lists", priority=VOUCHED
    ),
    rule(
        "whitelisted", {">": [var("whitelist_hits"), 0]}, "pass", "willingness", "pass", stage="lists", priority=VOUCHED
    ),
]

ADMISSION = [
    rule("taxpayer_not_normal", {"!=": [var("taxpayer_status"), "normal"]}, "pass", "authenticity"),
    rule("tax_rating_d", {"==": [var("tax_credit_rating"), "D"]}, "pass", "willingness"),
    rule("registration_not_active", {"!=": [var("registration_status"), "active"]}, "pass", "authenticity"),
    rule("company_too_young", {"<": [var("company_age_months"), 24]}, "pass", "ability"),
    rule("thin_file", {"<": [var("statement_months"), 12]}, "fire", "authenticity"),
    rule("revenue_below_floor", {"<": [var("revenue_12m_minor"), 100 * WAN]}, "pass", "ability"),
    rule(
        "revenue_unknown",
        {"and": [{"missing": "revenue_12m_minor"}, {">=": [var("statement_months"), 12]}]},
        "pass",
        "ability",
        reason_code="KEY_DATA_INCOMPLETE",
    ),
    rule("tax_arrears", {">": [var("tax_arrears_minor"), 1_000 * YUAN]}, "pass", "willingness"),
    rule("invoice_gap", {">": [var("invoice_gap_months_max_24m"), 3]}, "pass", "ability"),
    rule("abnormal_listing", {"==": [var("abnormal_operation_listed"), True]}, "pass", "authenticity"),
    rule("filings_missed", {">=": [var("annual_filings_missed"), 2]}, "pass", "willingness"),
    rule("key_data_incomplete", {"or": [{"missing": feature} for feature in NEEDED]}, "fire", "authenticity"),
    rule("dishonest_debtor", {"==": [var("dishonest_debtor_listed"), True]}, "pass", "willingness"),
    rule("credit_overdue", {">": [var("overdue_amount_minor"), 1_000 * YUAN]}, "pass", "willingness", "refer"),
    rule("enforcement_open", {">": [var("enforcement_open_count"), 0]}, "pass", "willingness", "refer"),
    rule("fraud_suspected", {">=": [var("fraud_score"), 700]}, "pass", "authenticity", "refer", priority=SUSPECTED),
]

#: Points, calibration and grades, learnt by models/train_origination.py.
LEARNT = json.loads(Path(__file__).with_name("origination-learnt.json").read_text(encoding="utf-8"))

#: Funding and running cost of 5.5 %, 60 % of what is owed lost at default, a margin that grows with the risk.
PRICE = {
    "funding_bps": 350,
    "lgd_bps": 6_000,
    "cost_bps": 200,
    "cap_bps": 1_540,
    "above_cap": "decline",
    "reason_code": "PRICE_ABOVE_CAP",
}


LIMIT = {
    "methods": [
        method(
            "revenue_share",
            text("年营业收入的15%", "15 % of a year's revenue"),
            "LIMIT_BY_REVENUE",
            terms=[term("revenue_12m_minor", factor_bps=1_500)],
        ),
        method(
            "tax_multiple",
            text("年纳税额的8倍", "8 times a year's tax"),
            "LIMIT_BY_TAX",
            terms=[term("tax_paid_12m_minor", factor_bps=80_000)],
        ),
        method(
            "cash_flow",
            text(
                "年经营现金流与利润较高者除以1.25，再减去半年偿债额",
                "A year's cash flow or profit, the greater, over 1.25, less half a year's debt service",
            ),
            "LIMIT_BY_CASH_FLOW",
            terms=[
                term("operating_cash_flow_12m_minor", "profit_12m_minor", factor_bps=8_000),
                term("monthly_debt_service_minor", factor_bps=-60_000, if_missing="ignore"),
            ],
        ),
        method(
            "net_assets",
            text("净资产的50%", "Half of net assets"),
            "LIMIT_BY_NET_ASSETS",
            terms=[term("net_assets_minor", factor_bps=5_000, if_missing="skip")],
        ),
        method(
            "existing_debt",
            text(
                "年营业收入的50%减去现有贷款与担保余额",
                "Half of a year's revenue, less loans and guarantees outstanding",
            ),
            "LIMIT_BY_DEBT",
            terms=[
                term("revenue_12m_minor", factor_bps=5_000),
                term("credit_balance_minor", factor_bps=-10_000, if_missing="ignore"),
                term("guarantee_balance_minor", factor_bps=-5_000, if_missing="ignore"),
            ],
        ),
        method(
            "single_borrower_cap", text("单户上限", "Most for one borrower"), "LIMIT_BY_CAP", amount_minor=300 * WAN
        ),
    ],
    "step_minor": 1 * WAN,
    "floor_minor": 5 * WAN,
    "reason_code": "LIMIT_BELOW_FLOOR",
}


def dimension(
    name: str, chinese: str, english: str, weight_bps: int, base: int, *items: dict[str, Any]
) -> dict[str, Any]:
    """One dimension of the risk index: points add to its grade, 100 is the most risk."""
    label = text(chinese, english)
    return {"id": name, "label": label, "weight_bps": weight_bps, "base": base, "characteristics": list(items)}


RISK_INDEX = {
    "dimensions": [
        dimension(
            "authenticity", "真实性", "Authenticity", 2_000, 10,
            numeric("invoice_void_rate_bps", "INVOICE_VOIDED", 10, (200, 0), (500, 8), (1000, 20), (LAST, 40)),
            numeric("tax_burden_bps", "LOW_TAX_BURDEN", 10, (50, 25), (150, 8), (LAST, 0)),
            numeric("fraud_score", "FRAUD_SUSPECTED", 5, (300, 0), (500, 15), (700, 30), (LAST, 60)),
        ),
        dimension(
            "ability", "还款能力", "Ability to repay", 4_000, 10,
            numeric("profit_margin_bps", "LOW_PROFIT", 15, (0, 40), (300, 20), (800, 8), (LAST, 0)),
            numeric("debt_ratio_bps", "HIGH_DEBT", 10, (5000, 0), (7000, 10), (8500, 25), (LAST, 40)),
            numeric("current_ratio_bps", "LOW_LIQUIDITY", 8, (8000, 25), (10000, 12), (15000, 4), (LAST, 0)),
        ),
        dimension(
            "willingness", "还款意愿", "Willingness to repay", 2_500, 5,
            numeric("tax_late_count_24m", "LATE_TAX", 10, (1, 0), (3, 15), (6, 35), (LAST, 60)),
            numeric("penalty_count_24m", "PENALTIES", 5, (1, 0), (2, 15), (LAST, 30)),
            numeric("overdue_months_24m", "CREDIT_OVERDUE", 5, (1, 0), (3, 20), (LAST, 50)),
        ),
        dimension(
            "stability", "经营稳定性", "Stability", 1_500, 10,
            numeric("company_age_months", "SHORT_HISTORY", 15, (36, 30), (60, 15), (LAST, 0)),
            numeric("invoice_volatility_bps", "INVOICE_VOLATILE", 10, (2000, 0), (4000, 8), (7000, 20), (LAST, 35)),
            numeric("revenue_growth_bps", "REVENUE_TREND", 8, (-3000, 40), (-1000, 20), (0, 8), (LAST, 0)),
        ),
    ],
    "grades": [
        {"grade": "R5", "min_index": 7_000, "outcome": "stop"},
        {"grade": "R4", "min_index": 5_500, "outcome": "refer"},
        {"grade": "R3", "min_index": 3_500, "outcome": "pass"},
        {"grade": "R2", "min_index": 2_000, "outcome": "pass"},
        {"grade": "R1", "min_index": 0, "outcome": "pass"},
    ],
    "reason_code": "RISK_INDEX_HIGH",
}  # fmt: skip


def document() -> dict[str, Any]:
    """The artefact's whole document, sealed."""
    return seal(
        {
            "format_version": 2,
            "model_id": "origination",
            "version": "2.1.0",
            "currency": "CNY",
            "feature_schema": parts.feature_schema("key-data", 3, FEATURES),
            "rules": [*LIST_RULES, *ADMISSION],
            "tests": TESTS,
            "scorecard": {
                "cutoff": LEARNT["cutoff"],
                "refer_below": None,
                "scale": {"base_score": 600, "base_odds": 20, "pdo": 40},
                "segments": [
                    {
                        "id": "all",
                        "when": None,
                        "base_points": LEARNT["base_points"],
                        "characteristics": LEARNT["characteristics"],
                    }
                ],
            },
            "calibration": LEARNT["calibration"],
            "grades": LEARNT["grades"],
            "price": PRICE,
            "limit": LIMIT,
            "risk_index": RISK_INDEX,
            "max_reasons": 4,
            "missing_reason_code": "DATA_NOT_AVAILABLE",
            "reasons": parts.reason_texts(REASONS),
        }
    )


if __name__ == "__main__":
    made = document()
    checked(made)
    sys.stdout.write(json.dumps(made, ensure_ascii=False, indent=1) + "\n")
