"""Transfers between accounts: balanced, idempotent, never changed (S05; domain rules 18, 29)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import accumulate
from threading import Barrier
from typing import Any

import pytest

from creditmesh.kernel.clock import FixedClock
from creditmesh.kernel.errors import DomainError, InvalidInput, NotFound
from creditmesh.kernel.money import MAX_MINOR, Money
from creditmesh.ledger.journal import Moment
from creditmesh.ledger.model import MAX_LINES, Account, AccountId, Kind, Line, Side, arranged, credit, debit
from creditmesh.ledger.postings import disbursement, unexpected_payment
from creditmesh.ledger.service import Ledger
from creditmesh.ledger.transfers import Post, Record, Reserve, Reverse, State, Transfer, Void
from creditmesh.platform.tables import ConditionFailed
from tests.support import wired
from tests.support.aws import table_name
from tests.support.world import World

DAY, LATER = date(2026, 11, 21), date(2026, 11, 25)
BY = "lender:lender-a"
CASH = AccountId("lender-a", "CNY", Kind.CASH)


def of_loan(kind: Kind, loan: str = "app_1", lender: str = "lender-a", currency: str = "CNY") -> AccountId:
    return AccountId(lender, currency, kind, loan)


PRINCIPAL, SUSPENSE = of_loan(Kind.PRINCIPAL), of_loan(Kind.SUSPENSE)


def move(to: AccountId, out: AccountId, minor: int) -> list[Line]:
    return [debit(to, minor), credit(out, minor)]


@pytest.fixture
def ledger(world: World) -> Ledger:
    assert world.items("LedgerAccounts") == []
    return wired.ledger()


def account(one: AccountId) -> Account:
    return wired.ledger_store().read([], [str(one)])[1][str(one)]


def sums(one: AccountId) -> tuple[int, int, int]:
    """Balance, pending out, available."""
    found = account(one)
    return found.balance_minor, found.pending_out_minor, found.available_minor


def transfer(transfer_id: str) -> Transfer:
    return wired.ledger_store().read([transfer_id], [])[0][transfer_id]


PAID = move(PRINCIPAL, CASH, 100_00)


def test_a_reserved_transfer_takes_what_is_available_and_no_balance(ledger: Ledger) -> None:
    ledger.enter(Reserve("t-1", "disbursement", PAID), by=BY)
    assert (sums(CASH), sums(PRINCIPAL)) == ((0, 100_00, -100_00), (0, 0, 0))
    assert account(PRINCIPAL).pending_in_minor == 100_00
    ledger.enter(Post("t-1", DAY), by="operator:ann")
    assert (sums(CASH), sums(PRINCIPAL)) == ((-100_00, 0, -100_00), (100_00, 0, 100_00))
    found = transfer("t-1")
    assert (found.state, found.value_date, found.created_by, found.ended_by) == (
        State.POSTED, DAY.isoformat(), BY, "operator:ann",
    )  # fmt: skip


def test_a_voided_transfer_leaves_nothing_behind(ledger: Ledger, world: World) -> None:
    ledger.enter(Reserve("t-1", "disbursement", PAID), by=BY)
    ledger.enter(Void("t-1"), by=BY)
    assert (sums(CASH), sums(PRINCIPAL), transfer("t-1").state) == ((0, 0, 0), (0, 0, 0), State.VOIDED)
    assert world.items("LedgerEntries") == []


def test_a_reversal_mirrors_the_cents_and_keeps_what_was_entered(ledger: Ledger, world: World) -> None:
    """The shared case «split-reversal»: 60 and 40 of 100.01 are 60.01 and 40.00, mirrored as they were posted."""
    shares = {"lender-a": 60_01, "lender-b": 40_00}
    lines = [
        line
        for lender, minor in shares.items()
        for line in move(of_loan(Kind.PRINCIPAL, lender=lender), AccountId(lender, "CNY", Kind.CASH), minor)
    ]
    ledger.enter(Record("t-1", "disbursement", lines, DAY), by=BY)
    before = world.items("LedgerEntries")
    ledger.enter(Reverse("t-2", "t-1", LATER), by=BY)
    entries = world.items("LedgerEntries")
    assert [one for one in entries if one in before] == before
    mirrored = {one["account_id"]: (one["side"], one["amount_minor"]) for one in entries if one["transfer_id"] == "t-2"}
    assert mirrored == {line.account_id: (line.side.other, line.amount_minor) for line in lines}
    assert {one["balance_minor"] for one in entries if one["number"] == 2} == {0}
    first, second = transfer("t-1"), transfer("t-2")
    assert (first.state, first.reversed_by, second.state, second.reverses, second.value_date) == (
        State.REVERSED, "t-2", State.POSTED, "t-1", LATER.isoformat(),
    )  # fmt: skip


COMMANDS = {
    "record": [Record("t-1", "disbursement", PAID, DAY)],
    "reserve": [Reserve("t-1", "disbursement", PAID)],
    "post": [Reserve("t-1", "disbursement", PAID), Post("t-1", DAY)],
    "void": [Reserve("t-1", "disbursement", PAID), Void("t-1")],
    "reverse": [Record("t-1", "disbursement", PAID, DAY), Reverse("t-2", "t-1", LATER)],
    "reverse what was reserved": [
        Reserve("t-1", "disbursement", PAID), Post("t-1", DAY), Reverse("t-2", "t-1", LATER),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_what_was_carried_out_is_carried_out_no_more(ledger: Ledger, world: World, name: str) -> None:
    for one in COMMANDS[name]:
        ledger.enter(one, by=BY)
    stored = [world.items(table) for table in ("LedgerAccounts", "LedgerTransfers", "LedgerEntries")]
    world.clock.advance(90_000)
    for one in COMMANDS[name]:
        assert ledger.writing(one, by="operator:bob") == []
        ledger.enter(one, by="operator:bob")
    assert [world.items(table) for table in ("LedgerAccounts", "LedgerTransfers", "LedgerEntries")] == stored


REFUSED: dict[str, tuple[list[Any], str]] = {
    "another amount": ([Record("t-1", "disbursement", move(PRINCIPAL, CASH, 1), DAY)], "transfer_id_reused"),
    "another value date": ([Record("t-1", "disbursement", PAID, LATER)], "transfer_id_reused"),
    "another purpose": ([Record("t-1", "repayment", PAID, DAY)], "transfer_id_reused"),
    "reserved instead of posted": ([Reserve("t-1", "disbursement", PAID)], "transfer_id_reused"),
    "the sides exchanged": ([Record("t-1", "disbursement", move(CASH, PRINCIPAL, 100_00), DAY)], "transfer_id_reused"),
    "posted on another day": ([Post("t-1", LATER)], "transfer_state"),
    "a posted one voided": ([Void("t-1")], "transfer_state"),
    "a voided one posted": ([Reserve("t-3", "x", PAID), Void("t-3"), Post("t-3", DAY)], "transfer_state"),
    "a pending one reversed": ([Reserve("t-3", "x", PAID), Reverse("t-4", "t-3", DAY)], "transfer_state"),
    "a reversal reversed": ([Reverse("t-2", "t-1", DAY), Reverse("t-3", "t-2", DAY)], "transfer_state"),
    "reversed twice": ([Reverse("t-2", "t-1", DAY), Reverse("t-3", "t-1", DAY)], "transfer_state"),
    "reversed on two days": ([Reverse("t-2", "t-1", DAY), Reverse("t-2", "t-1", LATER)], "transfer_id_reused"),
    "reversed under its own id": ([Reverse("t-1", "t-1", DAY)], "transfer_id_reused"),
    "a reversed one voided": ([Reverse("t-2", "t-1", DAY), Void("t-1")], "transfer_state"),
    "an unknown one posted": ([Post("t-9", DAY)], "not_found"),
    "an unknown one voided": ([Void("t-9")], "not_found"),
    "an unknown one reversed": ([Reverse("t-2", "t-9", DAY)], "not_found"),
    "an id of another form": ([Record("t 1", "x", PAID, DAY)], "invalid_input"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_contradicts_what_was_entered_is_refused_and_changes_nothing(
    ledger: Ledger, world: World, name: str
) -> None:
    commands, code = REFUSED[name]
    ledger.enter(Record("t-1", "disbursement", PAID, DAY), by=BY)
    *before, last = commands
    for one in before:
        ledger.enter(one, by=BY)
    stored = [world.items(table) for table in ("LedgerAccounts", "LedgerTransfers", "LedgerEntries")]
    with pytest.raises(DomainError) as refused:
        ledger.enter(last, by=BY)
    assert refused.value.code == code
    assert [world.items(table) for table in ("LedgerAccounts", "LedgerTransfers", "LedgerEntries")] == stored


B_CASH, EURO_CASH = AccountId("lender-b", "CNY", Kind.CASH), AccountId("lender-a", "EUR", Kind.CASH)
FAULTS: dict[str, tuple[Sequence[Line], str]] = {
    "one line": ([debit(CASH, 1)], "wrong_number"),
    "too many lines": ([debit(of_loan(Kind.SUSPENSE, f"app_{n}"), 1) for n in range(MAX_LINES + 1)], "wrong_number"),
    "nothing moves": (move(PRINCIPAL, CASH, 0), "out_of_range"),
    "less than nothing": (move(PRINCIPAL, CASH, -1), "out_of_range"),
    "too much": (move(PRINCIPAL, CASH, MAX_MINOR + 1), "out_of_range"),
    "an account twice": ([debit(CASH, 1), credit(CASH, 1)], "repeated"),
    "unequal sides": ([debit(PRINCIPAL, 2), credit(CASH, 1)], "unbalanced"),
    "one side only": ([debit(PRINCIPAL, 1), debit(CASH, 1)], "unbalanced"),
    "equal over two lenders only": ([debit(PRINCIPAL, 1), credit(B_CASH, 1)], "unbalanced"),
    "two currencies": (
        [*move(PRINCIPAL, CASH, 1), *move(of_loan(Kind.PRINCIPAL, currency="EUR"), EURO_CASH, 1)],
        "currencies_differ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faulty_lines_are_refused(name: str) -> None:
    lines, fault = FAULTS[name]
    with pytest.raises(InvalidInput) as refused:
        arranged(lines)
    assert refused.value.fault == fault


def test_an_unbalanced_transfer_has_a_code_of_its_own() -> None:
    with pytest.raises(InvalidInput) as refused:
        arranged([debit(PRINCIPAL, 1_00), credit(CASH, 3_50)])
    assert (refused.value.code, refused.value.parameters) == (
        "unbalanced_transfer", {"difference": "-2.50", "book": "lender-a:CNY"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "lender-a", "lender-a:CNY", "lender-a:CNY:gold", "lender-a:GBP:cash", "lender-a:CNY:principal",
     "lender-a:CNY:app_1:cash", ":CNY:cash", "lender a:CNY:cash", "lender-a:CNY:app_1:principal:x",
     f"{'x' * 41}:CNY:cash"],
)  # fmt: skip
def test_what_is_no_accounts_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        AccountId.parse(text)


@pytest.mark.parametrize("kind", Kind)
def test_an_accounts_id_says_whose_it_is_and_fits_a_path(kind: Kind) -> None:
    loan = None if kind is Kind.CASH else f"app_{'5' * 28}"
    one = AccountId("l" * 40, "CNY", kind, loan)
    assert AccountId.parse(str(one)) == one
    assert len(str(one)) <= 100


LIMITED = [kind for kind in Kind if kind.limited]


@pytest.mark.parametrize("kind", LIMITED)
def test_a_limited_account_gives_no_more_than_is_available(ledger: Ledger, kind: Kind) -> None:
    one = of_loan(kind)

    def lines(minor: int, *, fill: bool) -> list[Line]:
        inward = (kind.normal is Side.DEBIT) == fill
        return move(one, SUSPENSE, minor) if inward else move(SUSPENSE, one, minor)

    ledger.enter(Record("in", "x", lines(100, fill=True), DAY), by=BY)
    ledger.enter(Reserve("more", "x", lines(50, fill=True)), by=BY)  # counts once it is posted
    ledger.enter(Reserve("out", "x", lines(60, fill=False)), by=BY)
    for command in (Record, Reserve):
        extra = {"value_date": DAY} if command is Record else {}
        with pytest.raises(DomainError) as refused:
            ledger.enter(command("over", "x", lines(41, fill=False), **extra), by=BY)
        assert (refused.value.code, refused.value.parameters) == (
            "account_exhausted", {"account_id": str(one), "left": "0.40"},
        )  # fmt: skip
    with pytest.raises(DomainError):
        ledger.enter(Reverse("back", "in", DAY), by=BY)
    ledger.enter(Record("rest", "x", lines(40, fill=False), DAY), by=BY)
    ledger.enter(Post("out", DAY), by=BY)
    assert sums(one) == (0, 0, 0)
    ledger.enter(Post("more", DAY), by=BY)
    assert sums(one) == (50, 0, 50)


def test_a_payment_that_nobody_expected_is_always_posted(ledger: Ledger) -> None:
    """Domain rule 18: nothing can be short of what a payment takes."""
    for loan in ("app_1", None):
        lines = unexpected_payment("lender-a", loan, Money(70_00, "CNY"))
        assert not any(line.account.kind.limited for line in lines)
        ledger.enter(Record(f"unexpected-{loan}", "unexpected_payment", lines, DAY), by=BY)
    assert sums(SUSPENSE)[0] == sums(AccountId("lender-a", "CNY", Kind.SUSPENSE))[0] == 70_00
    assert sums(CASH)[0] == -140_00


@pytest.mark.parametrize(("deducted", "paid"), [(0, 100_00), (1, 99_99), (99_99, 1)])
def test_a_disbursement_pays_the_principal_less_deducted_fees(ledger: Ledger, deducted: int, paid: int) -> None:
    lines = disbursement("lender-a", "app_1", Money(100_00, "CNY"), Money(deducted, "CNY"))
    ledger.enter(Record("t-1", "disbursement", lines, DAY), by=BY)
    income = account(of_loan(Kind.FEE_INCOME)).balance_minor
    assert (sums(PRINCIPAL)[0], sums(CASH)[0], income) == (100_00, -paid, deducted)


@pytest.mark.parametrize("deducted", [Money(100_00, "CNY"), Money(1, "EUR")])
def test_fees_do_not_take_up_the_principal(deducted: Money) -> None:
    with pytest.raises(InvalidInput):
        disbursement("lender-a", "app_1", Money(100_00, "CNY"), deducted)


def test_commands_of_one_call_share_accounts_and_a_transaction(ledger: Ledger, world: World) -> None:
    """Another amount was paid than ordered: the order is voided and the payment posted, or neither."""
    ledger.enter(Reserve("order-1", "disbursement", PAID), by=BY)
    paid = Record("paid-1", "unexpected_payment", unexpected_payment("lender-a", "app_1", Money(99_00, "CNY")), DAY)
    with pytest.raises(DomainError):
        ledger.enter(Void("order-1"), paid, Post("order-2", DAY), by=BY)
    assert sums(CASH) == (0, 100_00, -100_00)
    ledger.enter(Void("order-1"), paid, by=BY)
    assert (sums(CASH), sums(SUSPENSE), transfer("order-1").state) == (
        (-99_00, 0, -99_00), (99_00, 0, 99_00), State.VOIDED,
    )  # fmt: skip
    assert len(world.items("LedgerEntries")) == 2


def test_commands_may_build_on_each_other(ledger: Ledger) -> None:
    ledger.enter(Reserve("t-1", "disbursement", PAID), Post("t-1", DAY), Reverse("t-2", "t-1", DAY), by=BY)
    assert (transfer("t-1").state, transfer("t-2").state) == (State.REVERSED, State.POSTED)
    assert (sums(CASH), account(CASH).entries, account(CASH).version) == ((0, 0, 0), 2, 1)


def test_writes_that_rest_on_an_older_state_fail_as_a_whole(ledger: Ledger, world: World) -> None:
    late = ledger.writing(Record("t-1", "disbursement", PAID, DAY), by=BY)
    ledger.enter(Record("t-2", "disbursement", move(of_loan(Kind.PRINCIPAL, "app_2"), CASH, 5), DAY), by=BY)
    with pytest.raises(ConditionFailed):
        wired.tables().transact(late, "t-1")
    assert [one["transfer_id"] for one in world.items("LedgerTransfers")] == ["t-2"]
    assert account(PRINCIPAL).version == 0
    ledger.enter(Record("t-1", "disbursement", PAID, DAY), by=BY)
    assert sums(CASH)[0] == -100_05


def test_of_two_reservations_at_once_the_second_is_worked_out_anew(ledger: Ledger) -> None:
    """Without an entry, the account's version alone tells of the other."""
    ledger.enter(Record("t-1", "x", PAID, DAY), by=BY)
    out = Reserve("t-2", "x", move(SUSPENSE, PRINCIPAL, 60_00))
    late = ledger.writing(out, by=BY)
    ledger.enter(Reserve("t-3", "x", move(of_loan(Kind.SUSPENSE, "app_2"), PRINCIPAL, 60_00)), by=BY)
    with pytest.raises(ConditionFailed):
        wired.tables().transact(late, "t-2")
    assert sums(PRINCIPAL) == (100_00, 60_00, 40_00)
    with pytest.raises(DomainError) as refused:
        ledger.enter(out, by=BY)
    assert refused.value.code == "account_exhausted"


