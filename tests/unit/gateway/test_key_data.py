"""Features computed by hand from small answers (C10)."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import pytest

from creditmesh.gateway.key_data import FEATURE_TYPES, KeyData, SourceDataInvalid, extract

AS_OF = date(2026, 11, 21)
# The made-up bureau sends no row for a month without an invoice.
GAPS = ("tax.invoices", "info", "gap")
TAXPAYER = "99990100MA00000000"


def month(back: int) -> str:
    """The month ``back`` months before the as-of month."""
    index = AS_OF.year * 12 + AS_OF.month - 1 - back
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


def statement(period_end: str, revenue: str, profit: str) -> dict[str, Any]:
    return {
        "period_end": period_end,
        "months": 3,
        "revenue": revenue,
        "profit": profit,
        "operating_cash_flow": "-10.00",
        "total_assets": "3000.00",
        "current_assets": "1000.00",
        "total_liabilities": "1000.00",
        "current_liabilities": "600.00",
    }


ENDS = ["2024-12-31", "2025-03-31", "2025-06-30", "2025-09-30", "2025-12-31", "2026-03-31", "2026-06-30", "2026-09-30"]


def tax_answer() -> dict[str, Any]:
    return {
        "basics": {
            "taxpayer_id": TAXPAYER,
            "name": "Yunzhou Test",
            "status": "normal",
            "credit_rating": "B",
            "registered_on": "2015-03-22",
            "industry": "C34",
        },
        "statements": [
            *(statement(end, "200.00", "20.00") for end in ENDS[:4]),
            *(statement(end, "250.00", "25.00") for end in ENDS[4:]),
        ],
        "payments": [
            {"tax_type": "VAT", "period": month(14), "amount": "7.00", "due_on": "2025-10-15", "paid_on": "2025-10-15"},
            {"tax_type": "VAT", "period": month(3), "amount": "9.00", "due_on": "2026-09-15", "paid_on": "2026-09-16"},
            {"tax_type": "VAT", "period": month(2), "amount": "11.00", "due_on": "2026-10-15", "paid_on": None},
            {"tax_type": "VAT", "period": month(1), "amount": "13.00", "due_on": "2026-11-25", "paid_on": None},
        ],
        "invoices": [invoice(back) for back in range(24, 0, -1) if back not in (20, 19, 18, 5)],
        "currency": "CNY",
        "generated_at": "2026-11-21T00:00:00Z",
    }


def invoice(back: int) -> dict[str, Any]:
    """Months 12 to 7 back invoice 100.00 each, the later ones 150.00; month 5 back has none."""
    amount = "150.00" if back <= 6 else "100.00"
    return {
        "month": month(back),
        "count": 10,
        "void_count": 1 if back == 1 else 0,
        "amount": amount,
        "customer_count": 4 if back % 2 else 5,
        "top_customer_amount": "40.00",
    }


def registry_answer() -> dict[str, Any]:
    return {
        "registration": {
            "taxpayer_id": TAXPAYER,
            "name": "Yunzhou Test",
            "status": "active",
            "established_on": "2015-02-21",
            "registered_capital": "5000000.00",
            "legal_representative": "Test",
            "industry": "C34",
            "address": "1 Test Road",
        },
        "filings": [
            {"year": 2021, "filed_on": "2022-05-20", "insured_employees": 7},
            {"year": 2022, "filed_on": "2023-05-20", "insured_employees": 9},
            {"year": 2023, "filed_on": None, "insured_employees": None},
            {"year": 2025, "filed_on": "2026-05-20", "insured_employees": 12},
        ],
        "changes": [
            {"kind": "legal_representative", "on": "2024-10-31"},
            {"kind": "legal_representative", "on": "2024-11-01"},
            {"kind": "address", "on": "2026-01-01"},
            {"kind": "legal_representative", "on": "2026-11-20"},
        ],
        "pledges": [
            {"registered_on": "2024-01-02", "released_on": None, "amount": "100000.00"},
            {"registered_on": "2024-01-02", "released_on": "2026-11-21", "amount": "100000.00"},
            {"registered_on": "2024-01-02", "released_on": "2027-01-01", "amount": "100000.00"},
        ],
        "operations": {"abnormal_listed": False, "listed_on": None},
        "penalties": [{"on": "2025-03-04", "kind": "late filing", "amount": "2000.00"}],
        "currency": "CNY",
        "generated_at": "2026-11-21T00:00:00Z",
    }


def key_data(tax: Any = None, registry: Any = None) -> KeyData:
    sources = {
        "tax": tax_answer() if tax is None else tax,
        "registry": registry_answer() if registry is None else registry,
    }
    return extract(
        sources,
        blacklist_hits=0,
        requested_amount_minor=30_000_000,
        requested_term_months=12,
        as_of=AS_OF,
    )


def findings(data: KeyData) -> set[tuple[str, str, str]]:
    return {(one.field, one.severity, one.finding) for one in data.quality}


def test_every_feature_by_hand() -> None:
    # Invoices of the last 12 months: 6 × 100 and 5 × 150 and one 0, so S = 1350, Q = 6·100² + 5·150² = 172,500,
    # 12·Q − S² = 247,500 and √247500 / 1350 = 0.36851… (in yuan; the ratio is the same in fen).
    assert dict(list(key_data().features.items())[:40]) == {
        "taxpayer_status": "normal",
        "tax_credit_rating": "B",
        "tax_registration_months": 139,
        "revenue_12m_minor": 100_000,
        "revenue_prior_12m_minor": 80_000,
        "revenue_growth_bps": 2_500,
        "profit_12m_minor": 10_000,
        "profit_margin_bps": 1_000,
        "operating_cash_flow_12m_minor": -4_000,
        "total_assets_minor": 300_000,
        "total_liabilities_minor": 100_000,
        "net_assets_minor": 200_000,
        "debt_ratio_bps": 3_333,
        "current_ratio_bps": 16_667,
        "statement_months": 24,
        "tax_paid_12m_minor": 900,
        "tax_paid_prior_12m_minor": 700,
        "tax_burden_bps": 90,
        "tax_late_count_24m": 2,
        "tax_arrears_minor": 1_100,
        "invoice_total_12m_minor": 135_000,
        "invoice_months_active_12m": 11,
        "invoice_gap_months_max_24m": 3,
        "invoice_volatility_bps": 3_685,
        "invoice_trend_bps": 2_500,
        "invoice_void_rate_bps": 91,
        "top_customer_share_bps": 3_259,
        "customer_count_12m": 5,
        "registration_status": "active",
        "industry": "C34",
        "company_age_months": 141,
        "registered_capital_minor": 500_000_000,
        "legal_rep_changes_24m": 2,
        "penalty_count_24m": 1,
        "pledge_active_count": 2,
        "abnormal_operation_listed": False,
        "annual_filings_missed": 2,
        "blacklist_hits": 0,
        "requested_amount_minor": 30_000_000,
        "requested_term_months": 12,
    }
    assert findings(key_data()) == {GAPS}


def test_features_that_came_later_by_hand() -> None:
    """What the same two answers give beyond the features of the first risk model."""
    tax = tax_answer()
    tax["statements"][7]["profit"] = "-20.00"
    found = key_data(tax).features
    expected = {
        "profit_prior_12m_minor": 8_000,
        # 25 + 25 + 25 − 20 = 55.00 against 80.00
        "profit_growth_bps": -3_125,
        "operating_cash_flow_margin_bps": -400,
        # −40.00 / 55.00
        "cash_conversion_bps": -7_273,
        "asset_turnover_bps": 3_333,
        "working_capital_minor": 40_000,
        "loss_statements_24m": 1,
        "vat_paid_12m_minor": 900,
        "income_tax_paid_12m_minor": 0,
        "tax_paid_growth_bps": 2_857,
        # Due on 15 October, still unpaid on 21 November.
        "tax_days_late_max_24m": 37,
        "tax_unpaid_count": 1,
        # 12 months of 100.00 but for the three without
        "invoice_total_prior_12m_minor": 90_000,
        "invoice_growth_bps": 5_000,
        "invoice_zero_months_12m": 1,
        "invoice_last_month_share_bps": 1_111,
        "invoice_count_12m": 110,
        "invoice_average_minor": 1_227,
        "invoice_best_month_share_bps": 1_111,
        "invoice_to_revenue_bps": 13_500,
        "address_changes_24m": 1,
        "shareholder_changes_24m": 0,
        "registry_changes_12m": 2,
        "penalty_amount_24m_minor": 200_000,
        "pledge_active_amount_minor": 20_000_000,
        "employee_count": 12,
    }
    assert {name: found[name] for name in expected} == expected


LATEST = {"year": 2025, "filed_on": "2026-05-20"}


@pytest.mark.parametrize(
    ("report", "employees", "finding"),
    [
        pytest.param({**LATEST, "insured_employees": 0}, 0, None, id="nobody insured"),
        pytest.param({**LATEST, "insured_employees": "１２"}, 12, None, id="as text, full width"),
        pytest.param({**LATEST, "insured_employees": None}, None, None, id="left out of the report"),
        pytest.param(LATEST, None, None, id="an answer from before the field"),
        pytest.param({"year": 2025, "filed_on": None, "insured_employees": 12}, None, None, id="not filed"),
        pytest.param({"year": 2024, "filed_on": "2025-05-20", "insured_employees": 12}, None, None, id="a year ago"),
        pytest.param({**LATEST, "filed_on": "2026-11-22", "insured_employees": 12}, None, None, id="filed tomorrow"),
        pytest.param({**LATEST, "insured_employees": "many"}, None, "not_a_number", id="no number"),
        pytest.param({**LATEST, "insured_employees": -3}, None, "negative", id="less than nobody"),
    ],
)
def test_employees_are_those_of_the_latest_report_due(
    report: dict[str, Any], employees: int | None, finding: str | None
) -> None:
    registry = registry_answer()
    registry["filings"][3] = report
    data = key_data(None, registry)
    assert data.features["employee_count"] == employees
    told = {("registry.filings[3].insured_employees", "warning", finding)} if finding else set()
    assert findings(data) == {GAPS} | told
    assert data.features["annual_filings_missed"] is not None


def test_of_two_reports_of_a_year_the_later_row_tells_the_employees() -> None:
    registry = registry_answer()
    registry["filings"].append({**LATEST, "insured_employees": 14})
    assert key_data(None, registry).features["employee_count"] == 14


def test_written_variants_of_a_number_mean_the_same() -> None:
    tax = tax_answer()
    for number, written in enumerate(["１，２５０.00", "¥ 1,250.00", 1250, 1250.0], start=4):
        tax["statements"][number]["revenue"] = written
    data = key_data(tax)
    assert data.features["revenue_12m_minor"] == 500_000
    # All four are understood; together they are far more than was invoiced.
    assert findings(data) == {GAPS, ("tax.statements", "warning", "sources_disagree")}


def test_negative_revenue_is_flagged_and_leaves_the_sum_unknown() -> None:
    tax = tax_answer()
    tax["statements"][7]["revenue"] = "-250.00"
    data = key_data(tax)
    assert data.features["revenue_12m_minor"] is None
    assert data.features["revenue_growth_bps"] is None
    assert data.features["revenue_prior_12m_minor"] == 80_000
    assert findings(data) == {GAPS, ("tax.statements[7].revenue", "warning", "negative")}


@pytest.mark.parametrize(("amount", "top"), [("-150.00", "40.00"), ("(150.00)", "(20.00)")])
def test_months_that_net_negative_are_part_of_the_totals(amount: str, top: str) -> None:
    """X5: credit notes may exceed a month's invoices."""
    plain, tax = key_data(tax_answer()).features, tax_answer()
    tax["invoices"][-1] |= {"amount": amount, "top_customer_amount": top}
    data = key_data(tax)
    assert data.features["invoice_total_12m_minor"] == plain["invoice_total_12m_minor"] - 30_000
    names = ("invoice_months_active_12m", "invoice_volatility_bps", "invoice_trend_bps", "top_customer_share_bps",
             "customer_count_12m")  # fmt: skip
    assert all(data.features[name] is not None for name in names)
    assert findings(data) == {GAPS}


