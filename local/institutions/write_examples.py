"""Write ``examples/applications.jsonl``: personas among ordinary firms, each with a loan request.

``python -m institutions.write_examples`` is deterministic; a test compares the file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from institutions.population import (
    DEFAULT_SEED,
    LENDERS_HABITS,
    LIMIT_CASES,
    PERSONAS,
    Firm,
    Population,
    blacklist_entries,
    expired_code,
)

LINES = 30
# The file contains identities only, which do not depend on the day.
_DAY = date(2026, 11, 21)
_OUTCOMES = {
    "good_firm": "disbursed",
    "blacklisted": "declined_blacklist",
    "expired_code": "disbursed",
    "tax_abnormal": "declined_admission",
    "no_product_fits": "no_match",
    "lender_rejects": "lender_rejected",
    "lender_silent": "with_operator",
    "thin_file": "declined_admission",
    "no_flow": "disbursed",
    "manager_silent": "with_operator",
}
_FLOWS = ("tax", "trade-platform", "invoice")
"""Of ordinary firms, by turns; all others take the first."""
_FLOWLESS = {25: "no_flow", 28: "manager_silent"}
"""Ordinary firms that name no flow: a manager assigns one, or is silent until an operator calls."""
_LIMITS: tuple[tuple[str, str, int, str, dict[str, Any]], ...] = (
    ("reduced_offer", "reduced_offer", 2_000_000, "disbursed", {}),
    ("larger_offer", "larger_offer", 30_000, "disbursed", {"amount": "50000.00"}),
    ("priced_by_grade", "priced_by_grade", 200_000, "disbursed", {"product_id": "northgate-starter"}),
    ("first_loan", "repeated", 500_000, "disbursed", {}),
    ("second_loan", "repeated", 3_000_000, "disbursed", {"after": "first_loan", "choice": "largest"}),
    ("at_limit", "repeated", 100_000, "no_match", {"after": "second_loan"}),
    ("one_at_once", "two_at_once", 2_000_000, "disbursed", {"together": "two_at_once"}),
    ("other_at_once", "two_at_once", 2_000_000, "disbursed", {"together": "two_at_once"}),
)
"""Persona, its firm among `LIMIT_CASES`, yuan asked for, outcome, behaviour."""
_PURPOSES = ("Working capital", "Raw materials", "New equipment", "Seasonal stock", "Wages", "Rent and fit-out")
_TERMS = (12, 6, 24, 12, 18)
_STEP_YUAN = 10_000


def lines(seed: int = DEFAULT_SEED) -> list[dict[str, Any]]:
    """The examples of a population: a persona, then a few ordinary firms, and so on; then habits and limits."""
    population = Population(seed)
    made = [_line(firm, number) for number, firm in enumerate(_mixed(population))]
    for name, index in LENDERS_HABITS.items():
        line = _line(population.firm(index, _DAY), len(made))
        if name == "cancelled_too_late":
            line["behaviour"]["cancel_payment"] = True
        made.append({**line, "persona": name, "expected_outcome": "disbursed"})
    for name, firm, yuan, outcome, behaviour in _LIMITS:
        line = _line(population.firm(LIMIT_CASES[firm], _DAY), 0)
        line["application"]["amount"] = f"{yuan}.00"
        line["behaviour"] |= behaviour
        made.append({**line, "persona": name, "expected_outcome": outcome})
    return made


def text(seed: int = DEFAULT_SEED) -> str:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines(seed))


def _mixed(population: Population) -> Iterator[Firm]:
    """Every third is a persona; of ordinary firms, one in ten may well be declined."""
    personas = iter(PERSONAS)
    steady, shaky = _ordinary(population, steady=True), _ordinary(population, steady=False)
    for number in range(LINES):
        persona = next(personas, None) if number % 3 == 0 else None
        if persona:
            yield population.persona(persona, _DAY)
        else:
            yield next(shaky if number % 10 == 7 else steady)


def _ordinary(population: Population, *, steady: bool) -> Iterator[Firm]:
    blacklist = set(blacklist_entries(population.seed, population.size))
    for index in range(len(PERSONAS), population.size):
        firm = population.firm(index, _DAY)
        if firm.taxpayer_id not in blacklist and _is_steady(firm) == steady:
            yield firm


def _is_steady(firm: Firm) -> bool:
    factors = firm.factors
    return factors.quality > 0.2 and factors.discipline > 0.2 and factors.size > -1 and firm.established_on.year < 2022


def _line(firm: Firm, number: int) -> dict[str, Any]:
    # Three per cent of yearly turnover, in steps: a request that such a firm can get.
    yuan = firm.annual_revenue_fen * 3 // 100 // 100 // _STEP_YUAN * _STEP_YUAN
    application: dict[str, Any] = {
        "amount": f"{max(100_000, min(1_000_000, yuan))}.00",
        "currency": "CNY",
        # No product has a term of ten years.
        "term_months": 120 if firm.persona == "no_product_fits" else _TERMS[number % len(_TERMS)],
        "purpose": _PURPOSES[number % len(_PURPOSES)],
    }
    persona = _FLOWLESS.get(number, firm.persona)
    if number not in _FLOWLESS:
        ordinary = persona == "ordinary" and number < LINES
        application["flow_id"] = _FLOWS[number % len(_FLOWS) if ordinary else 0]
    behaviour: dict[str, Any] = {"validity_days": 365, "choice": "best", "sign": True}
    if persona == "manager_silent":
        behaviour["manager"] = "silent"
    if firm.persona == "expired_code":
        behaviour["first_code"] = expired_code(firm.seed)
    return {
        "persona": persona,
        "firm": {"name": firm.name, "name_latin": firm.name_latin, "taxpayer_id": firm.taxpayer_id},
        "application": application,
        "expected_outcome": _OUTCOMES.get(persona, "any"),
        "behaviour": behaviour,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("examples/applications.jsonl"))
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    arguments = parser.parse_args()
    arguments.output.write_text(text(arguments.seed), "utf-8")


if __name__ == "__main__":
    main()