def test_of_500_transfers_at_once_on_one_account_none_is_lost(ledger: Ledger) -> None:
    crowd = 500
    together = Barrier(crowd)

    def pay(number: int) -> None:
        lines = move(of_loan(Kind.PRINCIPAL, f"app_{number}"), CASH, number + 1)
        together.wait()
        for _ in range(2):
            ledger.enter(Record(f"t-{number}", "disbursement", lines, DAY), by=BY)

    with ThreadPoolExecutor(crowd) as pool:
        list(pool.map(pay, range(crowd)))
    entries = wired.ledger_store().entries(CASH, "2026-01-01", "2027-01-01", crowd + 1)
    assert [one.number for one in entries] == list(range(1, crowd + 1))
    assert sorted(one.amount_minor for one in entries) == list(range(1, crowd + 1))
    assert [one.balance_minor for one in entries] == list(accumulate(-one.amount_minor for one in entries))
    assert account(CASH).balance_minor == entries[-1].balance_minor == -crowd * (crowd + 1) // 2


def test_posting_and_voiding_at_once_leave_one_of_them(ledger: Ledger) -> None:
    ledger.enter(Reserve("t-1", "disbursement", PAID), by=BY)
    void = ledger.writing(Void("t-1"), by=BY)
    ledger.enter(Post("t-1", DAY), by=BY)
    of_transfer = [one for one in void if one.table == table_name("LedgerTransfers")]
    for writes in (void, of_transfer):
        with pytest.raises(ConditionFailed):
            wired.tables().transact(writes, "t-1")
    assert (len(of_transfer), transfer("t-1").state) == (1, State.POSTED)


