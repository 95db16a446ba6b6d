"""Accounts of lenders and their loans, and balanced lines between them. Amounts are minor units."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from creditmesh.kernel.errors import InvalidInput
from creditmesh.kernel.money import MAX_MINOR, MINOR_UNITS, format_minor

MAX_LINES = 40
"""Lines of a transfer: each writes an account and an entry, and a transaction of DynamoDB takes 100 items."""
_PART = re.compile(r"[A-Za-z0-9._-]{1,40}", re.ASCII)


class UnbalancedTransfer(InvalidInput):
    """Debits and credits of a lender's lines differ."""

    code = "unbalanced_transfer"


class Side(StrEnum):
    """The side of an account that an amount is entered on."""

    DEBIT = "debit"
    CREDIT = "credit"

    @property
    def other(self) -> Side:
        return Side.CREDIT if self is Side.DEBIT else Side.DEBIT


class Kind(StrEnum):
    """What an account is for; docs/reference/ledger.md has the chart."""

    CASH = "cash"
    PRINCIPAL = "principal"
    INTEREST_RECEIVABLE = "interest_receivable"
    FEE_RECEIVABLE = "fee_receivable"
    PENALTY_RECEIVABLE = "penalty_receivable"
    INTEREST_INCOME = "interest_income"
    FEE_INCOME = "fee_income"
    PENALTY_INCOME = "penalty_income"
    SUSPENSE = "suspense"
    WRITE_OFF = "write_off"
    RECOVERY = "recovery"
    SHARE_PAID_IN = "share_paid_in"
    JOINT_FUNDS = "joint_funds"

    @property
    def normal(self) -> Side:
        """The side that increases the account's balance."""
        return Side.CREDIT if self in _CREDIT else Side.DEBIT

    @property
    def limited(self) -> bool:
        """Whether what is available may not go below zero."""
        return self in _LIMITED


_CREDIT = frozenset({Kind.INTEREST_INCOME, Kind.FEE_INCOME, Kind.PENALTY_INCOME, Kind.RECOVERY, Kind.JOINT_FUNDS})
_RECEIVABLE = frozenset({Kind.PRINCIPAL, Kind.INTEREST_RECEIVABLE, Kind.FEE_RECEIVABLE, Kind.PENALTY_RECEIVABLE})
_LIMITED = _RECEIVABLE | {Kind.SHARE_PAID_IN, Kind.JOINT_FUNDS}
_OF_LENDER = frozenset({Kind.CASH, Kind.SUSPENSE})
"""Kinds that a lender has without a loan; suspense may name one where it is known."""


@dataclass(frozen=True, order=True)
class AccountId:
    """A lender's account of one kind in one currency, for one of its loans or for all."""

    lender_id: str
    currency: str
    kind: Kind
    loan_id: str | None = None

    def __post_init__(self) -> None:
        for field, part in (("lender_id", self.lender_id), ("loan_id", self.loan_id)):
            if part is not None and not _PART.fullmatch(part):
                raise InvalidInput("must be 1 to 40 letters, digits or . _ -", field=field, fault="wrong_form")
        if self.currency not in MINOR_UNITS:
            allowed = ", ".join(MINOR_UNITS)
            raise InvalidInput("must be one of {allowed}", field="currency", fault="not_allowed", allowed=allowed)
        if self.loan_id is None and self.kind not in _OF_LENDER:
            raise InvalidInput("is required for this kind of account", field="loan_id", fault="required")
        if self.loan_id is not None and self.kind is Kind.CASH:
            raise InvalidInput("must be absent for this kind of account", field="loan_id", fault="not_allowed")

    @property
    def book(self) -> str:
        """Lender and currency; what debits and credits are equal in."""
        return f"{self.lender_id}:{self.currency}"

    @property
    def place(self) -> str:
        """Where the account stands in its book."""
        return f"{self.loan_id}:{self.kind}" if self.loan_id else str(self.kind)

    def __str__(self) -> str:
        return f"{self.book}:{self.place}"

    @classmethod
    def parse(cls, text: str) -> AccountId:
        """The inverse of `str`.

        Raises:
            InvalidInput: not an account's id.
        """
        parts = text.split(":")
        if len(parts) not in (3, 4) or parts[-1] not in list(Kind):
            raise InvalidInput("must be an account's id", field="account_id", fault="wrong_form")
        return cls(parts[0], parts[1], Kind(parts[-1]), parts[2] if len(parts) == 4 else None)


