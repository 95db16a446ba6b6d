"""Made-up firms with a simulated outcome: the formula's signs, its repeatability, and what goes by the loans' names."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from institutions.population import Population
from training.data import firms, outcomes, sba

HEALTHY = {
    "tax_credit_rating": "A",
    "industry": "I65",
    "taxpayer_status": "normal",
    "revenue_12m_minor": 2_000_000_000,
    "revenue_growth_bps": 1_500,
    "profit_margin_bps": 1_200,
    "debt_ratio_bps": 3_500,
    "current_ratio_bps": 20_000,
    "tax_burden_bps": 350,
    "tax_late_count_24m": 0,
    "tax_arrears_minor": 0,
    "invoice_volatility_bps": 900,
    "invoice_trend_bps": 800,
    "company_age_months": 130,
    "overdue_months_24m": 0,
    "credit_utilisation_bps": 2_500,
    "enquiry_count_6m": 0,
    "fraud_score": 70,
    "requested_to_revenue_bps": 200,
}
WORSE = {
    "tax_credit_rating": "D",
    "revenue_growth_bps": -2_500,
    "profit_margin_bps": -400,
    "debt_ratio_bps": 8_800,
    "tax_late_count_24m": 7,
    "invoice_volatility_bps": 5_900,
    "overdue_months_24m": 3,
    "credit_utilisation_bps": 9_400,
    "enquiry_count_6m": 7,
    "fraud_score": 550,
    "company_age_months": 19,
}


@pytest.fixture(scope="module")
def made():
    return firms.frame(count=24, workers=1)


@pytest.mark.parametrize("name", WORSE)
def test_each_worse_value_makes_default_likelier(name):
    assert outcomes.probability({**HEALTHY, name: WORSE[name]}) > outcomes.probability(HEALTHY) * 1.05


def test_healthy_firms_seldom_fail_and_weak_ones_often():
    assert outcomes.probability(HEALTHY) < 0.015
    assert outcomes.probability({**HEALTHY, **WORSE}) > 0.25


def test_two_things_together_are_worse_than_their_sum():
    debt, falling = {"debt_ratio_bps": 6_500}, {"revenue_growth_bps": -100}
    rise = [
        outcomes.log_odds({**HEALTHY, **change}) - outcomes.log_odds(HEALTHY)
        for change in (debt, falling, debt | falling)
    ]
    assert rise[2] > rise[0] + rise[1] + 0.1


def test_what_is_not_known_is_neither_best_nor_worst():
    for effect in outcomes.EFFECTS:
        if isinstance(effect, outcomes.Slope):
            assert effect.at_low != effect.at_high
            assert min(effect.at_low, effect.at_high) <= effect.missing <= max(effect.at_low, effect.at_high)


def test_outcomes_come_as_often_as_the_probability_says():
    weak = {**HEALTHY, "debt_ratio_bps": 8_000, "tax_late_count_24m": 4, "overdue_months_24m": 2}
    failed = np.mean([outcomes.defaulted(weak, "firm", number) for number in range(20_000)])
    assert failed == pytest.approx(outcomes.probability(weak), rel=0.08)


def test_the_same_firm_has_the_same_fate():
    keys = [(seed, index) for seed in (1, 2) for index in range(200)]
    once = [outcomes.defaulted({**HEALTHY, **WORSE}, *key) for key in keys]
    assert once == [outcomes.defaulted({**HEALTHY, **WORSE}, *key) for key in keys]
    assert 0 < sum(once) < len(once)


def test_firms_are_the_same_whoever_makes_them(made):
    assert made.equals(firms.frame(count=24, workers=2))
    assert firms.application(firms.SEED, 9)["decided_on"] == firms.application(firms.SEED, 9)["decided_on"]


def test_what_the_loans_have_goes_by_their_names(made):
    loans = sba.ORIGINATION
    assert set(firms.SHARED) <= set(loans)
    assert set(firms.NAICS.values()) <= {"11", "21", "22", "23", "31", "42", "44", "48", "51", "54", "56", "72"}
    assert set(firms.NAICS_GROUPS) <= set(firms.NAICS)
    for division, group in firms.NAICS_GROUPS.items():
        assert sba._SECTOR.get(group[:2], group[:2]) == firms.NAICS[division], "a group lies within its sector"
    row = made.row(0, named=True)
    assert row["industry_sector"] == firms.NAICS[row["industry"]]
    assert row["industry_group"] == firms.NAICS_GROUPS.get(row["industry"])
    assert made["employees"].equals(made["employee_count"])
    assert 0 <= made["employees"].null_count() < len(made) / 3
    assert row["new_business"] is (row["company_age_months"] < 24)
    assert row["approved_minor"] == row["requested_amount_minor"] // 7


def test_outcomes_are_marked_as_simulated(made):
    training_set = firms.training_set(made)
    assert training_set.outcome_kind == "simulated"
    assert tuple(training_set.features.columns) == firms.FEATURES
    assert firms.TARGET not in training_set.features.columns


def test_no_persona_is_learnt_from(made):
    assert set(made["persona"]) == {"ordinary"}
    assert made["decided_on"].is_between(date(2023, 1, 1), date(2025, 7, 1)).all()


def test_named_firms_are_as_likely_to_fail_as_their_names_say():
    day = date(2026, 11, 22)

    def likely(persona):
        features = firms.key_data(Population().persona(persona, day), day, 30_000_000, 12)
        return outcomes.probability(firms.with_ratio(features))

    assert likely("good_firm") < 0.02
    assert likely("good_firm") < likely("thin_file")
    assert likely("good_firm") < likely("tax_abnormal")


def test_other_code_makes_other_firms(tmp_path, monkeypatch):
    """The kept file's name tells what made it, so that no firms without a new feature are read."""
    firms.cached(count=2, seed=5, directory=tmp_path)
    altered = tmp_path / "outcomes.py"
    altered.write_bytes(Path(outcomes.__file__).read_bytes() + b"\n# another formula\n")
    monkeypatch.setattr(outcomes, "__file__", str(altered))
    firms.cached(count=2, seed=5, directory=tmp_path)
    assert len(list(tmp_path.glob("*.parquet"))) == 2


def test_cached_firms_are_read_again(tmp_path):
    first = firms.cached(count=3, seed=5, directory=tmp_path)
    [path] = tmp_path.iterdir()
    pl.read_parquet(path).with_columns(persona=pl.lit("from the file")).write_parquet(path)
    assert (
        set(firms.cached(count=3, seed=5, directory=tmp_path)["persona"]) == {"from the file"} != set(first["persona"])
    )
