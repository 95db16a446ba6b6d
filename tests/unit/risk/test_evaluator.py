"""The shipped model's policy: who is stopped, referred, lent to, at what rate and limit (C12-C15, M05, M09, M10).

Points, grades and rates are learnt anew from time to time, so nothing here rests on their figures.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from creditmesh.risk.artefact import Artefact
from creditmesh.risk.errors import FeatureInvalid
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.result import RiskResult

DAY = date(2026, 1, 15)
WEAK = {
    "tax_credit_rating": "C",
    "debt_ratio_bps": 9_500,
    "profit_margin_bps": -3_000,
    "tax_late_count_24m": 20,
    "tax_burden_bps": 0,
    "revenue_growth_bps": -8_000,
    "invoice_trend_bps": -8_000,
    "invoice_volatility_bps": 20_000,
    "invoice_void_rate_bps": 5_000,
    "invoice_months_active_12m": 6,
    "penalty_count_24m": 9,
    "legal_rep_changes_24m": 5,
}


def decided(model: Artefact, firm: dict[str, Any], changes: dict[str, Any] | None = None) -> RiskResult:
    """What the model says of the firm with some features changed."""
    return evaluate(model, {**firm, **(changes or {})}, DAY)


def test_good_firm_is_approved_with_every_step_shown(origination: Artefact, good_firm: dict[str, Any]) -> None:
    result = decided(origination, good_firm)
    segment = next(item for item in origination.scorecard.segments if item.id == result.segment)
    index, grade = next((i, item) for i, item in enumerate(origination.grades) if item.grade == result.grade)
    assert (result.decision, result.stage, result.adjustment) == ("approve", "approved", 0)
    assert (result.fired_rules, result.reasons) == ((), ())
    assert result.score == segment.base_points + sum(line.points for line in result.points)
    assert result.score >= grade.min_score >= origination.scorecard.cutoff
    assert (result.pd_bps, result.annual_rate_bps) == (grade.pd_bps, origination.prices[index].annual_rate_bps)
    steps = result.limit_steps
    assert steps is not None
    assert dict(steps.methods) == {
        "revenue_share": 180_000_000,
        "tax_multiple": 288_000_000,
        "cash_flow": 88_000_000,
        "net_assets": 220_000_000,
        "existing_debt": 600_000_000,
        "single_borrower_cap": 300_000_000,
    }
    assert (steps.binding_method, steps.least_minor) == ("cash_flow", 88_000_000)
    assert steps.factored_minor == 88_000_000 * grade.limit_factor_bps // 10_000
    assert result.limit_minor == steps.factored_minor // 1_000_000 * 1_000_000 >= 5_000_000
    assert result.risk_index is not None
    assert [name for name, _ in result.risk_index.dimensions] == ["authenticity", "ability", "willingness", "stability"]
    assert result.risk_index.grade == "R1"


def test_result_names_the_model_and_is_plain_json(origination: Artefact, good_firm: dict[str, Any]) -> None:
    for changes in ({}, {"blacklist_hits": 1}, {"greylist_hits": 1}, WEAK):
        document = decided(origination, good_firm, changes).to_dict()
        assert json.loads(json.dumps(document)) == document
        assert document["model_hash"] == origination.content_hash
        assert (document["model_id"], document["model_version"]) == ("origination", "2.1.0")


def test_blacklist_stops_everything(origination: Artefact, good_firm: dict[str, Any]) -> None:
    result = decided(origination, good_firm, {"blacklist_hits": 1, "taxpayer_status": "abnormal", "whitelist_hits": 1})
    assert (result.decision, result.stage) == ("decline", "blacklist")
    assert result.fired_rules == ("whitelisted", "blacklisted")
    assert (result.score, result.points, result.limit_steps, result.risk_index) == (None, (), None, None)
    assert (result.segment, result.adjustment, result.pd_ppm, result.grade) == (None,) * 4
    assert result.reasons == ("BLACKLISTED",)


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"taxpayer_status": "abnormal"}, ["taxpayer_not_normal"]),
        ({"tax_credit_rating": "D"}, ["tax_rating_d"]),
        ({"registration_status": "revoked"}, ["registration_not_active"]),
        ({"company_age_months": 23}, ["company_too_young"]),
        ({"statement_months": 9, "revenue_12m_minor": None}, ["thin_file"]),
        ({"revenue_12m_minor": 99_999_999}, ["revenue_below_floor"]),
        ({"tax_arrears_minor": 100_001}, ["tax_arrears"]),
        ({"invoice_gap_months_max_24m": 4}, ["invoice_gap"]),
        ({"abnormal_operation_listed": True}, ["abnormal_listing"]),
        ({"annual_filings_missed": 2}, ["filings_missed"]),
        ({"dishonest_debtor_listed": True}, ["dishonest_debtor"]),
        ({"blacklist_hits": None}, ["key_data_incomplete"]),
        ({"registration_status": None, "taxpayer_status": "suspended"}, ["taxpayer_not_normal", "key_data_incomplete"]),
    ],
)
def test_admission_names_every_rule_missed(
    origination: Artefact, good_firm: dict[str, Any], changes: dict[str, Any], rules: list[str]
) -> None:
    result = decided(origination, good_firm, changes)
    assert (result.decision, result.stage, list(result.fired_rules)) == ("decline", "admission", rules)
    assert list(result.reasons) == [rule.upper() for rule in rules]
    assert result.score is None


@pytest.mark.parametrize(
    ("feature", "rule", "reason"),
    [
        ("statement_months", "thin_file", "DATA_NOT_AVAILABLE"),
        ("revenue_12m_minor", "revenue_unknown", "KEY_DATA_INCOMPLETE"),
        ("registration_status", "key_data_incomplete", "KEY_DATA_INCOMPLETE"),
    ],
)
def test_what_is_unknown_is_not_called_too_little(
    origination: Artefact, good_firm: dict[str, Any], feature: str, rule: str, reason: str
) -> None:
    """F8: no reason speaks of a bound that nobody could compare."""
    result = decided(origination, good_firm, {feature: None})
    assert (result.stage, result.fired_rules, result.reasons) == ("admission", (rule,), (reason,))


UNREADABLE = {
    "dishonest_debtor_listed": ("judicial", "dishonest_debtor"),
    "enforcement_open_count": ("judicial", "enforcement_open"),
    "overdue_amount_minor": ("credit_bureau", "credit_overdue"),
    "tax_arrears_minor": ("tax", "tax_arrears"),
    "revenue_12m_minor": ("tax", "revenue_below_floor"),
    "taxpayer_status": ("tax", "taxpayer_not_normal"),
    "fraud_score": ("anti_fraud", "fraud_suspected"),
    "annual_filings_missed": ("registry", "filings_missed"),
}


@pytest.mark.parametrize("feature", UNREADABLE)
def test_what_was_asked_and_could_not_be_read_is_looked_at_by_a_person(
    origination: Artefact, good_firm: dict[str, Any], feature: str
) -> None:
    """F1: never approved in silence, nor declined for it."""
    source, rule = UNREADABLE[feature]
    result = decided(origination, good_firm, {feature: None, "unread": f"{feature}:{source}"})
    assert (result.decision, result.stage, result.reasons) == ("refer", "referred", ("DATA_NOT_AVAILABLE",))
    assert rule in result.unread_rules
    assert result.limit_minor is not None, "a proposal"
    whitelisted = {feature: None, "unread": f"{feature}:{source}", "whitelist_hits": 1}
    vouched = decided(origination, good_firm, whitelisted).decision == "approve"
    assert vouched == (rule in ("enforcement_open", "credit_overdue")), "a whitelist vouches as if it had been read"


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
        {"dishonest_debtor_listed": None},
    ],
)
def test_admission_lets_the_limit_values_pass(
    origination: Artefact, good_firm: dict[str, Any], changes: dict[str, Any]
) -> None:
    result = decided(origination, good_firm, changes)
    assert (result.stage in ("blacklist", "admission"), result.fired_rules) == (False, ())


@pytest.mark.parametrize(
    ("changes", "reasons", "vouched"),
    [
        ({"greylist_hits": 1}, ("GREYLISTED",), ()),
        ({"blacklist_name_score_bps": 9_500}, ("BLACKLIST_NAME_ALIKE",), ("BLACKLIST_NAME_ALIKE",)),
        ({"overdue_amount_minor": 100_001}, ("CREDIT_OVERDUE",), ()),
        ({"enforcement_open_count": 1}, ("ENFORCEMENT_OPEN",), ()),
        ({"fraud_score": 1_000}, ("FRAUD_SUSPECTED",), ("FRAUD_SUSPECTED",)),
        (
            {"greylist_hits": 2, "blacklist_name_score_bps": 10_000},
            ("BLACKLIST_NAME_ALIKE", "GREYLISTED"),
            ("BLACKLIST_NAME_ALIKE",),
        ),
    ],
)
def test_doubts_are_put_before_a_person_with_a_proposal(
    origination: Artefact,
    good_firm: dict[str, Any],
    changes: dict[str, Any],
    reasons: tuple[str, ...],
    vouched: tuple[str, ...],
) -> None:
    """A whitelist vouches for the firm's conduct, not for the firm being who it says it is."""
    result, whitelisted = (decided(origination, good_firm, {**changes, **more}) for more in ({}, {"whitelist_hits": 1}))
    assert (result.decision, result.stage, result.reasons) == ("refer", "referred", reasons)
    assert result.limit_minor is not None
    assert result.annual_rate_bps is not None
    assert (whitelisted.decision, whitelisted.reasons) == ("refer" if vouched else "approve", vouched)