def test_a_tax_refund_counts_once_paid_and_never_against_arrears() -> None:
    """X5."""
    tax = tax_answer()
    tax["payments"][1]["amount"] = "-9.00"
    assert key_data(tax).features["tax_paid_12m_minor"] == -900
    tax["payments"][2]["amount"] = "-11.00"
    data = key_data(tax)
    assert data.features["tax_arrears_minor"] is None
    assert ("tax.payments[2].amount", "warning", "negative") in findings(data)


def test_a_loss_is_not_an_oddity() -> None:
    tax = tax_answer()
    tax["statements"][7]["profit"] = "-175.00"
    data = key_data(tax)
    assert data.features["profit_12m_minor"] == -10_000
    assert data.features["profit_margin_bps"] == -1_000
    assert findings(data) == {GAPS}


def test_of_two_statements_for_a_period_the_last_wins() -> None:
    tax = tax_answer()
    tax["statements"].append(statement("2026-09-30", "650.00", "25.00"))
    data = key_data(tax)
    assert data.features["revenue_12m_minor"] == 140_000
    assert findings(data) == {GAPS, ("tax.statements[8]", "warning", "restated")}
    assert data.quality[0].values == {"fields": "revenue"}


def test_a_missing_quarter_makes_its_year_unknown() -> None:
    tax = tax_answer()
    del tax["statements"][5]
    data = key_data(tax)
    assert data.features["revenue_12m_minor"] is None
    assert data.features["revenue_prior_12m_minor"] == 80_000
    assert data.features["statement_months"] == 21
    assert findings(data) == {GAPS, ("tax.statements", "warning", "gap")}


