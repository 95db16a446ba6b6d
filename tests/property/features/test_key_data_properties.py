"""Whatever a source answers, extraction gives exact features or refuses the shape by name (C10, G13)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from creditmesh.features.row import SECTIONS, TOP
from creditmesh.features.schema import KINDS as KINDS_OF_COLUMN
from creditmesh.features.schema import Column
from creditmesh.gateway.key_data import FEATURE_TYPES, KeyData, SourceDataInvalid, extract

AS_OF = st.dates(date(1990, 1, 1), date(2150, 12, 31))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**18), 10**18),
    st.floats(),
    st.text(max_size=12),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.dates(date(1995, 1, 1), date(2030, 1, 1)).map(date.isoformat),
    st.sampled_from(["CNY", "normal", "active", "VAT", "2026-09", "2026-09-30", "1,000.00", "（１２）", "A", "C34"]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def shaped(names: dict[str, list[str]], lists: set[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Answers whose sections and fields have the right names and nearly any value."""
    sections: dict[str, st.SearchStrategy[Any]] = {}
    for name, fields in names.items():
        row = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, SCALARS))
        right = st.lists(row, max_size=6) if name in lists else row
        sections[name] = st.one_of(right, right, right, right, JSON)
    return st.fixed_dictionaries({}, optional={**sections, "currency": st.sampled_from(["CNY", "USD", None, 3])})


TAX = shaped(
    {
        "basics": ["taxpayer_id", "status", "credit_rating", "registered_on"],
        "statements": ["period_end", "months", "revenue", "profit", "operating_cash_flow", "total_assets",
                       "current_assets", "total_liabilities", "current_liabilities"],
        "payments": ["tax_type", "period", "amount", "due_on", "paid_on"],
        "invoices": ["month", "count", "void_count", "amount", "customer_count", "top_customer_amount"],
    },
    {"statements", "payments", "invoices"},
)  # fmt: skip
REGISTRY = shaped(
    {
        "registration": ["taxpayer_id", "status", "established_on", "registered_capital", "industry"],
        "filings": ["year", "filed_on", "insured_employees"],
        "changes": ["kind", "on"],
        "pledges": ["registered_on", "released_on"],
        "operations": ["abnormal_listed"],
        "penalties": ["on"],
    },
    {"filings", "changes", "pledges", "penalties"},
)


OTHERS = st.fixed_dictionaries(
    {},
    optional={
        "judicial": shaped(
            {
                "cases": ["case_no", "role", "kind", "filed_on", "closed_on", "claim_amount", "status"],
                "enforcement": ["case_no", "filed_on", "amount", "status"],
                "dishonest_debtor": ["listed", "listed_on", "removed_on"],
            },
            {"cases", "enforcement"},
        ),
        "credit_bureau": shaped(
            {
                "accounts": ["account_id", "kind", "lender", "opened_on", "closed_on", "credit_limit", "balance",
                             "monthly_payment", "overdue_amount", "worst_months_past_due_24m"],
                "overdue": ["account_id", "month", "days_past_due", "amount"],
                "enquiries": ["on", "reason"],
            },
            {"accounts", "overdue", "enquiries"},
        ),
        "shop": shaped(
            {
                "shop": ["taxpayer_id", "opened_on", "status"],
                "orders": ["month", "count", "amount", "cancelled_count"],
                "refunds": ["month", "count", "amount"],
                "ratings": ["month", "average", "count"],
            },
            {"orders", "refunds", "ratings"},
        ),
        "education": shaped({"degrees": ["level", "graduated_on", "verified"]}, {"degrees"}),
        "anti_fraud": st.fixed_dictionaries(
            {}, optional={"taxpayer_id": SCALARS, "score": SCALARS, "level": SCALARS, "hits": JSON}
        ),
    },
)  # fmt: skip
KINDS = {"tax", "registry", "judicial", "credit_bureau", "shop", "education", "anti_fraud"}


def extracted(tax: Any, registry: Any, as_of: date, others: dict[str, Any] | None = None) -> KeyData | None:
    try:
        sources = {"tax": tax, "registry": registry, **(others or {})}
        return extract(sources, blacklist_hits=0, requested_amount_minor=1, requested_term_months=1, as_of=as_of)
    except SourceDataInvalid as error:
        refusal = error
    assert refusal.source in KINDS
    assert refusal.rule in {"must_be_object", "must_be_array"}
    return None


def assert_exact(data: KeyData) -> None:
    assert list(data.features) == list(FEATURE_TYPES)
    for name, value in data.features.items():
        assert value is None or type(value) is FEATURE_TYPES[name], (name, value)
        assert type(value) is not int or -(2**63) <= value < 2**63


