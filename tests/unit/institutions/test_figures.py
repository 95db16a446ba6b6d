"""What courts, credit bureau, shops, schools and anti-fraud know: of the agreed shape, plausible, never rewritten."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import date
from functools import cache
from statistics import correlation
from typing import Any

import pytest

from institutions.court_figures import judicial_data
from institutions.credit_figures import credit_bureau_data
from institutions.education_figures import education_data
from institutions.fraud_figures import anti_fraud_data
from institutions.population import PERSONAS, Firm, Population
from institutions.registry_figures import registry_data
from institutions.shop_figures import shop_data
from institutions.tax_figures import tax_data

AS_OF = date(2026, 11, 21)
SIZE = 400
SOURCES: dict[str, Callable[[Firm, date], Any]] = {
    "judicial": judicial_data,
    "credit_bureau": credit_bureau_data,
    "shop": shop_data,
    "education": education_data,
    "anti_fraud": anti_fraud_data,
}
# Changes only when the generators are meant to change.
GOLDEN = "1c9bc11fd6e46b8663182ad0183ae8e8a2561a8153a94a1f0541ab4bfb4fa14f"
DATE, MONTH, MONEY = r"\d{4}-\d\d-\d\d", r"\d{4}-\d\d", r"\d+\.\d\d"
NULL = None
# Each leaf: a pattern for text, a type, alternatives in a tuple; None allows null.
SHAPES: dict[str, Any] = {
    "judicial": {
        "taxpayer_id": r"[0-9A-Z]{18}",
        "cases": [
            {
                "case_no": r"（\d{4}）.9901(民初|刑初|行初)\d+号",
                "role": "plaintiff|defendant|third_party",
                "kind": "civil|criminal|administrative|labour",
                "cause": ".+",
                "filed_on": DATE,
                "closed_on": (DATE, NULL),
                "claim_amount": MONEY,
                "status": "open|closed",
            }
        ],
        "enforcement": [
            {"case_no": ".+执.+", "filed_on": DATE, "amount": MONEY, "status": "open|closed|terminated"},
        ],
        "dishonest_debtor": {
            "listed": bool,
            "listed_on": (DATE, NULL),
            "removed_on": (DATE, NULL),
            "reason": (".+", NULL),
        },
        "currency": "CNY",
    },
    "credit_bureau": {
        "taxpayer_id": r"[0-9A-Z]{18}",
        "accounts": [
            {
                "account_id": r"ACC-\d{10}",
                "kind": "loan|credit_card|guarantee|leasing",
                "lender": ".+",
                "opened_on": DATE,
                "closed_on": (DATE, NULL),
                "credit_limit": MONEY,
                "balance": MONEY,
                "monthly_payment": MONEY,
                "overdue_amount": MONEY,
                "worst_months_past_due_24m": int,
            }
        ],
        "overdue": [{"account_id": r"ACC-\d{10}", "month": MONTH, "days_past_due": int, "amount": MONEY}],
        "enquiries": [{"on": DATE, "reason": "loan_application|post_loan|own", "institution": ".+"}],
        "currency": "CNY",
    },
    "shop": {
        "shop": {
            "shop_id": r"S\d{8}",
            "taxpayer_id": r"[0-9A-Z]{18}",
            "opened_on": DATE,
            "status": "open|suspended|closed",
        },
        "orders": [{"month": MONTH, "count": int, "amount": MONEY, "customer_count": int, "cancelled_count": int}],
        "refunds": [{"month": MONTH, "count": int, "amount": MONEY}],
        "ratings": [{"month": MONTH, "average": (r"[1-5]\.\d\d", NULL), "count": int}],
        "currency": "CNY",
    },
    "education": {
        "taxpayer_id": r"[0-9A-Z]{18}",
        "person": {"name": ".{3}"},
        "degrees": [
            {
                "level": "secondary|associate|bachelor|master|doctor",
                "institution": ".+",
                "graduated_on": DATE,
                "verified": bool,
            }
        ],
    },
    "anti_fraud": {
        "taxpayer_id": r"[0-9A-Z]{18}",
        "score": int,
        "level": "low|medium|high",
        "hits": [{"code": "[a-z_]+", "severity": "low|medium|high", "on": DATE}],
        "checked_at": DATE + "T00:00:00Z",
    },
}


@cache
def firms() -> list[Firm]:
    population = Population(7, SIZE)
    return [population.firm(index, AS_OF) for index in range(SIZE)]


@cache
def data(kind: str) -> list[Any]:
    return [SOURCES[kind](firm, AS_OF) for firm in firms()]


def fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, tuple):
        return any(fits(value, one) for one in shape)
    if isinstance(shape, dict):
        return isinstance(value, dict) and value.keys() == shape.keys() and all(fits(value[k], shape[k]) for k in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(one, shape[0]) for one in value)
    if isinstance(shape, str):
        return isinstance(value, str) and re.fullmatch(shape, value) is not None
    return value is None if shape is None else type(value) is shape


@pytest.mark.parametrize("kind", SOURCES)
def test_every_document_has_the_agreed_shape(kind: str) -> None:
    wrong = [one for one in data(kind) if one is not None and not fits(one, SHAPES[kind])]
    assert wrong == []


def test_the_documents_are_the_same_to_the_bit_on_every_machine() -> None:
    chosen = [0, 1, 7, 8, 9, 10, 137, 399]
    answers = [[data(kind)[index] for kind in SOURCES] for index in chosen]
    assert hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest() == GOLDEN


DISCIPLINE, QUALITY = "discipline", "quality"
MEASURES: dict[str, tuple[str, str, int, Callable[[Any], float]]] = {
    "sued": ("judicial", DISCIPLINE, -1, lambda d: sum(case["role"] == "defendant" for case in d["cases"])),
    "enforced": ("judicial", DISCIPLINE, -1, lambda d: len(d["enforcement"])),
    "listed": ("judicial", DISCIPLINE, -1, lambda d: d["dishonest_debtor"]["listed"]),
    "arrears": ("credit_bureau", DISCIPLINE, -1, lambda d: len(d["overdue"])),
    "enquiries": ("credit_bureau", DISCIPLINE, -1, lambda d: len(d["enquiries"])),
    "accounts": ("credit_bureau", QUALITY, -1, lambda d: len(d["accounts"])),
    "degree": ("education", QUALITY, 1, lambda d: any(row["level"] in ("bachelor", "master") for row in d["degrees"])),
    "fraud": ("anti_fraud", DISCIPLINE, -1, lambda d: d["score"]),
}  # fmt: skip


@pytest.mark.parametrize("measure", MEASURES)
def test_figures_go_with_what_the_firm_is(measure: str) -> None:
    kind, factor, sign, of = MEASURES[measure]
    values = [float(of(one)) for one in data(kind)]
    assert sign * correlation([getattr(firm.factors, factor) for firm in firms()], values) > 0.1


def test_debt_goes_with_leverage() -> None:
    owed = [sum(float(row["balance"]) for row in one["accounts"]) for one in data("credit_bureau")]
    share = [100 * debt / firm.annual_revenue_fen for debt, firm in zip(owed, firms(), strict=True)]
    assert correlation([firm.leverage for firm in firms()], share) > 0.2


def test_about_three_firms_in_five_have_a_shop_and_sell_a_part_of_their_turnover_there() -> None:
    assert 0.5 < sum(one is not None for one in data("shop")) / SIZE < 0.7
    for firm, one in zip(firms(), data("shop"), strict=True):
        if one is None:
            continue
        invoiced = {row["month"]: float(row["amount"]) for row in tax_data(firm, AS_OF)["invoices"]}
        for row in one["orders"]:
            assert float(row["amount"]) <= invoiced.get(row["month"], 0.0)
        refunds, ratings = one["refunds"], one["ratings"]
        assert [row["month"] for row in one["orders"]] == [row["month"] for row in refunds]
        assert all(back["count"] <= sold["count"] for back, sold in zip(refunds, one["orders"], strict=True))
        assert all((row["average"] is None) == (row["count"] == 0) for row in ratings)
        assert len(one["orders"]) <= 24


def test_most_firms_are_not_suspicious() -> None:
    levels = [one["level"] for one in data("anti_fraud")]
    assert levels.count("low") / SIZE > 0.9
    assert {"low", "medium", "high"} == set(levels)
    assert all(0 <= one["score"] <= 1000 for one in data("anti_fraud"))


def test_what_is_closed_owes_nothing_and_only_what_is_late_is_overdue() -> None:
    for one in data("credit_bureau"):
        late = {row["account_id"]: [] for row in one["accounts"]}  # type: dict[str, list[int]]
        for row in one["overdue"]:
            late[row["account_id"]].append(row["days_past_due"])
        for row in one["accounts"]:
            worst = max(late[row["account_id"]], default=-1)
            assert row["worst_months_past_due_24m"] == (worst // 30 + 1 if worst >= 0 else 0)
            assert float(row["overdue_amount"]) <= float(row["balance"]) <= float(row["credit_limit"])
            if row["closed_on"]:
                assert row["balance"] == row["overdue_amount"] == "0.00"
            if row["overdue_amount"] != "0.00":
                assert worst > 0
        assert len({row["account_id"] for row in one["accounts"]}) == len(one["accounts"])


def test_a_case_number_is_one_cases() -> None:
    numbers = [row["case_no"] for one in data("judicial") for row in one["cases"] + one["enforcement"]]
    by_firm = [[row["case_no"] for row in one["cases"] + one["enforcement"]] for one in data("judicial")]
    assert all(len(set(own)) == len(own) for own in by_firm)
    assert len(numbers) > 300


def test_the_person_is_the_registrys() -> None:
    for firm, one in zip(firms()[:60], data("education"), strict=False):
        registration = registry_data(firm, AS_OF)["registration"]
        assert one["person"]["name"] == registration["legal_representative"]


def past(kind: str, document: Any) -> list[Any]:
    """What may not change any more: everything that had happened by the end of 2025."""
    if document is None:
        return []
    if kind == "judicial":
        fixed = ("case_no", "role", "cause", "filed_on", "claim_amount")
        cases = [row for row in document["cases"] if "2023" <= row["filed_on"] < "2026"]
        begun = [{name: row[name] for name in fixed} for row in cases]
        return begun + [row for row in cases if row["closed_on"] and row["closed_on"] < "2026"]
    if kind == "credit_bureau":
        late = [row for row in document["overdue"] if "2025-06" <= row["month"] < "2026"]
        return late + [row for row in document["enquiries"] if "2025-06" <= row["on"] < "2026"]
    if kind == "shop":
        rows = [row for name in ("orders", "refunds", "ratings") for row in document[name]]
        return [row for row in rows if "2025-06" <= row["month"] < "2026"]
    if kind == "education":
        return [row for row in document["degrees"] if row["graduated_on"] < "2026"]
    return [row for row in document["hits"] if "2025-06" <= row["on"] < "2026"]


@pytest.mark.parametrize("kind", SOURCES)
def test_what_has_happened_stays_as_time_goes_on(kind: str) -> None:
    ordinary = [firm for firm in firms() if firm.persona == "ordinary"]
    earlier = [past(kind, SOURCES[kind](firm, date(2026, 1, 31))) for firm in ordinary]
    later = [past(kind, SOURCES[kind](firm, AS_OF)) for firm in ordinary]
    assert sum(map(len, earlier)) > 20
    assert earlier == later


@pytest.mark.parametrize("kind", SOURCES)
def test_nothing_is_told_of_the_future(kind: str) -> None:
    def days(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [day for one in value.values() for day in days(one)]
        if isinstance(value, list):
            return [day for one in value for day in days(one)]
        return [value] if isinstance(value, str) and re.fullmatch(DATE, value) else []

    assert all(day <= AS_OF.isoformat() for day in days(data(kind)))


@pytest.mark.parametrize("as_of", [AS_OF, date(2027, 1, 2), date(2027, 2, 28), date(2027, 8, 15)])
@pytest.mark.parametrize("seed", [7, 8, 9])
def test_personas_are_what_they_are_called(seed: int, as_of: date) -> None:
    population = Population(seed, SIZE)
    for name in PERSONAS:
        firm = population.persona(name, as_of)
        court, credit = judicial_data(firm, as_of), credit_bureau_data(firm, as_of)
        assert court["dishonest_debtor"]["listed"] == (name == "blacklisted")
        assert len(court["enforcement"]) == len(court["cases"]) == (1 if name == "blacklisted" else 0)
        assert credit["overdue"] == []
        assert credit["accounts"]
        assert anti_fraud_data(firm, as_of)["level"] == "low"
        assert all(row["verified"] for row in education_data(firm, as_of)["degrees"])
        assert education_data(firm, as_of)["degrees"]
    good, thin = population.persona("good_firm", as_of), population.persona("thin_file", as_of)
    shop, young = shop_data(good, as_of), shop_data(thin, as_of)
    assert shop is not None
    assert len(shop["orders"]) == 24
    assert young is not None
    assert 3 <= len(young["orders"]) <= 6
    assert len(credit_bureau_data(thin, as_of)["accounts"]) in (1, 2)