class Stored(BaseModel):
    """A value that is kept."""

    model_config = ConfigDict(frozen=True)


class Line(Stored):
    """An amount on one side of an account."""

    account_id: str
    side: Side
    amount_minor: int

    @property
    def account(self) -> AccountId:
        return AccountId.parse(self.account_id)


def debit(account: AccountId, amount_minor: int) -> Line:
    return Line(account_id=str(account), side=Side.DEBIT, amount_minor=amount_minor)


def credit(account: AccountId, amount_minor: int) -> Line:
    return Line(account_id=str(account), side=Side.CREDIT, amount_minor=amount_minor)


def arranged(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines of one transfer in the order of their accounts, checked.

    Raises:
        UnbalancedTransfer: a lender's debits and credits differ.
        InvalidInput: too few or many lines, an amount out of range, an account twice, two currencies.
    """
    if not 2 <= len(lines) <= MAX_LINES:
        raise InvalidInput("must have 2 to {max} entries", field="lines", fault="wrong_number", max=MAX_LINES)
    if any(not 1 <= line.amount_minor <= MAX_MINOR for line in lines):
        raise InvalidInput("must be from 1 to {max}", field="amount_minor", fault="out_of_range", max=MAX_MINOR)
    if len({line.account_id for line in lines}) < len(lines):
        raise InvalidInput("must name each account once", field="lines", fault="repeated")
    if len({line.account.currency for line in lines}) > 1:
        raise InvalidInput("must be in one currency", field="lines", fault="currencies_differ")
    books: dict[str, int] = defaultdict(int)
    for line in lines:
        books[line.account.book] += line.amount_minor if line.side is Side.DEBIT else -line.amount_minor
    for book, difference in books.items():
        if difference:
            raise UnbalancedTransfer(
                "debits exceed credits by {difference} in {book}", field="lines", fault="unbalanced",
                difference=format_minor(difference), book=book,
            )  # fmt: skip
    return tuple(sorted(lines, key=lambda line: line.account_id))


class Account(Stored):
    """Sums of an account; the balance counts on the side that is normal for its kind."""

    account_id: str
    debits_posted: int = 0
    credits_posted: int = 0
    debits_pending: int = 0
    credits_pending: int = 0
    entries: int = 0
    version: int = 0
    """Number of changes, pending ones included; 0 before the first."""
    booked_on: str = ""
    """Business date of the last entry."""
    posted_at: str = ""

    @property
    def id(self) -> AccountId:
        return AccountId.parse(self.account_id)

    @property
    def net_minor(self) -> int:
        """Posted debits less posted credits."""
        return self.debits_posted - self.credits_posted

    @property
    def balance_minor(self) -> int:
        return self.net_minor if self.id.kind.normal is Side.DEBIT else -self.net_minor

    @property
    def pending_in_minor(self) -> int:
        return self.debits_pending if self.id.kind.normal is Side.DEBIT else self.credits_pending

    @property
    def pending_out_minor(self) -> int:
        return self.credits_pending if self.id.kind.normal is Side.DEBIT else self.debits_pending

    @property
    def available_minor(self) -> int:
        """What is posted less what pending transfers take."""
        return self.balance_minor - self.pending_out_minor


class Entry(Stored):
    """One line of a posted transfer in its account, with the balance after it; never changed."""

    account_id: str
    number: int
    """1, 2, 3 … in each account."""
    booked_on: str
    posted_at: str
    value_date: str
    transfer_id: str
    purpose: str
    side: Side
    amount_minor: int
    balance_minor: int
