"""The shipped model decides on the examples' personas as their names say, on any day (C12-C15)."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pytest

from creditmesh.gateway.key_data import extract
from creditmesh.kernel.money import Money
from creditmesh.risk.artefact import Artefact, load
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.result import RiskResult
from institutions.court_figures import judicial_data
from institutions.credit_figures import credit_bureau_data
from institutions.fraud_figures import anti_fraud_data
from institutions.population import LENDERS_HABITS, LIMIT_CASES, PERSONAS, Firm, Population
from institutions.registry_figures import registry_data
from institutions.shop_figures import shop_data
from institutions.tax_figures import tax_data

ROOT = Path(__file__).parents[3]
FIGURES = {
    "tax": tax_data,
    "registry": registry_data,
    "judicial": judicial_data,
    "credit_bureau": credit_bureau_data,
    "anti_fraud": anti_fraud_data,
    "shop": shop_data,
}
STOPPED = {"blacklisted": "blacklist", "tax_abnormal": "admission", "thin_file": "admission"}


@cache
def shipped() -> Artefact:
    return load((ROOT / "models" / "origination-2.1.0.json").read_text(encoding="utf-8"))


@cache
def asked_minor() -> dict[str, int]:
    lines = (ROOT / "examples" / "applications.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return {one["persona"]: Money.parse(one["application"]["amount"], "CNY").minor for one in found}


def decided(firm: Firm, on: date, asked: int, blacklist_hits: int = 0) -> RiskResult:
    answers = {kind: figures(firm, on) for kind, figures in FIGURES.items()}
    data = extract(
        {kind: answer for kind, answer in answers.items() if answer is not None},
        blacklist_hits=blacklist_hits,
        requested_amount_minor=asked,
        requested_term_months=12,
        as_of=on,
    )
    return evaluate(shipped(), data.features, on)


@pytest.mark.parametrize("months", range(0, 25, 3))
def test_personas_are_decided_as_they_are_called(months: int) -> None:
    on = date(2026, 11, 22) + timedelta(days=30 * months)
    for name in PERSONAS:
        result = decided(Population().persona(name, on), on, asked_minor()[name], int(name == "blacklisted"))
        assert result.stage == STOPPED.get(name, "approved"), (name, on, result.reasons)
        if result.limit_minor is not None:
            assert result.limit_minor >= asked_minor()[name], (name, on)


LIMITS = {
    "payment_repeated": (260_000, 3_000_000),
    "cancelled_too_late": (360_000, 3_000_000),
    "reduced_offer": (200_000, 1_999_000),  # less than asked for, more than any product's least
    "larger_offer": (50_000, 3_000_000),
    "priced_by_grade": (200_000, 3_000_000),
    "first_loan": (1_500_000, 3_000_000),
    "second_loan": (1_500_000, 3_000_000),
    "one_at_once": (2_200_000, 3_999_000),  # one loan of two millions and the rest, not two of them
}
"""Persona -> bounds of the limit in yuan with which its line ends as expected."""


@pytest.mark.parametrize("months", range(0, 25, 3))
def test_limits_are_what_their_personas_are_called_for(months: int) -> None:
    on = date(2026, 11, 22) + timedelta(days=30 * months)
    firms = LIMIT_CASES | {"first_loan": LIMIT_CASES["repeated"], "second_loan": LIMIT_CASES["repeated"]}
    firms |= {"one_at_once": LIMIT_CASES["two_at_once"], **LENDERS_HABITS}
    for name, (least, most) in LIMITS.items():
        result = decided(Population().firm(firms[name], on), on, asked_minor()[name])
        assert result.stage == "approved", (name, on, result.reasons)
        assert least * 100 <= (result.limit_minor or 0) <= most * 100, (name, on)
