"""What the API takes and gives about the ledger (docs/reference/ledger.md)."""

from __future__ import annotations

from pydantic import Field

from api.schemas import Listed, Listing, Out
from creditmesh.kernel.dates import Day
from creditmesh.kernel.money import format_minor
from creditmesh.ledger.books import Statement, TrialBalance
from creditmesh.ledger.model import Account, AccountId, Entry, Kind, Line, Side
from creditmesh.ledger.transfers import State, Transfer

_SIGNED = "in the account's normal direction; negative with a minus"


class BookListing(Listing):
    """Whose accounts to list, in which currency."""

    lender_id: str | None = Field(default=None, max_length=100, description="staff name it; a lender is itself")
    currency: str = Field(pattern="^[A-Z]{3}$")


class AccountListing(BookListing):
    """Whose accounts to list."""

    loan_id: str | None = Field(default=None, min_length=1, max_length=100, description="of this loan only")


class StatementListing(Listing):
    """Which entries to list, by the business dates of their booking, both included."""

    since: Day | None = None
    until: Day | None = None


class TrialBalanceListing(BookListing):
    """Which trial balance to read."""

    on: Day | None = Field(default=None, description="at the end of this business date; now if it is not named")


class LedgerAccount(Out):
    """An account and its balances as they are."""

    account_id: str
    lender_id: str
    currency: str
    kind: Kind
    loan_id: str | None
    normal_side: Side = Field(description="the side that increases the balance")
    balance: str = Field(description=f"what is posted, {_SIGNED}")
    pending_in: str = Field(description="what pending transfers would add")
    pending_out: str = Field(description="what pending transfers would take")
    available: str = Field(description="balance less pending_out")
    entries: int

    @classmethod
    def of(cls, one: Account) -> LedgerAccount:
        account = one.id
        return cls(
            account_id=one.account_id, lender_id=account.lender_id, currency=account.currency, kind=account.kind,
            loan_id=account.loan_id, normal_side=account.kind.normal, balance=format_minor(one.balance_minor),
            pending_in=format_minor(one.pending_in_minor), pending_out=format_minor(one.pending_out_minor),
            available=format_minor(one.available_minor), entries=one.entries,
        )  # fmt: skip


class LedgerAccounts(Listed):
    """LedgerAccounts of a lender in a currency, those of a loan together."""

    accounts: list[LedgerAccount]


class LedgerEntry(Out):
    """An entry of an account's statement."""

    number: int = Field(description="1, 2, 3 … in the account")
    booked_on: str
    value_date: str
    posted_at: str
    transfer_id: str
    purpose: str
    side: Side
    amount: str
    balance: str = Field(description=f"after this entry, {_SIGNED}")

    @classmethod
    def of(cls, one: Entry) -> LedgerEntry:
        return cls(
            number=one.number, booked_on=one.booked_on, value_date=one.value_date, posted_at=one.posted_at,
            transfer_id=one.transfer_id, purpose=one.purpose, side=one.side, amount=format_minor(one.amount_minor),
            balance=format_minor(one.balance_minor),
        )  # fmt: skip


class AccountEntries(Listed):
    """A page of an account's statement."""

    account: LedgerAccount
    opening_balance: str = Field(description="before the first entry of this page")
    entries: list[LedgerEntry]

    @classmethod
    def of(cls, one: Statement, following: str | None) -> AccountEntries:
        return cls(
            account=LedgerAccount.of(one.account), opening_balance=format_minor(one.opening_minor),
            entries=[LedgerEntry.of(entry) for entry in one.entries], next=following,
        )  # fmt: skip


class TrialRow(Out):
    """An account's posted balance, on the side that it is on."""

    account_id: str
    kind: Kind
    loan_id: str | None
    debit: str
    credit: str

    @classmethod
    def of(cls, account: AccountId, net_minor: int) -> TrialRow:
        return cls(
            account_id=str(account), kind=account.kind, loan_id=account.loan_id,
            debit=format_minor(max(net_minor, 0)), credit=format_minor(max(-net_minor, 0)),
        )  # fmt: skip


class TrialBalanceView(Listed):
    """A page of a trial balance; every page is of the same instant."""

    as_of: str = Field(description="transfers posted up to then are in it")
    rows: list[TrialRow]
    debits: str = Field(description="of this page and those before; on the last page equal to credits")
    credits: str

    @classmethod
    def of(cls, one: TrialBalance, following: str | None) -> TrialBalanceView:
        return cls(
            as_of=one.as_of, rows=[TrialRow.of(account, net) for account, net in one.rows],
            debits=format_minor(one.debits_minor), credits=format_minor(one.credits_minor), next=following,
        )  # fmt: skip


class TransferLine(Out):
    """An amount on one side of an account."""

    account_id: str
    side: Side
    amount: str

    @classmethod
    def of(cls, one: Line) -> TransferLine:
        return cls(account_id=one.account_id, side=one.side, amount=format_minor(one.amount_minor))


class LedgerTransfer(Out):
    """A transfer as it stands; a lender sees its own lines."""

    transfer_id: str
    purpose: str
    state: State
    currency: str
    lines: list[TransferLine]
    created_at: str
    created_by: str
    value_date: str | None
    booked_on: str | None
    posted_at: str | None
    voided_at: str | None
    ended_by: str | None = Field(description="who posted or voided what was pending")
    reverses: str | None
    reversed_by: str | None

    @classmethod
    def of(cls, one: Transfer) -> LedgerTransfer:
        return cls(
            transfer_id=one.transfer_id, purpose=one.purpose, state=one.state, currency=one.lines[0].account.currency,
            lines=[TransferLine.of(line) for line in one.lines], created_at=one.created_at, created_by=one.created_by,
            value_date=one.value_date, booked_on=one.booked_on, posted_at=one.posted_at, voided_at=one.voided_at,
            ended_by=one.ended_by, reverses=one.reverses, reversed_by=one.reversed_by,
        )  # fmt: skip
