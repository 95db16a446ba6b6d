"""Reading the ledger: balances, statements, trial balances. A lender reads its own books only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.kernel.money import MINOR_UNITS
from creditmesh.ledger.model import Account, AccountId, Entry, Side
from creditmesh.ledger.store import LedgerStore, place
from creditmesh.ledger.transfers import Transfer
from creditmesh.platform.paging import Page, Window

SETTLED_SECONDS = 10
"""A trial balance leaves out transfers that are younger: some may still be on their way to one of their accounts."""


@dataclass(frozen=True)
class Statement:
    """A part of an account's entries."""

    account: Account
    """As it is now."""
    opening_minor: int
    """Balance before the first entry of the page."""
    entries: Page[Entry]


@dataclass(frozen=True)
class TrialBalance:
    """A page of the posted balances of a lender's accounts in one currency, as of one instant."""

    as_of: str
    rows: Page[tuple[AccountId, int]]
    """Accounts with debits less credits."""
    debits_minor: int
    """Sum of the debit balances from the first page to this one; on the last page equal to the credits'."""
    credits_minor: int


class Books:
    """Reads what `Ledger` enters."""

    def __init__(self, store: LedgerStore, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def accounts(
        self, caller: Caller, lender_id: str | None, currency: str, loan_id: str | None, window: Window
    ) -> Page[Account]:
        """A lender's accounts in a currency, or those of one of its loans, with their balances as they are.

        Args:
            lender_id: needed from staff.

        Raises:
            InvalidInput: not named by staff; unknown currency.
        """
        book = _book(caller, lender_id, currency)
        found = self._store.book(book, window.limit + 1, after=window.after, loan_id=loan_id)
        part = found[: window.limit]
        return Page(part, part[-1].id.place if len(found) > len(part) else None)

    def statement(
        self, caller: Caller, account_id: str, since: date | None, until: date | None, window: Window
    ) -> Statement:
        """An account's entries by booking, with the balance after each.

        Args:
            since: first business date; None from the beginning.
            until: last business date; None to the end.

        Raises:
            NotFound: no such account, or another lender's.
        """
        account = self._account(caller, account_id)
        first, last = (since or date.min).isoformat(), (until or date.max).isoformat()
        known = window.after
        if known is None:
            before = self._store.before(account.id, first)
            known = {"place": None, "balance": before.balance_minor if before else 0}
        found = self._store.entries(account.id, first, last, window.limit + 1, after=known["place"])
        part = found[: window.limit]
        more = len(found) > len(part)
        mark = {"place": place(part[-1]), "balance": part[-1].balance_minor} if more else None
        return Statement(account, int(known["balance"]), Page(part, mark))

    def trial_balance(
        self, caller: Caller, lender_id: str | None, currency: str, on: date | None, window: Window
    ) -> TrialBalance:
        """Posted balances at the end of a business date, or now; every page is of the instant of the first.

        A transfer is in it whole or not at all, so all rows together are zero whatever is posted meanwhile.

        Raises:
            InvalidInput: staff named no lender; unknown currency.
        """
        book = _book(caller, lender_id, currency)
        settled = self._clock.now() - timedelta(seconds=SETTLED_SECONDS)
        known: dict[str, Any] = window.after or {"place": None, "as_of": iso(settled), "debits": 0, "credits": 0}
        as_of, last = str(known["as_of"]), (on or date.max).isoformat()
        found = self._store.book(book, window.limit + 1, after=known["place"])
        part = found[: window.limit]
        rows = [(one.id, self._net_at(one, last, as_of)) for one in part]
        debits = int(known["debits"]) + sum(net for _, net in rows if net > 0)
        credits = int(known["credits"]) - sum(net for _, net in rows if net < 0)
        more = len(found) > len(part)
        mark = {"place": part[-1].id.place, "as_of": as_of, "debits": debits, "credits": credits} if more else None
        return TrialBalance(as_of, Page(rows, mark), debits, credits)

    def transfer(self, caller: Caller, transfer_id: str) -> Transfer:
        """A transfer; a lender sees its own lines.

        Raises:
            NotFound: no such transfer, or none of its lines is the lender's.
        """
        found = self._store.read([transfer_id], [])[0].get(transfer_id)
        lines = [one for one in found.lines if _may_read(caller, one.account)] if found else []
        if found is None or not lines:
            raise NotFound("no such transfer", field="transfer_id")
        return found.model_copy(update={"lines": tuple(lines)})

    def _account(self, caller: Caller, account_id: str) -> Account:
        try:
            parsed = AccountId.parse(account_id)
        except InvalidInput:
            parsed = None
        account = self._store.account(parsed) if parsed and _may_read(caller, parsed) else None
        if account is None:
            raise NotFound("no such account", field="account_id")
        return account

    def _net_at(self, account: Account, last: str, as_of: str) -> int:
        """Debits less credits of the entries booked up to a day and posted up to an instant."""
        if account.booked_on <= last and account.posted_at <= as_of:
            return account.net_minor
        entries = self._store.newest_first(account.id, last)
        balance = next((one.balance_minor for one in entries if one.posted_at <= as_of), 0)
        return balance if account.id.kind.normal is Side.DEBIT else -balance


def _may_read(caller: Caller, account: AccountId) -> bool:
    return caller.role is not Role.LENDER or caller.tenant == account.lender_id


def _book(caller: Caller, lender_id: str | None, currency: str) -> str:
    if currency not in MINOR_UNITS:
        allowed = ", ".join(MINOR_UNITS)
        raise InvalidInput("must be one of {allowed}", field="currency", fault="not_allowed", allowed=allowed)
    lender = caller.tenant if caller.role is Role.LENDER else lender_id
    if lender is None:
        raise InvalidInput("is required", field="lender_id", fault="required")
    return f"{lender}:{currency}"