@pytest.mark.parametrize(
    "changes",
    [
        {"blacklist_name_score_bps": 9_499},
        {"overdue_amount_minor": 100_000},
        {"fraud_score": 0},
        {"greylist_hits": None, "fraud_score": None, "enforcement_open_count": None, "overdue_amount_minor": None},
    ],
)
def test_small_doubts_and_unasked_questions_bother_nobody(
    origination: Artefact, good_firm: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert decided(origination, good_firm, changes).decision == "approve"


def test_nothing_known_is_declined(origination: Artefact) -> None:
    result = evaluate(origination, {}, DAY)
    assert (result.stage, result.reasons) == ("admission", ("DATA_NOT_AVAILABLE", "KEY_DATA_INCOMPLETE"))


def test_low_score_is_declined_with_the_most_points_lost_first(
    origination: Artefact, good_firm: dict[str, Any]
) -> None:
    result = decided(origination, good_firm, WEAK)
    assert (result.decision, result.stage) == ("decline", "score")
    assert (result.annual_rate_bps, result.limit_minor, result.limit_steps) == (None, None, None)
    assert result.score is not None
    assert result.score < origination.scorecard.cutoff
    codes = {item.id: item.reason_code for item in origination.scorecard.segments[0].characteristics}
    lost = sorted((line for line in result.points if line.lost), key=lambda line: -line.lost)
    assert list(result.reasons) == list(dict.fromkeys(codes[line.characteristic] for line in lost))[:4]
    assert result.risk_index is not None
    assert result.risk_index.grade in ("R4", "R5"), "the index stands beside the score, whatever that says"


def test_a_rate_above_the_best_is_explained(origination: Artefact, good_firm: dict[str, Any]) -> None:
    best, weaker = (
        decided(origination, good_firm, changes)
        for changes in ({}, {"tax_credit_rating": "C", "debt_ratio_bps": 8_500})
    )
    assert weaker.decision == "approve"
    assert (weaker.annual_rate_bps or 0) > (best.annual_rate_bps or 0)
    assert weaker.price_reasons[:2] == ("LOW_TAX_RATING", "HIGH_DEBT")


def test_small_limit_is_declined_naming_what_binds_it(origination: Artefact, good_firm: dict[str, Any]) -> None:
    result = decided(origination, good_firm, {"net_assets_minor": 9_999_999})
    assert (result.decision, result.stage, result.limit_minor) == ("decline", "limit", None)
    assert result.reasons == ("LIMIT_BELOW_FLOOR", "LIMIT_BY_NET_ASSETS")
    assert result.limit_steps is not None
    assert result.limit_steps.least_minor == 4_999_999


def test_debt_service_and_debts_make_the_limit_smaller(origination: Artefact, good_firm: dict[str, Any]) -> None:
    """1,100,000 ÷ 1.25 less six times 30,000; 6,000,000 less 5,500,000 of loans and half of 100,000 vouched for."""
    serviced = decided(origination, good_firm, {"monthly_debt_service_minor": 3_000_000})
    indebted = decided(
        origination, good_firm, {"credit_balance_minor": 550_000_000, "guarantee_balance_minor": 10_000_000}
    )
    assert serviced.limit_steps is not None
    assert indebted.limit_steps is not None
    assert (serviced.limit_steps.least_minor, indebted.limit_steps.least_minor) == (70_000_000, 45_000_000)
    assert (serviced.limit_steps.binding_method, indebted.limit_steps.binding_method) == ("cash_flow", "existing_debt")


def test_losses_leave_nothing_to_lend_and_unknowns_follow_their_method(
    origination: Artefact, good_firm: dict[str, Any]
) -> None:
    loss = decided(origination, good_firm, {"profit_12m_minor": -1, "operating_cash_flow_12m_minor": -5})
    skipped = decided(origination, good_firm, {"net_assets_minor": None})
    zeroed = decided(origination, good_firm, {"tax_paid_12m_minor": None})
    assert loss.limit_steps is not None
    assert loss.limit_steps.least_minor == 0
    assert skipped.to_dict()["limit_steps"]["methods"]["net_assets"] is None
    assert skipped.decision == "approve"
    assert zeroed.to_dict()["limit_steps"]["methods"]["tax_multiple"] == 0
    assert zeroed.stage == "limit"


@pytest.mark.parametrize(
    ("feature", "value"),
    [("debt_ratio_bps", "4500"), ("debt_ratio_bps", True), ("industry", 34), ("abnormal_operation_listed", 0)],
)
def test_values_of_another_type_are_refused_without_being_quoted(
    origination: Artefact, good_firm: dict[str, Any], feature: str, value: object
) -> None:
    with pytest.raises(FeatureInvalid) as caught:
        decided(origination, good_firm, {feature: value})
    assert caught.value.feature == feature
    assert repr(value) not in str(caught.value)