def test_the_largest_transfer_fits_a_transaction_beside_the_callers_own_writes(ledger: Ledger) -> None:
    lines = [debit(of_loan(Kind.PRINCIPAL, f"app_{n}"), 1) for n in range(MAX_LINES - 1)]
    writes = ledger.writing(Record("t-1", "x", [*lines, credit(CASH, MAX_LINES - 1)], DAY), by=BY)
    assert len(writes) == 2 * MAX_LINES + 1 <= 100 - 19
    wired.tables().transact(writes, "t-1")


def test_bookings_never_go_back_in_time() -> None:
    """Machines' clocks differ; a statement's order must not."""
    clock = FixedClock(datetime(2026, 11, 21, 8, 0, tzinfo=UTC))
    ahead = Account(account_id=str(CASH), booked_on="2026-11-22", posted_at="2026-11-21T08:00:00.250Z")
    moment = Moment.after([ahead, Account(account_id=str(PRINCIPAL))], clock.now(), clock.today(), BY)
    assert (moment.posted_at, moment.booked_on) == (ahead.posted_at, ahead.booked_on)
    clock.advance(172_800)
    moment = Moment.after([ahead], clock.now(), clock.today(), BY)
    assert (moment.posted_at, moment.booked_on) == ("2026-11-23T08:00:00.000Z", "2026-11-23")


