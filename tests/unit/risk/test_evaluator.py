"""The decision's stages, numbers and reasons on the shipped model (C12-C15, M09, M10)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from creditmesh.risk.artefact import Artefact, load, seal
from creditmesh.risk.errors import FeatureInvalid
from creditmesh.risk.evaluator import evaluate

WEAK = {
    "debt_ratio_bps": 9_000,
    "profit_margin_bps": -900,
    "tax_late_count_24m": 9,
    "revenue_growth_bps": -5_000,
    "invoice_trend_bps": -5_000,
}


def test_good_firm_is_approved_with_every_step_shown(origination: Artefact, good_firm: dict[str, Any]) -> None:
    result = evaluate(origination, good_firm)
    assert (result.decision, result.stage, result.score, result.grade) == ("approve", "approved", 753, "A")
    assert (result.pd_bps, result.annual_rate_bps, result.limit_minor) == (45, 680, 110_000_000)
    assert result.score == origination.scorecard.base_points + sum(line.points for line in result.points)
    assert result.reasons == ()
    assert result.to_dict()["limit_steps"] == {
        "methods": {
            "revenue_share": 180_000_000,
            "tax_multiple": 288_000_000,
            "cash_flow": 110_000_000,
            "net_assets": 220_000_000,
            "single_borrower_cap": 300_000_000,
        },
        "binding_method": "cash_flow",
        "least_minor": 110_000_000,
        "grade_factor_bps": 10_000,
        "factored_minor": 110_000_000,
        "step_minor": 1_000_000,
        "rounded_minor": 110_000_000,
        "floor_minor": 5_000_000,
    }


def test_result_names_the_model_and_is_plain_json(origination: Artefact, good_firm: dict[str, Any]) -> None:
    document = evaluate(origination, good_firm).to_dict()
    assert json.loads(json.dumps(document)) == document
    assert document["model_hash"] == origination.content_hash
    assert (document["model_id"], document["model_version"]) == ("origination", "1.0.0")


def test_blacklist_stops_everything(origination: Artefact, good_firm: dict[str, Any]) -> None:
    result = evaluate(origination, {**good_firm, "blacklist_hits": 1, "taxpayer_status": "abnormal"})
    assert (result.decision, result.stage, result.fired_rules) == ("decline", "blacklist", ("blacklisted",))
    assert (result.score, result.points, result.limit_steps, result.reasons) == (None, (), None, ("BLACKLISTED",))


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"taxpayer_status": "abnormal"}, ["taxpayer_not_normal"]),
        ({"tax_credit_rating": "D"}, ["tax_rating_d"]),
        ({"registration_status": "revoked"}, ["registration_not_active"]),
        ({"company_age_months": 23}, ["company_too_young"]),
        ({"statement_months": 9, "revenue_12m_minor": None}, ["thin_file"]),
        ({"statement_months": None}, ["thin_file"]),
        ({"revenue_12m_minor": 99_999_999}, ["revenue_below_floor"]),
        ({"revenue_12m_minor": None}, ["revenue_below_floor"]),
        ({"tax_arrears_minor": 100_001}, ["tax_arrears"]),
        ({"invoice_gap_months_max_24m": 4}, ["invoice_gap"]),
        ({"abnormal_operation_listed": True}, ["abnormal_listing"]),
        ({"annual_filings_missed": 2}, ["filings_missed"]),
        ({"blacklist_hits": None}, ["key_data_incomplete"]),
        ({"registration_status": None, "taxpayer_status": "suspended"}, ["taxpayer_not_normal", "key_data_incomplete"]),
    ],
)
def test_admission_names_every_rule_missed(
    origination: Artefact, good_firm: dict[str, Any], changes: dict[str, Any], rules: list[str]
) -> None:
    result = evaluate(origination, {**good_firm, **changes})
    assert (result.decision, result.stage, list(result.fired_rules)) == ("decline", "admission", rules)
    assert list(result.reasons) == [rule.upper() for rule in rules]
    assert result.score is None


@pytest.mark.parametrize(
    "changes",
    [
        {"company_age_months": 24},
        {"statement_months": 12},
        {"revenue_12m_minor": 100_000_000},
        {"tax_arrears_minor": 100_000},
        {"invoice_gap_months_max_24m": 3},
        {"annual_filings_missed": 1},
        {"tax_credit_rating": None},
    ],
)
def test_admission_lets_the_limit_values_pass(
    origination: Artefact, good_firm: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert evaluate(origination, {**good_firm, **changes}).stage not in ("blacklist", "admission")


def test_nothing_known_is_declined(origination: Artefact) -> None:
    result = evaluate(origination, {})
    assert (result.stage, result.reasons) == ("admission", ("THIN_FILE", "KEY_DATA_INCOMPLETE"))


def test_low_score_is_declined_with_the_most_points_lost_first(
    origination: Artefact, good_firm: dict[str, Any]
) -> None:
    result = evaluate(origination, {**good_firm, **WEAK})
    assert (result.decision, result.stage, result.grade) == ("decline", "score", "F")
    assert result.reasons == ("LATE_TAX", "LOW_PROFIT", "REVENUE_TREND", "HIGH_DEBT")
    lost = {line.characteristic: line.lost for line in result.points}
    assert [lost[name] for name in ("tax_late_count_24m", "profit_margin", "revenue_growth", "debt_ratio")] == [
        60,
        59,
        55,
        54,
    ]
    assert (result.annual_rate_bps, result.limit_minor, result.limit_steps) == (None, None, None)


def test_small_limit_is_declined_naming_what_binds_it(origination: Artefact, good_firm: dict[str, Any]) -> None:
    result = evaluate(origination, {**good_firm, "net_assets_minor": 9_999_999})
    assert (result.decision, result.stage, result.limit_minor) == ("decline", "limit", None)
    assert result.reasons == ("LIMIT_BELOW_FLOOR", "LIMIT_BY_NET_ASSETS")
    assert result.limit_steps is not None
    assert (result.limit_steps.least_minor, result.limit_steps.rounded_minor) == (4_999_999, 4_000_000)


def test_losses_leave_nothing_to_lend_and_unknowns_follow_their_method(
    origination: Artefact, good_firm: dict[str, Any]
) -> None:
    loss = evaluate(origination, {**good_firm, "profit_12m_minor": -1, "operating_cash_flow_12m_minor": -5})
    skipped = evaluate(origination, {**good_firm, "net_assets_minor": None})
    zeroed = evaluate(origination, {**good_firm, "tax_paid_12m_minor": None})
    assert loss.limit_steps is not None
    assert loss.limit_steps.least_minor == 0
    assert skipped.to_dict()["limit_steps"]["methods"]["net_assets"] is None
    assert skipped.decision == "approve"
    assert zeroed.to_dict()["limit_steps"]["methods"]["tax_multiple"] == 0
    assert zeroed.stage == "limit"


def test_grade_factor_and_step_round_down(document: dict[str, Any], good_firm: dict[str, Any]) -> None:
    document["grades"][0]["limit_factor_bps"] = 3_333
    document["limit"]["step_minor"] = 700
    steps = evaluate(load(json.dumps(seal(document))), {**good_firm, "profit_12m_minor": 100_000_001}).limit_steps
    assert steps is not None
    assert (steps.factored_minor, steps.rounded_minor) == (33_330_000, 33_329_800)


@pytest.mark.parametrize(
    ("changes", "bin_label"),
    [
        ({"debt_ratio_bps": -1}, "(-inf, 3000)"),
        ({"debt_ratio_bps": 2_999}, "(-inf, 3000)"),
        ({"debt_ratio_bps": 3_000}, "[3000, 5000)"),
        ({"debt_ratio_bps": 8_500}, "[8500, inf)"),
        ({"debt_ratio_bps": None}, "missing"),
    ],
)
def test_a_bins_upper_bound_belongs_to_the_next(
    origination: Artefact, good_firm: dict[str, Any], changes: dict[str, Any], bin_label: str
) -> None:
    lines = {line.characteristic: line for line in evaluate(origination, {**good_firm, **changes}).points}
    assert lines["debt_ratio"].bin == bin_label


@pytest.mark.parametrize(
    ("value", "bin_label", "points"), [("A", "A", 30), ("a", "other", -15), ("", "other", -15), (None, "missing", -5)]
)
def test_category_bins(
    origination: Artefact, good_firm: dict[str, Any], value: str | None, bin_label: str, points: int
) -> None:
    lines = {
        line.characteristic: line for line in evaluate(origination, {**good_firm, "tax_credit_rating": value}).points
    }
    assert (lines["tax_credit_rating"].bin, lines["tax_credit_rating"].points) == (bin_label, points)


@pytest.mark.parametrize(
    ("feature", "value"),
    [
        ("debt_ratio_bps", "4500"),
        ("debt_ratio_bps", True),
        ("debt_ratio_bps", 45.0),
        ("debt_ratio_bps", 2**63),
        ("industry", 34),
        ("industry", "\ud800"),
        ("abnormal_operation_listed", 0),
        ("abnormal_operation_listed", "false"),
    ],
)
def test_values_of_another_type_are_refused_without_being_quoted(
    origination: Artefact, good_firm: dict[str, Any], feature: str, value: object
) -> None:
    with pytest.raises(FeatureInvalid) as caught:
        evaluate(origination, {**good_firm, feature: value})
    assert caught.value.feature == feature
    assert repr(value) not in str(caught.value)
