"""Writes the artefact of the public loans: ``python -m models.build_sba > models/sba-1.0.0.json``.

Points, calibration and grades are learnt (models/train_sba.py). Rules, prices and limit are policy, written here and
kept plain: nobody has lent by them. Limits of use: docs/reference/model-cards.md.
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
from models.parts import method, term, text, var
from models.sba_texts import FEATURES, REASONS

DOLLAR = 100
LEARNT = json.loads(Path(__file__).with_name("sba-learnt.json").read_text(encoding="utf-8"))
#: Without these a loan is another one than the model has learnt from.
NEEDED = ("state", "employees", "approved_minor", "guaranteed_bps")

rule = partial(parts.rule, REASONS)

RULES = [
    rule("key_data_incomplete", {"or": [{"missing": name} for name in NEEDED]}, "fire", "authenticity"),
    rule(
        "guarantee_implausible",
        {"or": [{"<": [var("guaranteed_bps"), 0]}, {">": [var("guaranteed_bps"), 10_000]}]},
        "pass",
        "authenticity",
    ),
    rule("fully_guaranteed", {"==": [var("guaranteed_bps"), 10_000]}, "pass", "authenticity", "refer"),
    rule(
        "employees_implausible",
        {"or": [{"<": [var("employees"), 0]}, {">": [var("employees"), 1_500]}]},
        "pass",
        "authenticity",
        "refer",
    ),
    rule("large_loan", {">": [var("approved_minor"), 2_000_000 * DOLLAR]}, "pass", "ability", "refer"),
]

#: Funding and running cost of 6.5 %. The default rate is of the whole life of a loan: half of what is owed lost, spread
#: over the four and a half years after which a loan fails in the mean, is 11 % of it a year.
PRICE = {
    "funding_bps": 500,
    "lgd_bps": 1_100,
    "cost_bps": 150,
    "cap_bps": 1_800,
    "above_cap": "decline",
    "reason_code": "PRICE_ABOVE_CAP",
}

LIMIT = {
    "methods": [
        method(
            "amount",
            text("拟批准金额", "The amount meant to be approved"),
            "LIMIT_BY_AMOUNT",
            terms=[term("approved_minor", factor_bps=10_000)],
        ),
        method(
            "single_borrower_cap",
            text("单户上限", "Most for one borrower"),
            "LIMIT_BY_CAP",
            amount_minor=2_000_000 * DOLLAR,
        ),
    ],
    "step_minor": 100 * DOLLAR,
    "floor_minor": 1_000 * DOLLAR,
    "reason_code": "LIMIT_BELOW_FLOOR",
}

#: A made-up dentist's practice in Ohio.
_LOAN: dict[str, Any] = {
    "state": "OH",
    "industry_sector": "62",
    "industry_group": "621",
    "employees": 8,
    "new_business": False,
    "franchise": False,
    "revolving": False,
    "approved_minor": 350_000 * DOLLAR,
    "guaranteed_bps": 7_500,
    "bank_same_state": True,
}
_RISKY = {
    "state": "FL",
    "industry_sector": "72",
    "industry_group": "722",
    "employees": 2,
    "new_business": True,
    "approved_minor": 25_000 * DOLLAR,
    "guaranteed_bps": 5_000,
    "bank_same_state": False,
}


def case(name: str, changes: dict[str, Any], **expect: Any) -> dict[str, Any]:
    """The practice with ``changes``, and what the result must say."""
    return {"name": name, "on": "2026-01-15", "features": {**_LOAN, **changes}, "expect": expect}


TESTS = [
    case("a sound practice is approved with its amount", {}, decision="approve", limit_minor=350_000 * DOLLAR),
    case("a new restaurant, lent to from afar, is declined", _RISKY, stage="score"),
    case(
        "the same, in Ohio and from a bank near by, is lent to at a higher price",
        {**_RISKY, "state": "OH", "bank_same_state": True},
        decision="approve",
        grade="F",
    ),
    case("no amount, no decision", {"approved_minor": None}, reasons=["KEY_DATA_INCOMPLETE"]),
    case("more than all cannot be guaranteed", {"guaranteed_bps": 12_000}, reasons=["GUARANTEE_IMPLAUSIBLE"]),
    case("another programme's loan is looked at", {"guaranteed_bps": 10_000}, reasons=["FULLY_GUARANTEED"]),
    case("thousands of employees are looked at", {"employees": 4_000}, decision="refer"),
    case("a large loan is looked at", {"approved_minor": 3_000_000 * DOLLAR}, reasons=["LARGE_LOAN"]),
]


def document() -> dict[str, Any]:
    """The artefact's whole document, sealed."""
    return seal(
        {
            "format_version": 2,
            "model_id": "sba",
            "version": "1.0.0",
            "currency": "USD",
            "feature_schema": parts.feature_schema("public-loans", 1, FEATURES),
            "rules": RULES,
            "tests": TESTS,
            **{name: LEARNT[name] for name in ("scorecard", "calibration", "grades")},
            "price": PRICE,
            "limit": LIMIT,
            "risk_index": None,
            "max_reasons": 4,
            "missing_reason_code": "DATA_NOT_AVAILABLE",
            "reasons": parts.reason_texts(REASONS),
        }
    )


if __name__ == "__main__":
    made = document()
    checked(made)
    sys.stdout.write(parts.laid_out(made) + "\n")
