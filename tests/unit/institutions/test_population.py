"""The made-up population: valid, reproducible, sensible, and with its personas where they belong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from statistics import correlation, median
from typing import Any

import pytest
from stdnum.cn import uscc

from creditmesh.gateway.key_data import KeyData, extract
from institutions.population import (
    LENDERS_HABITS,
    LIMIT_CASES,
    PERSONAS,
    Firm,
    Population,
    blacklist_entries,
    expired_code,
    persona_id,
)
from institutions.registry_figures import registry_data
from institutions.tax_figures import tax_data
from institutions.write_examples import text

AS_OF = date(2026, 11, 21)
SIZE = 400
# Changes only when the generator is meant to change.
GOLDEN = "89797e53ed9960c3f9372fd86512f9310eb4ad391372153ce38dbe33822951e0"


@cache
def firms() -> list[Firm]:
    population = Population(7, SIZE)
    return [population.firm(index, AS_OF) for index in range(SIZE)]


def key_data(firm: Firm, as_of: date = AS_OF) -> KeyData:
    return extract(
        {"tax": tax_data(firm, as_of), "registry": registry_data(firm, as_of)},
        blacklist_hits=0,
        requested_amount_minor=1,
        requested_term_months=1,
        as_of=as_of,
    )


@cache
def features() -> list[dict[str, Any]]:
    return [dict(key_data(firm).features) for firm in firms()]


def test_codes_are_valid_and_lead_back_to_their_firm() -> None:
    population = Population(7, SIZE)
    for firm in firms():
        assert uscc.validate(firm.taxpayer_id) == firm.taxpayer_id
        assert population.by_taxpayer_id(firm.taxpayer_id, AS_OF) == firm
    assert len({firm.taxpayer_id for firm in firms()}) == len({firm.name for firm in firms()}) == SIZE
    assert len({firm.name_latin for firm in firms()}) == SIZE


@pytest.mark.parametrize("code", ["", "91110000600037341L", "9199090" + "1MAXDB23Y12", "x" * 18])
def test_nobodys_code_leads_nowhere(code: str) -> None:
    assert Population(7, SIZE).by_taxpayer_id(code, AS_OF) is None


def test_a_code_beyond_the_population_leads_nowhere() -> None:
    beyond = Population(7, SIZE + 1).firm(SIZE, AS_OF)
    assert Population(7, SIZE).by_taxpayer_id(beyond.taxpayer_id, AS_OF) is None
    with pytest.raises(IndexError):
        Population(7, SIZE).firm(SIZE, AS_OF)


def test_the_population_is_the_same_to_the_bit_on_every_machine() -> None:
    population = Population(7, SIZE)
    answers = [
        [tax_data(firm, AS_OF), registry_data(firm, AS_OF)]
        for firm in (population.firm(index, AS_OF) for index in (0, 7, 8, 9, 10, 137, 399))
    ]
    digest = hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()
    assert digest == GOLDEN


def test_another_seed_gives_other_firms() -> None:
    assert not {firm.taxpayer_id for firm in firms()} & {Population(8).firm(n, AS_OF).taxpayer_id for n in range(50)}


def test_history_does_not_change_as_time_goes_on() -> None:
    def past(as_of: date) -> Any:
        answer = tax_data(firms()[20], as_of)
        months = {row["month"]: row for row in answer["invoices"]}
        return {month: months[month] for month in ("2026-03", "2026-04", "2026-05")}

    assert past(date(2026, 7, 1)) == past(AS_OF)


def test_every_answer_is_clean() -> None:
    """Months without an invoice are told, and of the few firms that are gone, that one register lags the other."""
    told = {firm.index: {one.finding for one in key_data(firm).quality} for firm in firms()}
    assert set.union(*told.values()) <= {"gap", "sources_disagree"}
    lagging = [firm for firm in firms() if "sources_disagree" in told[firm.index]]
    assert {firm.persona for firm in lagging} <= {"ordinary"}
    assert len(lagging) < SIZE / 25


@pytest.mark.parametrize(
    ("one", "other", "sign"),
    [
        ("profit_margin_bps", "debt_ratio_bps", -1),
        ("revenue_growth_bps", "invoice_trend_bps", 1),
        ("profit_margin_bps", "revenue_growth_bps", 1),
        ("invoice_volatility_bps", "profit_margin_bps", -1),
        ("revenue_12m_minor", "tax_paid_12m_minor", 1),
        ("revenue_12m_minor", "total_assets_minor", 1),
        ("revenue_12m_minor", "top_customer_share_bps", -1),
        ("revenue_12m_minor", "employee_count", 1),
        ("tax_late_count_24m", "profit_margin_bps", -1),
        ("tax_late_count_24m", "penalty_count_24m", 1),
        ("debt_ratio_bps", "current_ratio_bps", -1),
    ],
)
def test_features_hang_together_as_they_should(one: str, other: str, sign: int) -> None:
    pairs = [(row[one], row[other]) for row in features() if row[one] is not None and row[other] is not None]
    assert sign * correlation([pair[0] for pair in pairs], [pair[1] for pair in pairs]) > 0.1


def test_tax_and_invoices_go_with_revenue() -> None:
    for row in features():
        if row["revenue_12m_minor"] and row["invoice_total_12m_minor"] and row["company_age_months"] > 24:
            assert 0.7 < row["invoice_total_12m_minor"] / row["revenue_12m_minor"] < 1.3
    assert 100 < median(row["tax_burden_bps"] for row in features() if row["tax_burden_bps"] is not None) < 500


def test_employees_go_with_the_trade() -> None:
    """A caterer has more people for its revenue than a trading house."""

    def revenue_per_head(trade: str) -> float:
        rows = [
            row for row in features() if row["industry"] == trade and row["employee_count"] and row["revenue_12m_minor"]
        ]
        assert len(rows) > 10
        return median(row["revenue_12m_minor"] / row["employee_count"] for row in rows)

    assert revenue_per_head("F51") > 3 * revenue_per_head("C34") > 3 * revenue_per_head("H62")


def test_employees_are_told_by_filed_reports_and_not_by_all_of_them() -> None:
    reports = [report for firm in firms() for report in registry_data(firm, AS_OF)["filings"]]
    assert all(report["insured_employees"] is None for report in reports if report["filed_on"] is None)
    told = [report["insured_employees"] for report in reports if report["filed_on"] is not None]
    assert 0.03 < sum(number is None for number in told) / len(told) < 0.10
    assert all(number is None or 0 <= number < 1_000 for number in told)


def test_a_years_employees_are_the_same_in_every_later_answer() -> None:
    def of_2024(firm: Firm, as_of: date) -> Any:
        return [report for report in registry_data(firm, as_of)["filings"] if report["year"] == 2024]

    assert all(
        of_2024(firm, AS_OF) == of_2024(firm, date(2028, 11, 21)) for firm in firms() if firm.persona != "thin_file"
    )


def healthy(row: dict[str, Any]) -> bool:
    return (
        row["taxpayer_status"] == "normal"
        and row["tax_credit_rating"] != "D"
        and row["registration_status"] == "active"
        and row["company_age_months"] >= 24
        and row["statement_months"] >= 12
        and row["tax_arrears_minor"] <= 100_000
        and row["invoice_gap_months_max_24m"] <= 3
        and not row["abnormal_operation_listed"]
    )


def test_about_three_firms_in_four_are_healthy() -> None:
    assert 0.70 < sum(healthy(row) for row in features()) / SIZE < 0.85


@pytest.mark.parametrize("as_of", [date(2026, 11, 21), date(2027, 1, 2), date(2027, 2, 28), date(2027, 8, 15)])
def test_personas_are_what_they_are_called_on_any_day(as_of: date) -> None:
    population = Population(7, SIZE)
    by_name = {name: key_data(population.persona(name, as_of), as_of).features for name in PERSONAS}
    sound = ("good_firm", "expired_code", "no_product_fits", "lender_rejects", "lender_silent", "blacklisted")
    assert [name for name in sound if not healthy(by_name[name])] == []
    assert by_name["tax_abnormal"]["taxpayer_status"] == "abnormal"
    assert by_name["thin_file"]["company_age_months"] == 7
    assert by_name["thin_file"]["statement_months"] in range(3, 8)


@pytest.mark.parametrize("seed", [7, 8, 9, 10, 11])
def test_personas_are_the_same_in_every_population(seed: int) -> None:
    population = Population(seed, SIZE)
    good = key_data(population.persona("good_firm", AS_OF)).features
    assert healthy(good)
    assert good["tax_late_count_24m"] == 0
    assert persona_id(seed, "good_firm") == population.firm(0, AS_OF).taxpayer_id


def test_the_thin_file_has_two_statements_at_the_default_day() -> None:
    assert len(tax_data(Population(7).persona("thin_file", AS_OF), AS_OF)["statements"]) == 2


def test_the_blacklist_names_its_persona_and_few_others() -> None:
    entries = blacklist_entries(7)
    personas = {firm.taxpayer_id: firm.persona for firm in firms()}
    assert [personas[entry] for entry in entries] == ["blacklisted", *["ordinary"] * 4]


def test_expired_codes_differ_by_seed() -> None:
    assert expired_code(7) == expired_code(7) != expired_code(8)


def test_the_examples_are_those_of_the_generator() -> None:
    path = Path(__file__).parents[3] / "examples" / "applications.jsonl"
    assert path.read_text("utf-8") == text()
    lines = [json.loads(line) for line in text().splitlines()]
    on_limits = {"first_loan", "second_loan", "at_limit", "one_at_once", "other_at_once"}
    one_each = LIMIT_CASES.keys() - {"repeated", "two_at_once"}
    named = {*PERSONAS, *LENDERS_HABITS, *one_each, *on_limits, "no_flow", "manager_silent"}
    assert {line["persona"] for line in lines} == {*named, "ordinary"}
    assert len(lines) == 30 + len(LENDERS_HABITS) + len(one_each) + len(on_limits)
    assert len({line["firm"]["taxpayer_id"] for line in lines}) == 30 + len(LENDERS_HABITS) + len(LIMIT_CASES)


def test_changes_of_the_day_show_only_what_has_happened() -> None:
    dates: dict[str, Callable[[dict[str, Any]], str]] = {
        "changes": lambda row: str(row["on"]),
        "penalties": lambda row: str(row["on"]),
        "pledges": lambda row: str(row["registered_on"]),
    }
    for firm in firms()[:100]:
        answer = registry_data(firm, AS_OF)
        for section, of in dates.items():
            assert all(firm.established_on.isoformat() <= of(row) <= AS_OF.isoformat() for row in answer[section])
