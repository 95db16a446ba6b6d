"""The ledger over the API: own books, pages, statements, trial balances (S05, S15, S17; domain rule 17)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from creditmesh.kernel.clock import FixedClock
from creditmesh.kernel.money import Money
from creditmesh.ledger.model import AccountId, Kind, credit, debit
from creditmesh.ledger.postings import disbursement
from creditmesh.ledger.service import Ledger
from creditmesh.ledger.transfers import Post, Record, Reserve, Reverse
from tests.support import wired
from tests.unit.api.client import Api

DAY = date(2026, 11, 20)
FIRST = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
ENTRIES = "/v1/ledger/accounts/{}/entries"
CASH = "lender-a:CNY:cash"
LENDER, RIVAL, AUDITOR = Api("lender", "lender-a"), Api("lender", "lender-b"), Api("auditor", "platform")


def lines(lender: str, loan: str, minor: int, deducted: int = 0) -> list[Any]:
    return disbursement(lender, loan, Money(minor, "CNY"), Money(deducted, "CNY"))


@pytest.fixture(scope="module", autouse=True)
def entered(cloud: None) -> None:
    """Three loans of two lenders over three days, one joint; one reversed, one pending."""
    clock = FixedClock(FIRST)
    ledger = Ledger(wired.ledger_store(), clock)
    ledger.enter(Record("first", "disbursement", lines("lender-a", "app_1", 1000_00, 20_00), DAY), by="operator:ann")
    clock.advance(86_400)
    joint = [*lines("lender-a", "app_2", 300_00), *lines("lender-b", "app_2", 700_00)]
    ledger.enter(Reserve("joint", "disbursement", joint), by="platform")
    ledger.enter(Post("joint", DAY + timedelta(days=1)), by="lender:lender-a")
    clock.advance(86_400)
    repaid = [
        debit(AccountId("lender-a", "CNY", Kind.CASH), 250_00),
        credit(AccountId("lender-a", "CNY", Kind.PRINCIPAL, "app_1"), 250_00),
    ]
    ledger.enter(Record("repaid", "repayment", repaid, DAY), by="platform")
    ledger.enter(Reverse("repaid-back", "repaid", DAY), by="platform")
    ledger.enter(Reserve("pending", "disbursement", lines("lender-a", "app_3", 50_00)), by="platform")


def all_of(api: Api, path: str, name: str, **query: Any) -> list[dict[str, Any]]:
    """Every page of a list, two items each."""
    found: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    while True:
        page = api.get(path, query={"limit": 2, **query, **more})
        assert page.status == 200, page.body
        found += page.json()[name]
        if page.json()["next"] is None:
            return found
        more = {"cursor": page.json()["next"]}


def test_a_lender_lists_its_own_accounts() -> None:
    accounts = all_of(LENDER, "/v1/ledger/accounts", "accounts", currency="CNY")
    assert {one["account_id"]: (one["balance"], one["available"]) for one in accounts} == {
        "lender-a:CNY:app_1:fee_income": ("20.00", "20.00"),
        "lender-a:CNY:app_1:principal": ("1000.00", "1000.00"),
        "lender-a:CNY:app_2:principal": ("300.00", "300.00"),
        "lender-a:CNY:app_3:principal": ("0.00", "0.00"),
        CASH: ("-1280.00", "-1330.00"),
    }
    cash = accounts[-1]
    assert (cash["normal_side"], cash["pending_in"], cash["pending_out"], cash["entries"]) == (
        "debit", "0.00", "50.00", 4,
    )  # fmt: skip
    of_loan = all_of(LENDER, "/v1/ledger/accounts", "accounts", currency="CNY", loan_id="app_1")
    assert [one["kind"] for one in of_loan] == ["fee_income", "principal"]
    assert all_of(LENDER, "/v1/ledger/accounts", "accounts", currency="CNY", loan_id="app_") == []
    assert all_of(LENDER, "/v1/ledger/accounts", "accounts", currency="EUR") == []


def test_a_lender_stays_itself_whatever_it_asks_for() -> None:
    query = {"currency": "CNY", "lender_id": "lender-a"}
    for path, name in (("/v1/ledger/accounts", "accounts"), ("/v1/ledger/trial-balance", "rows")):
        rows = RIVAL.get(path, query=query).json()[name]
        assert {one["account_id"].partition(":")[0] for one in rows} == {"lender-b"}
    assert RIVAL.get(ENTRIES.format(CASH)).status == 404
    assert RIVAL.get("/v1/ledger/transfers/first").status == 404


@pytest.mark.parametrize("path", ["/v1/ledger/accounts", "/v1/ledger/trial-balance"])
@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"currency": "CNY"}, "lender_id", "required"),
        ({"lender_id": "lender-a"}, "currency", "required"),
        ({"lender_id": "lender-a", "currency": "GBP"}, "currency", "not_allowed"),
        ({"lender_id": "lender-a", "currency": "yuan"}, "currency", "wrong_form"),
    ],
)
def test_staff_name_lender_and_currency(path: str, query: dict[str, str], field: str, code: str) -> None:
    answer = AUDITOR.get(path, query=query)
    (fault,) = answer.json()["errors"]
    assert (answer.status, fault["field"], fault["code"]) == (422, field, code)


def test_a_statement_carries_the_balance_through_its_pages() -> None:
    entries = all_of(LENDER, ENTRIES.format(CASH), "entries")
    assert [(one["number"], one["side"], one["amount"], one["balance"]) for one in entries] == [
        (1, "credit", "980.00", "-980.00"), (2, "credit", "300.00", "-1280.00"),
        (3, "debit", "250.00", "-1030.00"), (4, "credit", "250.00", "-1280.00"),
    ]  # fmt: skip
    assert [one["booked_on"] for one in entries] == ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-22"]
    page = LENDER.get(ENTRIES.format(CASH), query={"limit": 3})
    rest = LENDER.get(ENTRIES.format(CASH), query={"limit": 3, "cursor": page.json()["next"]}).json()
    assert (page.json()["opening_balance"], rest["opening_balance"]) == ("0.00", "-1030.00")


@pytest.mark.parametrize(
    ("since", "until", "opening", "transfers"),
    [
        ("2026-11-21", "2026-11-21", "-980.00", ["joint"]),
        (None, "2026-11-20", "0.00", ["first"]),
        ("2026-11-22", None, "-1280.00", ["repaid", "repaid-back"]),
        ("2026-11-23", None, "-1280.00", []),
        ("2026-11-22", "2026-11-21", "-1280.00", []),
        ("2026-01-01", "2026-11-19", "0.00", []),
    ],
)
def test_a_statement_is_of_business_dates(
    since: str | None, until: str | None, opening: str, transfers: list[str]
) -> None:
    query = {name: day for name, day in (("since", since), ("until", until)) if day}
    found = LENDER.get(ENTRIES.format(CASH), query=query).json()
    assert (found["opening_balance"], [one["transfer_id"] for one in found["entries"]]) == (opening, transfers)


@pytest.mark.parametrize("account_id", ["lender-a:CNY:app_9:principal", "lender-a:CNY:gold", "x", "lender-a:CNY:app_1"])
def test_an_unknown_account_is_not_found(account_id: str) -> None:
    assert AUDITOR.get(ENTRIES.format(account_id)).status == 404


@pytest.mark.parametrize(
    ("on", "sums", "cash"),
    [
        (None, "1300.00", "1280.00"), ("2026-11-19", "0.00", "0.00"), ("2026-11-20", "1000.00", "980.00"),
        ("2026-11-21", "1300.00", "1280.00"), ("2030-01-01", "1300.00", "1280.00"),
    ],
)  # fmt: skip
def test_a_trial_balance_is_zero_at_the_end_of_every_day(on: str | None, sums: str, cash: str) -> None:
    query = {"currency": "CNY", "lender_id": "lender-a", "limit": 2} | ({"on": on} if on else {})
    rows: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": None}
    while page["next"] or not rows:
        more = {"cursor": page["next"]} if page["next"] else {}
        page = Api("operator", "platform").get("/v1/ledger/trial-balance", query={**query, **more}).json()
        rows += page["rows"]
    assert (page["debits"], page["credits"]) == (sums, sums)
    assert sum(Money.parse(one["debit"], "CNY").minor for one in rows) == Money.parse(sums, "CNY").minor
    assert len(rows) == 5
    assert rows[-1] == {"account_id": CASH, "kind": "cash", "loan_id": None, "debit": "0.00", "credit": cash}


def test_every_page_of_a_trial_balance_is_of_the_first_ones_instant() -> None:
    query = {"currency": "EUR", "lender_id": "lender-c", "limit": 1}
    clock = FixedClock(FIRST)
    ledger = Ledger(wired.ledger_store(), clock)
    cash = AccountId("lender-c", "EUR", Kind.CASH)

    def pay(name: str) -> None:
        principal = AccountId("lender-c", "EUR", Kind.PRINCIPAL, name)
        ledger.enter(Record(f"c-{name}", "x", [debit(principal, 7_00), credit(cash, 7_00)], DAY), by="platform")

    pay("app_1")
    first = AUDITOR.get("/v1/ledger/trial-balance", query=query).json()
    clock.at = datetime.now(UTC)
    pay("app_0")
    pay("app_2")
    rows, page = first["rows"], first
    while page["next"]:
        page = AUDITOR.get("/v1/ledger/trial-balance", query={**query, "cursor": page["next"]}).json()
        rows += page["rows"]
        assert page["as_of"] == first["as_of"]
    assert [(one["debit"], one["credit"]) for one in rows] == [("7.00", "0.00"), ("0.00", "0.00"), ("0.00", "7.00")]
    assert (page["debits"], page["credits"]) == ("7.00", "7.00")


def test_a_lender_sees_its_own_lines_of_a_joint_transfer() -> None:
    def accounts(api: Api) -> list[str]:
        return [one["account_id"] for one in api.get("/v1/ledger/transfers/joint").json()["lines"]]

    assert accounts(RIVAL) == ["lender-b:CNY:app_2:principal", "lender-b:CNY:cash"]
    assert len(accounts(AUDITOR)) == 4
    assert "lender-a" not in RIVAL.get("/v1/ledger/transfers/joint").body


def test_a_transfer_says_how_it_stands_and_to_staff_by_whom() -> None:
    seen = AUDITOR.get("/v1/ledger/transfers/joint").json()
    assert (seen["state"], seen["value_date"], seen["booked_on"]) == ("posted", "2026-11-21", "2026-11-21")
    assert (seen["created_by"], seen["ended_by"]) == ("platform", "lender:lender-a")
    back = LENDER.get("/v1/ledger/transfers/repaid-back").json()
    assert (back["reverses"], LENDER.get("/v1/ledger/transfers/repaid").json()["reversed_by"]) == (
        "repaid", "repaid-back",
    )  # fmt: skip
    assert LENDER.get("/v1/ledger/transfers/pending").json()["posted_at"] is None
    assert "operator:ann" not in LENDER.get("/v1/ledger/transfers/first").body
    assert AUDITOR.get("/v1/ledger/transfers/none").status == 404