def assert_within_schema(row: dict[str, Any]) -> None:
    """A clean row keeps to its schema's types, bounds, words and lengths, which the proof against overflow rests on."""
    assert list(row) == [*(column.name for column in TOP), *(section.name for section in SECTIONS)]
    for section in SECTIONS:
        value = row[section.name]
        items = [] if value is None else value if section.is_list else [value]
        assert len(items) <= max(section.most, 1)
        for item in items:
            assert list(item) == [column.name for column in section.columns]
            for column in section.columns:
                assert_within(column, item[column.name])


def assert_within(column: Column, value: Any) -> None:
    kind = KINDS_OF_COLUMN[column.kind]
    if value is None:
        assert not column.always, column.name
        return
    if kind.sql == "BIGINT":
        assert type(value) is int
        assert kind.low <= value <= kind.high, (column.name, value)
    elif kind.sql == "BOOLEAN":
        assert type(value) is bool
    else:
        assert type(value) is str
        assert value in column.words or column.kind == "text"


@settings(max_examples=300, deadline=None)
@given(TAX, REGISTRY, OTHERS, AS_OF)
def test_answers_with_any_values_give_exact_features_or_a_named_refusal(
    tax: Any, registry: Any, others: dict[str, Any], as_of: date
) -> None:
    data = extracted(tax, registry, as_of, others)
    if data is not None:
        assert_exact(data)
        assert KeyData.model_validate_json(data.model_dump_json()) == data
        assert extracted(tax, registry, as_of, others) == data
        assert_within_schema(data.rows)


@settings(max_examples=150, deadline=None)
@given(JSON, JSON, AS_OF)
def test_arbitrary_json_gives_exact_features_or_a_named_refusal(tax: Any, registry: Any, as_of: date) -> None:
    data = extracted(tax, registry, as_of)
    if data is not None:
        assert_exact(data)


def whole_answer(revenues: list[int], amounts: list[int]) -> dict[str, Any]:
    """A well-formed answer on 2026-11-21 with the given quarterly revenues and monthly invoices, in fen."""
    ends = [
        "2024-12-31",
        "2025-03-31",
        "2025-06-30",
        "2025-09-30",
        "2025-12-31",
        "2026-03-31",
        "2026-06-30",
        "2026-09-30",
    ]
    months = [f"{index // 12}-{index % 12 + 1:02d}" for index in range(2024 * 12 + 10, 2026 * 12 + 10)]
    return {
        "basics": {"status": "normal", "credit_rating": "A", "registered_on": "2010-01-01"},
        "statements": [
            {"period_end": end, "months": 3, "revenue": yuan(revenue)}
            for end, revenue in zip(ends, revenues, strict=True)
        ],
        "payments": [],
        "invoices": [
            {"month": month, "count": 1, "amount": yuan(amount)} for month, amount in zip(months, amounts, strict=True)
        ],
        "currency": "CNY",
    }


def yuan(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


FEN = st.integers(0, 10**12)
SERIES = st.tuples(st.lists(FEN, min_size=8, max_size=8), st.lists(FEN, min_size=24, max_size=24))
DAY = date(2026, 11, 21)


@settings(max_examples=150, deadline=None)
@given(SERIES, st.randoms(use_true_random=False))
def test_sums_are_exact_and_the_order_of_rows_is_nothing(series: tuple[list[int], list[int]], random: Any) -> None:
    revenues, amounts = series
    answer = whole_answer(revenues, amounts)
    data = extracted(answer, None, DAY)
    assert data is not None
    assert data.features["revenue_12m_minor"] == sum(revenues[4:])
    assert data.features["revenue_prior_12m_minor"] == sum(revenues[:4])
    assert data.features["invoice_total_12m_minor"] == sum(amounts[12:])
    random.shuffle(answer["statements"])
    random.shuffle(answer["invoices"])
    again = extracted(answer, None, DAY)
    assert again is not None
    assert again.features == data.features


def thousands(text: str) -> str:
    whole, _, cents = text.partition(".")
    return f"{int(whole):,}.{cents}"


@pytest.mark.parametrize("rewrite", [thousands, lambda text: text.translate({48 + n: 0xFF10 + n for n in range(10)})])
@settings(max_examples=50, deadline=None)
@given(series=SERIES)
def test_the_way_a_number_is_written_is_nothing(
    rewrite: Callable[[str], str], series: tuple[list[int], list[int]]
) -> None:
    answer = whole_answer(*series)
    rewritten = json.loads(json.dumps(answer))
    for row in rewritten["statements"]:
        row["revenue"] = rewrite(row["revenue"])
    assert extracted(rewritten, None, DAY) == extracted(answer, None, DAY)
