"""The ledger beside a simple one that adds everything up anew, whatever is repeated, killed or done at once (S05)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import DomainError
from creditmesh.ledger.books import SETTLED_SECONDS
from creditmesh.ledger.model import Account, AccountId, Kind, Line, Side, credit, debit
from creditmesh.ledger.transfers import Command, Post, Record, Reserve, Reverse, Void
from creditmesh.platform.paging import Window
from creditmesh.platform.tables import ConditionFailed
from tests.support import wired
from tests.support.aws import Stack
from tests.support.world import OPERATOR, World, running

BY = "platform"
TABLES = ("LedgerAccounts", "LedgerTransfers", "LedgerEntries")
DAYS = [date(2026, 11, day) for day in (19, 21)]
IDS = [f"t-{number}" for number in range(9)]
BOOKS = [(lender, currency) for lender in ("lender-a", "lender-b") for currency in ("CNY", "EUR")]


def accounts_of(lender: str, currency: str) -> list[AccountId]:
    loan = [AccountId(lender, currency, kind, "app_1") for kind in (Kind.PRINCIPAL, Kind.FEE_INCOME, Kind.JOINT_FUNDS)]
    return [AccountId(lender, currency, Kind.CASH), *loan]


@st.composite
def lines(draw: st.DrawFn) -> list[Line]:
    """Balanced lines of one or two lenders in one currency, in any order."""
    currency = draw(st.sampled_from(["CNY", "EUR"]))
    found: list[Line] = []
    for lender in draw(st.sampled_from([["lender-a"], ["lender-a"], ["lender-b"], ["lender-a", "lender-b"]])):
        one, other, third, _ = draw(st.permutations(accounts_of(lender, currency)))
        first, second = draw(st.tuples(st.integers(1, 5), st.integers(0, 3)))
        found += [debit(one, first + second), credit(other, first)] + ([credit(third, second)] if second else [])
    mirrored = draw(st.booleans())
    return draw(st.permutations([_mirror(line) for line in found] if mirrored else found))


def _mirror(line: Line) -> Line:
    return line.model_copy(update={"side": line.side.other})


ids, days = st.sampled_from(IDS), st.sampled_from(DAYS)
purposes = st.sampled_from(["a", "a", "a", "b"])
begun = st.builds(Record, ids, purposes, lines(), days) | st.builds(Reserve, ids, purposes, lines())
commands = st.one_of(
    begun,
    st.builds(Post, ids, days),
    st.builds(Void, ids),
    st.builds(Reverse, ids, ids, days),
)


@dataclass
class Known:
    """A transfer, as the oracle remembers it."""

    content: tuple[Any, ...]
    lines: dict[str, int]
    """Account -> debits less credits."""
    state: str
    value_date: date | None = None
    booked: tuple[str, str] | None = None
    """Business date and instant of its posting."""
    reversed_by: str | None = None
    reverses: str | None = None


class Refused(Exception):
    """The oracle refuses; the argument is the code."""


class Oracle:
    """Every sum is worked out from all transfers."""

    def __init__(self) -> None:
        self.transfers: dict[str, Known] = {}
        self.order: list[str] = []
        """Transfers in the order of posting."""

    def net(self, account: str, *states: str) -> int:
        found = (one for one in self.transfers.values() if one.state in states)
        return sum(one.lines.get(account, 0) for one in found)

    def available(self, account: str) -> int:
        """In the account's own direction: posted, and pending as far as it goes out."""
        sign = 1 if AccountId.parse(account).kind.normal is Side.DEBIT else -1
        pending = [sign * one.lines.get(account, 0) for one in self.transfers.values() if one.state == "pending"]
        return sign * self.net(account, "posted", "reversed") + sum(minor for minor in pending if minor < 0)

    def carry_out(self, command: Command, now: tuple[str, str]) -> bool:
        """Returns whether anything changed.

        Raises:
            Refused: nothing changed.
        """
        match command:
            case Record(name, purpose, given, value_date):
                return self._begin(name, (purpose, "record", _signed(given), value_date), "posted", value_date, now)
            case Reserve(name, purpose, given):
                return self._begin(name, (purpose, "reserve", _signed(given), None), "pending", None, now)
            case Post(name, value_date):
                one = self._find(name)
                if one.state in ("posted", "reversed") and one.value_date == value_date:
                    return False
                self._need(one.state == "pending", "transfer_state")
                one.state, one.value_date, one.booked = "posted", value_date, now
                self.order.append(name)
            case Void(name):
                one = self._find(name)
                if one.state == "voided":
                    return False
                self._need(one.state == "pending", "transfer_state")
                one.state = "voided"
            case Reverse(name, of, value_date):
                return self._reverse(name, of, value_date, now)
        return True

    def _reverse(self, name: str, of: str, value_date: date, now: tuple[str, str]) -> bool:
        one = self._find(of)
        self._need(one.reversed_by in (None, name), "transfer_state")
        self._need(one.reverses is None, "transfer_state")
        self._need(one.state in ("posted", "reversed"), "transfer_state")
        mirrored = {account: -minor for account, minor in one.lines.items()}
        content = (one.content[0], "record", mirrored, value_date, of)
        if not self._begin(name, content, "posted", value_date, now):
            return False
        self.transfers[name].reverses, one.reversed_by, one.state = of, name, "reversed"
        return True

    def _begin(
        self, name: str, content: tuple[Any, ...], state: str, value_date: date | None, now: tuple[str, str]
    ) -> bool:
        if before := self.transfers.get(name):
            self._need(before.content == content, "transfer_id_reused")
            return False
        new = Known(content, content[2], state, value_date, now if state == "posted" else None)
        self.transfers[name] = new
        for account, minor in new.lines.items():
            kind = AccountId.parse(account).kind
            outward = (minor < 0) == (kind.normal is Side.DEBIT)
            if kind.limited and outward and self.available(account) < 0:
                del self.transfers[name]
                raise Refused("account_exhausted")
        if state == "posted":
            self.order.append(name)
        return True

    def _find(self, name: str) -> Known:
        self._need(name in self.transfers, "not_found")
        return self.transfers[name]

    def _need(self, met: bool, code: str) -> None:
        if not met:
            raise Refused(code)


