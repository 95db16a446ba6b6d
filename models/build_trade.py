"""Writes the model for merchants of a trade platform: ``python -m models.build_trade > models/trade-1.0.0.json``.

The origination model with rules about the shop and a limit by its sales: a merchant whose shop is shut is declined, one
without a readable shop, with a young one or with many refunds is referred.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any

from creditmesh.governance.document.artefact import checked
from creditmesh.risk.artefact import seal
from models import build_origination, parts
from models.origination_tests import case
from models.parts import method, term, text, var

FEATURES: dict[str, tuple[str, str, str, str, str]] = {
    "shop_status": ("string", "none", "merchant", "店铺状态", "Status of the shop"),
    "shop_months_open": ("integer", "months", "merchant", "店铺经营月数", "Months that the shop has been open"),
    "shop_sales_12m_minor": ("integer", "minor", "merchant", "店铺近12个月销售额", "Sales of the shop, last 12 months"),
    "shop_refund_rate_bps": ("integer", "bps", "merchant", "店铺退款率", "Refunds over sales of the shop"),
}
REASONS: dict[str, tuple[str, str, str]] = {
    "SHOP_NOT_OPEN": ("店铺未正常营业", "The shop is not open", "1"),
    "SHOP_UNKNOWN": ("店铺数据无法取得，需人工核实", "No data of the shop is available; a person has to look", "9"),
    "SHOP_TOO_YOUNG": ("店铺经营不满6个月", "The shop has been open for less than 6 months", "6"),
    "SHOP_REFUNDS": ("店铺退款率偏高", "Many orders of the shop are refunded", "4"),
    "LIMIT_BY_SHOP": ("额度受店铺销售额限制", "The limit is bound by the shop's sales", "4"),
}

rule = partial(parts.rule, REASONS)
RULES = [
    rule("shop_not_open", {"!=": [var("shop_status"), "open"]}, "pass", "ability"),
    rule("shop_unknown", {"missing": "shop_sales_12m_minor"}, "fire", "authenticity", "refer"),
    rule("shop_too_young", {"<": [var("shop_months_open"), 6]}, "pass", "ability", "refer"),
    rule("shop_refunds", {">": [var("shop_refund_rate_bps"), 1_500]}, "pass", "willingness", "refer"),
]
LIMIT = method(
    "shop_sales_share",
    text("店铺年销售额的30%", "30 % of a year's sales of the shop"),
    "LIMIT_BY_SHOP",
    terms=[term("shop_sales_12m_minor", factor_bps=3_000, if_missing="skip")],
)
_SHOP = {
    "shop_status": "open",
    "shop_months_open": 40,
    "shop_sales_12m_minor": 400_000_000,
    "shop_refund_rate_bps": 300,
}


def _test(name: str, changes: dict[str, Any], **expect: Any) -> dict[str, Any]:
    return case(name, {**_SHOP, **changes}, **expect)


TESTS = [
    _test("a sound merchant is approved", {}, decision="approve", stage="approved", reasons=[]),
    _test("a shop that is shut is declined", {"shop_status": "closed"}, stage="admission", reasons=["SHOP_NOT_OPEN"]),
    _test("a firm without a shop is referred", dict.fromkeys(_SHOP), decision="refer", reasons=["SHOP_UNKNOWN"]),
    _test("a young shop is referred", {"shop_months_open": 5}, decision="refer", reasons=["SHOP_TOO_YOUNG"]),
    _test("many refunds are referred", {"shop_refund_rate_bps": 1_501}, decision="refer", reasons=["SHOP_REFUNDS"]),
    _test("a blacklisted merchant is stopped", {"blacklist_hits": 1}, stage="blacklist", fired_rules=["blacklisted"]),
    _test("little is lent on little sales", {"shop_sales_12m_minor": 40_000_000}, limit_minor=12_000_000),
]


def document() -> dict[str, Any]:
    """The artefact's whole document, sealed."""
    made = build_origination.document()
    del made["content_hash"]
    features = parts.feature_schema("key-data-and-shop", 1, {**build_origination.FEATURES, **FEATURES})
    return seal(
        {
            **made,
            "model_id": "trade",
            "version": "1.0.0",
            "feature_schema": features,
            "rules": [*made["rules"], *RULES],
            "tests": TESTS,
            "limit": {**made["limit"], "methods": [*made["limit"]["methods"], LIMIT]},
            "reasons": {**made["reasons"], **parts.reason_texts(REASONS)},
        }
    )


if __name__ == "__main__":
    made = document()
    checked(made)
    sys.stdout.write(json.dumps(made, ensure_ascii=False, indent=1) + "\n")
