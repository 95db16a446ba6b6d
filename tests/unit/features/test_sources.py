"""Courts, credit bureau, shop, education, anti-fraud: features by hand from small documents (C10, E16, M03)."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from creditmesh.gateway.key_data import KeyData, SourceDataInvalid, extract

AS_OF = date(2026, 11, 21)
TAXPAYER = "99990100MA00000000"


def month(back: int) -> str:
    index = AS_OF.year * 12 + AS_OF.month - 1 - back
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


def drawn(**sources: Any) -> KeyData:
    return extract(sources, blacklist_hits=0, requested_amount_minor=1, requested_term_months=1, as_of=AS_OF)


def told(data: KeyData) -> set[tuple[str, str, str]]:
    return {(one.field, one.severity, one.finding) for one in data.quality}


def case(number: str, **changed: Any) -> dict[str, Any]:
    return {
        "case_no": number, "role": "defendant", "kind": "civil", "cause": "x", "filed_on": "2026-03-01",
        "closed_on": None, "claim_amount": "100.00", "status": "open", **changed,
    }  # fmt: skip


def judicial() -> dict[str, Any]:
    return {
        "taxpayer_id": TAXPAYER,
        "cases": [
            case("1"),
            case("2", claim_amount="50.00", kind="labour"),
            case("3", closed_on="2026-06-01", status="closed"),
            # Closed after the as-of day: open on it.
            case("4", closed_on="2026-12-01", status="closed", claim_amount="7.00"),
            case("5", filed_on="2024-10-31", status="closed", closed_on="2025-01-01", kind="criminal"),
            case("6", role="plaintiff"),
            # Filed on a later day than the as-of day.
            case("7", filed_on="2026-11-22"),
        ],
        "enforcement": [
            {"case_no": "8", "filed_on": "2024-11-01", "amount": "30.00", "status": "open"},
            {"case_no": "9", "filed_on": "2024-10-31", "amount": "40.00", "status": "open"},
            {"case_no": "10", "filed_on": "2026-01-01", "amount": "5.00", "status": "terminated"},
        ],
        "dishonest_debtor": {"listed": True, "listed_on": "2026-02-01", "removed_on": None, "reason": "x"},
        "currency": "CNY",
    }


def test_courts_by_hand() -> None:
    data = drawn(judicial=judicial())
    expected = {
        "defendant_case_open_count": 3,
        "defendant_claim_open_minor": 15_700,
        "defendant_case_count_24m": 4,
        "labour_case_count_24m": 1,
        "criminal_case_count": 1,
        "plaintiff_case_open_count": 1,
        "enforcement_open_count": 2,
        "enforcement_open_amount_minor": 7_000,
        "enforcement_amount_24m_minor": 3_500,
        "enforcement_terminated_count": 1,
        "dishonest_debtor_listed": True,
    }
    assert {name: data.features[name] for name in expected} == expected
    assert data.quality == []


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        ({"closed_on": "2026-06-01"}, ("judicial.cases[0].closed_on", "warning", "contradictory")),
        ({"closed_on": "2026-02-28", "status": "closed"}, ("judicial.cases[0].closed_on", "warning", "contradictory")),
        ({"status": "resting"}, ("judicial.cases[0].status", "warning", "unknown_value")),
        ({"filed_on": "one day"}, ("judicial.cases[0].filed_on", "warning", "not_a_date")),
        ({"closed_on": "one day"}, ("judicial.cases[0].closed_on", "warning", "not_a_date")),
    ],
)
def test_a_case_that_may_be_open_makes_the_open_ones_unknown(
    changed: dict[str, Any], finding: tuple[str, str, str]
) -> None:
    document = judicial()
    document["cases"][0] |= changed
    data = drawn(judicial=document)
    assert data.features["defendant_case_open_count"] is None
    # Of a plaintiff's cases it is none, whatever its state.
    assert data.features["plaintiff_case_open_count"] == 1
    assert told(data) == {finding}


def test_a_case_told_twice_counts_once_and_in_its_later_form() -> None:
    document = judicial()
    document["cases"] += [case("1"), case("2", claim_amount="60.00", kind="labour")]
    data = drawn(judicial=document)
    assert data.features["defendant_case_open_count"] == 3
    assert data.features["defendant_claim_open_minor"] == 16_700
    assert [(one.field, one.finding, one.values) for one in data.quality] == [
        ("judicial.cases[7]", "duplicate_period", {}),
        ("judicial.cases[8]", "restated", {"fields": "claim_amount"}),
    ]


@pytest.mark.parametrize(
    ("changed", "listed", "findings"),
    [
        ({"listed": False, "removed_on": "2026-03-01"}, False, set()),
        ({"removed_on": "2026-12-01"}, True, set()),
        ({"listed_on": "2026-12-01"}, False, set()),
        ({"removed_on": "2026-03-01"}, None, {("judicial.dishonest_debtor.listed", "warning", "contradictory")}),
        ({"listed": "perhaps"}, None, {("judicial.dishonest_debtor.listed", "warning", "not_a_boolean")}),
        ({"removed_on": "x"}, None, {("judicial.dishonest_debtor.removed_on", "warning", "not_a_date")}),
    ],
)
def test_listing_on_the_day(changed: dict[str, Any], listed: bool | None, findings: set[Any]) -> None:
    document = judicial()
    document["dishonest_debtor"] |= changed
    data = drawn(judicial=document)
    assert data.features["dishonest_debtor_listed"] is listed
    assert told(data) == findings


def account(number: str, **changed: Any) -> dict[str, Any]:
    return {
        "account_id": number, "kind": "loan", "lender": "Test Bank", "opened_on": "2025-12-01", "closed_on": None,
        "credit_limit": "1000.00", "balance": "400.00", "monthly_payment": "90.00", "overdue_amount": "0.00",
        "worst_months_past_due_24m": 0, **changed,
    }  # fmt: skip


def bureau() -> dict[str, Any]:
    return {
        "taxpayer_id": TAXPAYER,
        "accounts": [
            account("1", overdue_amount="90.00", worst_months_past_due_24m=1),
            account("2", kind="credit_card", lender="Other Bank", credit_limit="500.00", balance="350.00",
                    monthly_payment="35.00", opened_on="2020-11-22"),
            account("3", kind="guarantee", balance="2000.00", monthly_payment="0.00"),
            account("4", closed_on="2026-11-21", worst_months_past_due_24m=3, lender="Third Bank"),
        ],
        "overdue": [
            {"account_id": "1", "month": month(1), "days_past_due": 12, "amount": "90.00"},
            {"account_id": "2", "month": month(1), "days_past_due": 5, "amount": "35.00"},
            {"account_id": "4", "month": month(24), "days_past_due": 75, "amount": "90.00"},
            {"account_id": "4", "month": month(25), "days_past_due": 99, "amount": "90.00"},
        ],
        "enquiries": [
            {"on": "2026-11-20", "reason": "loan_application", "institution": "x"},
            {"on": "2026-05-01", "reason": "loan_application", "institution": "x"},
            {"on": "2026-04-30", "reason": "loan_application", "institution": "x"},
            {"on": "2026-11-20", "reason": "own", "institution": "x"},
        ],
        "currency": "CNY",
    }  # fmt: skip


def test_credit_bureau_by_hand() -> None:
    data = drawn(credit_bureau=bureau())
    expected = {
        "active_account_count": 3,
        "active_lender_count": 2,
        "credit_limit_minor": 150_000,
        "credit_balance_minor": 75_000,
        "credit_utilisation_bps": 5_000,
        "guarantee_balance_minor": 200_000,
        "monthly_debt_service_minor": 12_500,
        "debt_service_to_revenue_bps": None,
        "overdue_amount_minor": 9_000,
        "overdue_account_count": 1,
        "overdue_months_24m": 2,
        "overdue_days_max_24m": 75,
        "worst_months_past_due_24m": 3,
        "credit_history_months": 71,
        "accounts_opened_12m": 3,
        "enquiry_count_3m": 1,
        "enquiry_count_6m": 2,
    }
    assert {name: data.features[name] for name in expected} == expected
    assert data.quality == []


def test_a_balance_that_cannot_be_read_leaves_the_sum_unknown_and_the_count_known() -> None:
    document = bureau()
    document["accounts"][1]["balance"] = "much"
    data = drawn(credit_bureau=document)
    assert data.features["credit_balance_minor"] is None
    assert data.features["credit_utilisation_bps"] is None
    assert data.features["active_account_count"] == 3
    assert told(data) == {("credit_bureau.accounts[1].balance", "warning", "not_a_number")}


def test_no_account_is_known_to_be_none() -> None:
    data = drawn(credit_bureau=bureau() | {"accounts": [], "overdue": [], "enquiries": []})
    assert data.features["credit_balance_minor"] == 0
    assert data.features["credit_utilisation_bps"] is None
    assert data.features["worst_months_past_due_24m"] == 0
    assert data.features["credit_history_months"] is None
    assert data.quality == []


@pytest.mark.parametrize("length", [5, 40, 41, 150, 199, 201, 2_000])
def test_accounts_and_lenders_are_told_apart_by_their_whole_text(length: int) -> None:
    """F2: however late three account ids or lenders differ, and in whatever width they are written."""
    start = "urn:bank:branch-0001:customer-000000123:loan-".ljust(length, "x")[:length]
    document = bureau() | {"overdue": []}
    accounts = [account(f"{start}-{number}", lender=f"{start}/{number % 2}") for number in (1, 2, 3)]
    document["accounts"] = [
        accounts[0] | {"overdue_amount": "250,000.00", "worst_months_past_due_24m": 1},
        *accounts[1:],
    ]
    document["accounts"] += [accounts[2] | {"account_id": f"{start}－３"}]
    data = drawn(credit_bureau=document)
    names = ("active_account_count", "active_lender_count", "overdue_amount_minor", "overdue_account_count")
    assert [data.features[name] for name in names] == [3, 2, 25_000_000, 1]
    assert ("credit_bureau.accounts[3]", "info", "duplicate_period") in told(data) or "restated" in str(told(data))


def test_cases_and_overdue_months_are_told_apart_by_their_whole_text() -> None:
    start = "（2026）苏0205民初".ljust(60, "0")
    cases = drawn(judicial=judicial() | {"cases": [case(f"{start}{number}号") for number in range(4)]})
    assert cases.features["defendant_case_open_count"] == 4
    overdue = [{"account_id": start + end, "month": month(1), "days_past_due": days, "amount": "1.00"}
               for end, days in (("1", 40), ("2", 3))]  # fmt: skip
    assert drawn(credit_bureau=bureau() | {"overdue": overdue}).features["overdue_days_max_24m"] == 40


def test_ids_may_be_numbers() -> None:
    document = bureau() | {"accounts": [account(7), account("7"), account(8)], "overdue": []}  # type: ignore[arg-type]
    assert drawn(credit_bureau=document).features["active_account_count"] == 2


@pytest.mark.parametrize("end", ["9999-12-31", "2099-12-31", "0000-00-00", "1900-01-01", "9999-12-31T00:00:00+08:00"])
def test_a_placeholder_ends_nothing(end: str) -> None:
    """X1: accounts, cases, pledges, listings, payments and reports that have no end."""
    data = drawn(
        credit_bureau=bureau() | {"accounts": [account("1", closed_on=end)], "overdue": []},
        judicial=judicial() | {"cases": [case("1", closed_on=end), case("2", status="closed", closed_on=end)],
                               "dishonest_debtor": {"listed": True, "listed_on": "2026-02-01", "removed_on": end}},
    )  # fmt: skip
    names = ("active_account_count", "defendant_case_open_count", "dishonest_debtor_listed")
    assert [data.features[name] for name in names] == [1, 1, True]
    assert data.quality == []


@pytest.mark.parametrize(
    ("written", "finding"),
    [("0000-00-00", "no_date"), ("1900-01-01", "no_date"), ("9999-12-31", "no_end"), ("1970-01-01", "out_of_range")],
)
def test_a_placeholder_begins_nothing(written: str, finding: str) -> None:
    data = drawn(credit_bureau=bureau() | {"accounts": [account("1", opened_on=written)], "overdue": []})
    assert (data.features["credit_history_months"], data.features["active_account_count"]) == (None, None)
    assert told(data) == {("credit_bureau.accounts[0].opened_on", "warning", finding)}
    listed = {"listed": True, "listed_on": "9999-12-31", "removed_on": None}
    assert drawn(judicial=judicial() | {"dishonest_debtor": listed}).features["dishonest_debtor_listed"] is None


@pytest.mark.parametrize(
    ("instant", "zone", "cases"),
    [
        ("2026-11-21T15:59:59Z", "Asia/Shanghai", 1),
        ("2026-11-21T16:00:00.000Z", "Asia/Shanghai", 0),
        ("2026-11-21T16:00:00.000Z", "UTC", 1),
        ("2026-11-22T00:30:00+09:00", "Asia/Shanghai", 1),
        ("2026-11-22T02:00:00+00:00", "America/New_York", 1),
    ],
)
def test_an_instant_is_the_day_that_it_is_in_the_zone(instant: str, zone: str, cases: int) -> None:
    """X2."""
    document = judicial() | {"cases": [case("1", filed_on=instant)]}
    data = extract({"judicial": document}, blacklist_hits=0, requested_amount_minor=1, requested_term_months=1,
                   as_of=AS_OF, zone=ZoneInfo(zone))  # fmt: skip
    assert data.features["defendant_case_open_count"] == cases
    assert data.quality == []


def test_an_amount_in_another_currency_than_its_answer_is_unknown() -> None:
    document = bureau()
    document["accounts"][1] |= {"currency": "USD"}
    data = drawn(credit_bureau=document)
    assert (data.features["credit_balance_minor"], data.features["active_account_count"]) == (None, 3)
    fields = ("credit_limit", "balance", "monthly_payment", "overdue_amount")
    assert told(data) == {(f"credit_bureau.accounts[1].{name}", "warning", "wrong_currency") for name in fields}
    document["accounts"][1] |= {"currency": "RMB"}
    assert drawn(credit_bureau=document).quality == []


def shop() -> dict[str, Any]:
    months = [back for back in range(14, 0, -1) if back != 9]
    return {
        "shop": {"shop_id": "S1", "taxpayer_id": TAXPAYER, "opened_on": "2025-08-22", "status": "open"},
        "orders": [
            {"month": month(back), "count": 10, "amount": "200.00" if back <= 6 else "100.00", "customer_count": 5,
             "cancelled_count": 1}
            for back in months
        ],
        "refunds": [{"month": month(back), "count": 1, "amount": "10.00"} for back in months],
        "ratings": [
            {"month": month(2), "average": "4.80", "count": 3},
            {"month": month(1), "average": "4.10", "count": 1},
            {"month": month(3), "average": None, "count": 0},
            {"month": month(13), "average": "1.00", "count": 100},
        ],
        "currency": "CNY",
    }  # fmt: skip


def test_shop_by_hand() -> None:
    # Twelve months: 6 × 200, 5 × 100 and one 0, so S = 1700, Q = 290,000, 12·Q − S² = 590,000,
    # and √590000 / 1700 = 0.45183…
    data = drawn(shop=shop())
    expected = {
        "shop_status": "open",
        "shop_months_open": 14,
        "shop_sales_12m_minor": 170_000,
        "shop_order_count_12m": 110,
        "shop_average_order_minor": 1_545,
        "shop_sales_trend_bps": 14_000,
        "shop_sales_volatility_bps": 4_518,
        "shop_gap_months_max_24m": 1,
        "shop_refund_rate_bps": 647,
        "shop_cancel_rate_bps": 1_000,
        # (3 × 4.80 + 1 × 4.10) / 4 = 4.625
        "shop_rating_12m_x100": 463,
        "shop_share_of_invoices_bps": None,
    }
    assert {name: data.features[name] for name in expected} == expected
    assert [(one.field, one.finding, one.values) for one in data.quality] == [
        ("shop.orders", "gap", {"months": month(9)})
    ]


def test_months_of_a_shop_that_net_negative_count() -> None:
    """X5: orders taken back and refunds that were reversed."""
    document = shop()
    document["orders"][-1]["amount"] = "-50.00"
    document["refunds"][-1]["amount"] = "(10.00)"
    data = drawn(shop=document)
    assert data.features["shop_sales_12m_minor"] == 170_000 - 25_000
    # 10 × 10.00 − 10.00 of 1,450.00
    assert data.features["shop_refund_rate_bps"] == 621
    assert {finding for _, _, finding in told(data)} == {"gap"}


def test_a_rating_beyond_five_stars_is_none() -> None:
    document = shop()
    document["ratings"][0]["average"] = "48"
    data = drawn(shop=document)
    assert data.features["shop_rating_12m_x100"] is None
    assert ("shop.ratings[0].average", "warning", "out_of_range") in told(data)


def education(*degrees: dict[str, Any]) -> dict[str, Any]:
    return {"taxpayer_id": TAXPAYER, "person": {"name": "Test"}, "degrees": list(degrees)}


def degree(level: str, verified: Any = True, graduated_on: str = "2001-06-30") -> dict[str, Any]:
    return {"level": level, "institution": "x", "graduated_on": graduated_on, "verified": verified}


@pytest.mark.parametrize(
    ("degrees", "level", "unverified"),
    [
        ([], 0, 0),
        ([degree("bachelor"), degree("master")], 4, 0),
        ([degree("bachelor"), degree("doctor", verified=False)], 3, 1),
        ([degree("bachelor"), degree("doctor", verified="maybe")], None, None),
        ([degree("bachelor"), degree("Ｍaster")], 4, 0),
        ([degree("bachelor"), degree("master", graduated_on="2027-06-30")], 3, 0),
        ([degree("bachelor"), degree("wizard")], None, 0),
    ],
)
def test_the_highest_degree_that_is_verified(
    degrees: list[dict[str, Any]], level: int | None, unverified: int | None
) -> None:
    data = drawn(education=education(*degrees))
    assert data.features["legal_rep_degree_level"] == level
    assert data.features["legal_rep_unverified_degrees"] == unverified


def test_nothing_of_the_person_enters_the_row() -> None:
    data = drawn(education=education(degree("master")), judicial=judicial(), credit_bureau=bureau(), shop=shop())
    text = data.model_dump_json(exclude={"lineage"})
    assert "Test" not in text.replace("Test Bank", "")
    assert TAXPAYER not in text


def fraud(**changed: Any) -> dict[str, Any]:
    hits = [
        {"code": "a", "severity": "high", "on": "2026-01-01"},
        {"code": "b", "severity": "low", "on": "2024-11-01"},
        {"code": "c", "severity": "high", "on": "2024-10-31"},
    ]
    return {"taxpayer_id": TAXPAYER, "score": 640, "level": "medium", "hits": hits, "checked_at": "x", **changed}


def test_anti_fraud_by_hand() -> None:
    data = drawn(anti_fraud=fraud())
    names = ("fraud_score", "fraud_level", "fraud_hit_count_24m", "fraud_hit_high_count_24m")
    assert [data.features[name] for name in names] == [640, "medium", 2, 1]
    assert data.quality == []


def test_a_score_beyond_the_scale_is_none() -> None:
    data = drawn(anti_fraud=fraud(score=1001))
    assert data.features["fraud_score"] is None
    assert told(data) == {("anti_fraud.score", "warning", "out_of_range")}


@pytest.mark.parametrize("kind", ["judicial", "credit_bureau", "shop", "education", "anti_fraud"])
def test_every_source_may_be_down_or_broken(kind: str) -> None:
    down = drawn(**{kind: None})
    assert told(down) == {(kind, "error", "source_unavailable")}
    with pytest.raises(SourceDataInvalid) as raised:
        drawn(**{kind: ["<html>"]})
    assert (raised.value.source, raised.value.path, raised.value.rule) == (kind, "", "must_be_object")
    empty = drawn(**{kind: {}})
    assert {finding for _, _, finding in told(empty)} == {"missing"}
    platform = {"blacklist_hits", "requested_amount_minor", "requested_term_months"}
    for data in (down, empty):
        assert {name for name, value in data.features.items() if value is not None} == platform


def test_a_list_of_a_size_no_firm_has_is_refused() -> None:
    rows = [{"on": "2026-01-01", "reason": "own"}] * 5_001
    with pytest.raises(SourceDataInvalid) as raised:
        drawn(credit_bureau=bureau() | {"enquiries": rows})
    assert (raised.value.path, raised.value.rule) == ("enquiries", "too_many_rows")