def cumulative(years: int = 3, last_months: int = 9) -> list[dict[str, Any]]:
    """The year to date after each quarter: 1,000.00 of revenue a month in 2026, 100.00 less each year before."""
    found = []
    for year in range(2026 - years + 1, 2027):
        for months in (3, 6, 9, 12):
            if year < 2026 or months <= last_months:
                monthly = 1_000 - 100 * (2026 - year)
                end = date(year + months // 12, months % 12 + 1, 1) - timedelta(days=1)
                found.append({
                    **statement(end.isoformat(), f"{months * monthly}.00", f"{months * monthly // 10}.00"),
                    "months": months, "operating_cash_flow": f"-{months}.00",
                })  # fmt: skip
    return found


def year_to_date(statements: list[dict[str, Any]]) -> tuple[KeyData, set[str]]:
    """The key data, and what cleaning says of the statements but for their age and the invoices."""
    data = key_data(tax_answer() | {"statements": statements})
    told = {finding for path, _, finding in findings(data) if path.startswith("tax.statements")}
    return data, told - {"stale", "sources_disagree"}


FLOWS = ("revenue_12m_minor", "profit_12m_minor", "operating_cash_flow_12m_minor", "revenue_prior_12m_minor",
         "profit_prior_12m_minor", "statement_months", "total_assets_minor")  # fmt: skip


@pytest.mark.parametrize("last_months", [3, 6, 9])
def test_statements_of_the_year_to_date(last_months: int) -> None:
    """F8: twelve months are the year to date + the last year − the last year to date."""
    data, told = year_to_date(cumulative(4, last_months))
    newest = 1_000 * last_months + 900 * (12 - last_months)
    before = 900 * last_months + 800 * (12 - last_months)
    figures = [newest * 100, newest * 10, -1_200, before * 100, before * 10, 24, 300_000]
    assert [data.features[name] for name in FLOWS] == figures
    assert told == set()


def test_only_what_is_needed_of_the_year_to_date() -> None:
    """The newest, the whole last year, and the last year to date: 9 + 12 − 9 months."""
    data, told = year_to_date([one for one in cumulative(2) if one["months"] in (9, 12)])
    assert data.features["revenue_12m_minor"] == (9 * 1_000 + 3 * 900) * 100
    assert data.features["revenue_prior_12m_minor"] is None
    assert told == set()


@pytest.mark.parametrize("gone", ["2025-12-31", "2025-09-30"])
def test_a_missing_part_of_the_year_to_date_is_unknown_and_told(gone: str) -> None:
    data, told = year_to_date([one for one in cumulative(2) if one["months"] >= 9 and one["period_end"] != gone])
    assert data.features["revenue_12m_minor"] is None
    assert told == {"gap"}
    assert "revenue_12m_minor:tax" in str(data.unread)


@pytest.mark.parametrize("order", [1, -1])
def test_a_year_beside_its_quarters_counts_once(order: int) -> None:
    quarters = [statement(end, "250.00", "25.00") for end in ENDS]
    year = {**statement("2025-12-31", "1000.00", "100.00"), "months": 12, "operating_cash_flow": "-40.00"}
    data, told = year_to_date([*quarters, year][::order])
    assert data.features["revenue_12m_minor"] == data.features["revenue_prior_12m_minor"] == 100_000
    assert told == set()


def test_of_statements_that_overlap_without_a_shared_end_the_later_counts() -> None:
    whole = {**statement("2026-09-30", "1000.00", "100.00"), "months": 12}
    half = {**statement("2026-06-30", "9000.00", "9000.00"), "months": 6}
    earlier = {**statement("2025-09-30", "800.00", "80.00"), "months": 12}
    data = key_data(tax_answer() | {"statements": [half, whole, earlier]})
    assert [data.features[name] for name in ("revenue_12m_minor", "revenue_prior_12m_minor")] == [100_000, 80_000]
    assert ("tax.statements[0].period_end", "warning", "overlap") in findings(data)


def test_a_year_that_its_quarters_contradict_is_unknown() -> None:
    quarters = [statement(end, "250.00", "25.00") for end in ENDS]
    data, told = year_to_date(
        [*quarters, {**statement("2025-12-31", "1000.01", "100.00"), "months": 12, "operating_cash_flow": "-40.00"}]
    )
    assert (data.features["revenue_12m_minor"], data.features["profit_12m_minor"]) == (None, 10_000)
    assert told == {"contradictory"}


@pytest.mark.parametrize(
    ("unreadable", "revenue"),
    [
        # In between: the nine months are the same, only its quarters are unknown … and with them the sum.
        ("2026-06-30", None),
        ("2026-09-30", None),
        ("2025-12-31", None),
        # Not needed for the twelve months.
        ("2025-03-31", 1_170_000),
        ("2024-12-31", 1_170_000),
    ],
)
def test_an_unreadable_amount_leaves_unknown_what_needs_it(unreadable: str, revenue: int | None) -> None:
    statements = cumulative(3)
    for one in statements:
        if one["period_end"] == unreadable:
            one["revenue"] = "--5"
    data, told = year_to_date(statements)
    assert (data.features["revenue_12m_minor"], data.features["profit_12m_minor"]) == (revenue, 117_000)
    assert told == {"double_sign"}


def test_a_young_firm_has_unknown_years_without_a_complaint() -> None:
    tax = tax_answer()
    tax["basics"]["registered_on"] = "2026-04-10"
    tax["statements"] = tax["statements"][6:]
    tax["invoices"] = [one for one in tax["invoices"] if one["month"] >= "2026-04"]
    data = key_data(tax)
    assert data.features["revenue_12m_minor"] is None
    assert data.features["statement_months"] == 6
    assert data.features["tax_registration_months"] == 7
    assert data.features["invoice_gap_months_max_24m"] == 1
    assert data.features["invoice_trend_bps"] is None
    assert [(one.finding, one.values) for one in data.quality] == [("gap", {"months": "2026-06"})]


def test_old_statements_are_called_stale() -> None:
    tax = tax_answer()
    tax["statements"] = tax["statements"][:5]
    assert ("tax.statements", "warning", "stale") in findings(key_data(tax))


def test_unknown_words_become_null_with_a_finding() -> None:
    tax, registry = tax_answer(), registry_answer()
    tax["basics"]["status"] = "on holiday"
    registry["registration"]["status"] = "moon"
    data = key_data(tax, registry)
    assert data.features["taxpayer_status"] is None
    assert data.features["registration_status"] is None
    assert findings(data) == {
        GAPS,
        ("tax.basics.status", "warning", "unknown_value"),
        ("registry.registration.status", "warning", "unknown_value"),
    }


def test_an_absent_rating_is_no_oddity() -> None:
    tax = tax_answer()
    tax["basics"]["credit_rating"] = None
    data = key_data(tax)
    assert data.features["tax_credit_rating"] is None
    assert findings(data) == {GAPS}


def test_a_wrong_currency_makes_every_amount_unknown() -> None:
    tax = tax_answer()
    tax["currency"] = "USD"
    data = key_data(tax)
    # Those of the registry are in its own currency; no corporate income tax is none in any.
    others = ("requested", "registered", "penalty", "pledge", "income_tax")
    money = [name for name in FEATURE_TYPES if name.endswith("_minor") and not name.startswith(others)]
    assert {name: data.features[name] for name in money} == dict.fromkeys(money)
    assert data.features["tax_late_count_24m"] == 2
    assert data.features["invoice_months_active_12m"] == 11
    assert findings(data) == {GAPS, ("tax.currency", "error", "wrong_currency")}


def test_a_row_that_could_belong_anywhere_makes_its_section_unknown() -> None:
    tax = tax_answer()
    tax["invoices"][3]["month"] = "soon"
    data = key_data(tax)
    assert data.features["invoice_total_12m_minor"] is None
    assert data.features["revenue_12m_minor"] == 100_000
    assert ("tax.invoices[3]", "error", "key_unreadable") in findings(data)


def test_an_unavailable_source_leaves_its_features_null() -> None:
    data = extract(
        {"tax": tax_answer(), "registry": None},
        blacklist_hits=1,
        requested_amount_minor=1,
        requested_term_months=1,
        as_of=AS_OF,
    )
    assert data.features["company_age_months"] is None
    assert data.features["penalty_count_24m"] is None
    assert data.features["revenue_12m_minor"] == 100_000
    assert findings(data) == {GAPS, ("registry", "error", "source_unavailable")}


def test_a_source_that_was_not_asked_leaves_its_features_null_and_is_no_finding() -> None:
    data = extract(
        {"tax": tax_answer()}, blacklist_hits=0, requested_amount_minor=1, requested_term_months=1, as_of=AS_OF
    )
    assert data.features["company_age_months"] is None
    assert data.features["fraud_score"] is None
    assert findings(data) == {GAPS}


def test_a_kind_that_nothing_is_drawn_from_is_told() -> None:
    sources = {"weather": {"sunny": True}}
    data = extract(sources, blacklist_hits=0, requested_amount_minor=1, requested_term_months=1, as_of=AS_OF)
    assert findings(data) == {("weather", "warning", "unknown_kind")}


def test_sources_that_speak_of_different_firms_are_told_on() -> None:
    registry = registry_answer()
    registry["registration"]["taxpayer_id"] = "99990100MA00000001"
    assert ("registry.registration.taxpayer_id", "error", "sources_disagree") in findings(key_data(None, registry))


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("basics", [], "must_be_object"),
        ("statements", {}, "must_be_array"),
        ("payments", "none", "must_be_array"),
        ("invoices[0]", 7, "must_be_object"),
    ],
)
def test_garbage_shapes_are_refused_by_name(path: str, value: object, rule: str) -> None:
    tax = deepcopy(tax_answer())
    section, _, index = path.partition("[")
    if index:
        tax[section][0] = value
    else:
        tax[section] = value
    with pytest.raises(SourceDataInvalid) as raised:
        key_data(tax)
    assert (raised.value.source, raised.value.path, raised.value.rule) == ("tax", path, rule)


def test_an_answer_that_is_no_object_is_refused() -> None:
    with pytest.raises(SourceDataInvalid) as raised:
        key_data(["<html>"])
    assert (raised.value.source, raised.value.path, raised.value.rule) == ("tax", "", "must_be_object")