SETTLED = of_loan(Kind.RECOVERY)
JOURNALS: dict[str, tuple[list[Record], dict[AccountId, int]]] = {
    "gl-chargeoff-after-repayment": (
        [
            Record("disbursed", "disbursement", move(PRINCIPAL, CASH, 1000_00), DAY),
            Record("repaid", "repayment", move(CASH, PRINCIPAL, 250_00), DAY),
            Record("charged-off", "write_off", move(of_loan(Kind.WRITE_OFF), PRINCIPAL, 750_00), DAY),
        ],
        {PRINCIPAL: 0, CASH: -750_00, of_loan(Kind.WRITE_OFF): 750_00},
    ),
    "gl-frappe-settlement": (
        [
            Record("disbursed", "disbursement", move(PRINCIPAL, CASH, 2_500_000_00), DAY),
            Record("written-off", "write_off", move(of_loan(Kind.WRITE_OFF), PRINCIPAL, 250_000_00), DAY),
            Record("settled", "recovery", move(CASH, SETTLED, 1_500_000_00), DAY),
        ],
        {PRINCIPAL: 2_250_000_00, CASH: -1_000_000_00, SETTLED: 1_500_000_00, of_loan(Kind.WRITE_OFF): 250_000_00},
    ),
}


@pytest.mark.parametrize("case", JOURNALS)
def test_journals_of_other_ledgers_have_their_accounts_here(ledger: Ledger, case: str) -> None:
    """The shared cases of kind «ledger». Not offered: a fraud flag's account of its own, income's contra accounts."""
    records, balances = JOURNALS[case]
    for record in records:
        ledger.enter(record, by=BY)
    assert {one: account(one).balance_minor for one in balances} == balances


def test_an_unknown_transfer_is_named(ledger: Ledger) -> None:
    with pytest.raises(NotFound) as refused:
        ledger.enter(Post("t-9", DAY), by=BY)
    assert refused.value.field == "transfer_id"