def _signed(given: Any) -> dict[str, int]:
    return {one.account_id: one.amount_minor if one.side is Side.DEBIT else -one.amount_minor for one in given}


class Killed(Exception):
    """The process ends here."""


class Kill:
    """Ends the process before its n-th call of DynamoDB, or once it has written."""

    def __init__(self, calls: int | None) -> None:
        self.left, self.client = calls, wired.client("dynamodb")

    def __enter__(self) -> None:
        self.client.meta.events.register("before-parameter-build.dynamodb", self._before)
        self.plain = self.client.transact_write_items
        if self.left is None:
            self.client.transact_write_items = self._written

    def __exit__(self, *_: object) -> None:
        self.client.meta.events.unregister("before-parameter-build.dynamodb", self._before)
        vars(self.client).pop("transact_write_items", None)

    def _before(self, **_: Any) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed

    def _written(self, **asked: Any) -> None:
        self.plain(**asked)
        raise Killed


class LedgerMachine(RuleBasedStateMachine):
    """The ledger on DynamoDB, and the oracle."""

    stack: Stack

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.stack.empty()
        self.running = running(self.stack, self.patch)
        self.world: World = self.running.__enter__()
        self.oracle = Oracle()
        self.entries: list[dict[str, Any]] = []

    def teardown(self) -> None:
        self.running.__exit__(None, None, None)

    def now(self) -> tuple[str, str]:
        clock = self.world.clock
        return clock.today().isoformat(), iso(clock.now())

    def expect(self, command: Command) -> str | None:
        try:
            self.oracle.carry_out(command, self.now())
        except Refused as refused:
            return str(refused)
        return None

    def enter(self, command: Command) -> str | None:
        try:
            wired.ledger().enter(command, by=BY)
        except DomainError as error:
            return error.code
        return None

    @rule(command=commands, times=st.integers(1, 2))
    def carried_out(self, command: Command, times: int) -> None:
        for _ in range(times):
            assert self.enter(command) == self.expect(command)

    @rule(command=commands, calls=st.sampled_from([0, 1, 2, None]))
    def killed_then_carried_out(self, command: Command, calls: int | None) -> None:
        """At whatever point the process ends, another one that is told the same completes it once."""
        try:
            with Kill(calls):
                wired.ledger().enter(command, by=BY)
        except (Killed, DomainError):
            pass
        assert self.enter(command) == self.expect(command)

    @rule(command=begun | commands, other=begun | commands)
    def at_once(self, command: Command, other: Command) -> None:
        """One reads, the other reads and writes, then the first writes what rests on an older state."""
        try:
            late = wired.ledger().writing(command, by=BY)
        except DomainError:
            late = []
        before = self.stored()
        assert self.enter(other) == self.expect(other)
        if late:
            untouched = self.stored() == before
            try:
                wired.tables().transact(late, "late")
            except ConditionFailed:
                pass
            else:
                assert untouched or not _touched(command, self.oracle) & _touched(other, self.oracle)
        assert self.enter(command) == self.expect(command)

    @rule(seconds=st.sampled_from([1, 20_000, 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    def stored(self) -> list[list[dict[str, Any]]]:
        return [self.world.items(table) for table in TABLES]

    @invariant()
    def every_sum_is_the_oracles(self) -> None:
        for item in self.world.items("LedgerAccounts"):
            account = Account.model_validate(item)
            assert account.net_minor == self.oracle.net(account.account_id, "posted", "reversed")
            assert account.debits_pending - account.credits_pending == self.oracle.net(account.account_id, "pending")
            assert account.available_minor == self.oracle.available(account.account_id)
            assert min(account.debits_pending, account.credits_pending) >= 0
            assert not account.id.kind.limited or account.available_minor >= 0
        states = {item["transfer_id"]: item["state"] for item in self.world.items("LedgerTransfers")}
        assert states == {name: one.state for name, one in self.oracle.transfers.items()}

    @invariant()
    def debits_equal_credits(self) -> None:
        for which in ("posted", "pending"):
            sums: dict[str, int] = defaultdict(int)
            for item in self.world.items("LedgerAccounts"):
                sums[item["book"]] += item[f"debits_{which}"] - item[f"credits_{which}"]
            assert set(sums.values()) <= {0}

    @invariant()
    def entries_only_come_to_the_end(self) -> None:
        items = self.world.items("LedgerEntries")
        assert items[: len(self.entries)] == self.entries
        self.entries = items

    @invariant()
    def statements_are_the_oracles(self) -> None:
        today = self.world.clock.today()
        for item in self.world.items("LedgerAccounts"):
            name, balance = item["account_id"], 0
            sign = 1 if AccountId.parse(name).kind.normal is Side.DEBIT else -1
            expected = []
            for transfer_id in self.oracle.order:
                one = self.oracle.transfers[transfer_id]
                if minor := sign * one.lines.get(name, 0):
                    balance += minor
                    expected.append((one.booked[0] if one.booked else "", transfer_id, minor, balance))
            for since in (None, today, today - timedelta(days=1)):
                wanted = [one for one in expected if since is None or one[0] >= since.isoformat()]
                assert list(_statement(name, since)) == wanted

    @invariant()
    def trial_balances_are_zero_and_the_oracles(self) -> None:
        as_of = iso(self.world.clock.now() - timedelta(seconds=SETTLED_SECONDS))
        for lender, currency in BOOKS:
            for on in (None, self.world.clock.today() - timedelta(days=1)):
                rows = _trial_balance(Caller("l", Role.LENDER, lender), currency, on)
                wanted = dict.fromkeys(rows, 0)
                for one in self.oracle.transfers.values():
                    if one.booked and one.booked[1] <= as_of and one.booked[0] <= (on or date.max).isoformat():
                        for name, minor in one.lines.items():
                            if name in rows:
                                wanted[name] += minor
                assert rows == wanted


def _touched(command: Command, oracle: Oracle) -> set[str]:
    """Ids of the transfers and accounts that a command reads."""
    names = {command.transfer_id} | ({command.of} if isinstance(command, Reverse) else set())
    found = {account for name in names if name in oracle.transfers for account in oracle.transfers[name].lines}
    given = {line.account_id for line in command.lines} if isinstance(command, Record | Reserve) else set()
    return names | found | given


def _statement(account_id: str, since: date | None) -> Iterator[tuple[str, str, int, int]]:
    """Day, transfer, amount with its sign and balance of an account's entries, in pages of two."""
    sign = 1 if AccountId.parse(account_id).kind.normal is Side.DEBIT else -1
    mark, last = None, None
    while True:
        found = wired.books().statement(OPERATOR, account_id, since, None, Window(2, mark))
        balance = found.opening_minor
        assert last is None or balance == last
        for one in found.entries:
            minor = sign * (one.amount_minor if one.side is Side.DEBIT else -one.amount_minor)
            balance += minor
            yield one.booked_on, one.transfer_id, minor, one.balance_minor
            assert balance == one.balance_minor
        mark, last = found.entries.mark, balance
        if mark is None:
            return


def _trial_balance(caller: Caller, currency: str, on: date | None) -> Mapping[str, int]:
    """Debits less credits by account, in pages of two."""
    rows: dict[str, int] = {}
    mark = None
    while True:
        found = wired.books().trial_balance(caller, None, currency, on, Window(2, mark))
        rows |= {str(account): net for account, net in found.rows}
        mark = found.rows.mark
        if mark is None:
            assert found.debits_minor == found.credits_minor == sum(net for net in rows.values() if net > 0)
            return rows


def test_the_ledger_is_what_the_simple_one_says(aws_stack: Stack) -> None:
    LedgerMachine.stack = aws_stack
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        LedgerMachine,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )
