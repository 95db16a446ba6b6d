"""Transfers between accounts and the commands that change them; pure.

    Record            → posted
    Reserve → pending → Post → posted
                      → Void → voided
    posted → Reverse  → reversed, and a new transfer with the sides exchanged

A command that was carried out before changes nothing; with another content it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from creditmesh.kernel.errors import Conflict, InvalidInput
from creditmesh.ledger.model import Line, Stored

_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}", re.ASCII)


class TransferIdReused(Conflict):
    """The transfer's id was used for another content."""

    code = "transfer_id_reused"


class TransferStateConflict(Conflict):
    """The transfer is not in a state that allows this; the message says in which it is."""

    code = "transfer_state"


class AccountExhausted(Conflict):
    """An account that may not go below zero has less available; the message says how much."""

    code = "account_exhausted"


class State(StrEnum):
    """State of a transfer."""

    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"
    REVERSED = "reversed"


class Transfer(Stored):
    """A transfer as it stands."""

    transfer_id: str
    purpose: str
    lines: tuple[Line, ...]
    two_phase: bool
    """Whether it was reserved first."""
    state: State
    created_at: str
    created_by: str
    value_date: str | None = None
    """Business date from which the posted amounts count; None until posted."""
    booked_on: str | None = None
    posted_at: str | None = None
    voided_at: str | None = None
    ended_by: str | None = None
    """Who posted or voided what was pending."""
    reverses: str | None = None
    reversed_by: str | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """What a repeat must have in common; the value date of a reserved one comes with its posting."""
        value_date = None if self.two_phase else self.value_date
        return self.purpose, self.lines, self.two_phase, value_date, self.reverses


@dataclass(frozen=True)
class Record:
    """Post a transfer at once."""

    transfer_id: str
    purpose: str
    lines: Sequence[Line]
    value_date: date


@dataclass(frozen=True)
class Reserve:
    """Enter a transfer as pending; its amounts are no longer available."""

    transfer_id: str
    purpose: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Post:
    """Post a pending transfer."""

    transfer_id: str
    value_date: date


@dataclass(frozen=True)
class Void:
    """Give up a pending transfer."""

    transfer_id: str


@dataclass(frozen=True)
class Reverse:
    """Undo a posted transfer by a new one with its sides exchanged."""

    transfer_id: str
    of: str
    value_date: date


Command = Record | Reserve | Post | Void | Reverse


def check_id(transfer_id: str) -> None:
    """Raise InvalidInput for what cannot be a transfer's id."""
    if not _ID.fullmatch(transfer_id):
        raise InvalidInput("must be 1 to 100 letters, digits or . _ : -", field="transfer_id", fault="wrong_form")
