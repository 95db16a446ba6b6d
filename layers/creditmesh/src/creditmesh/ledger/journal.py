"""What commands make of accounts and transfers: new sums, new entries; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import NotFound
from creditmesh.kernel.money import format_minor
from creditmesh.ledger.model import Account, Entry, Line, Side, arranged
from creditmesh.ledger.transfers import (
    AccountExhausted,
    Command,
    Post,
    Record,
    Reserve,
    Reverse,
    State,
    Transfer,
    TransferIdReused,
    TransferStateConflict,
    Void,
    check_id,
)


@dataclass(frozen=True)
class Moment:
    """When and by whom commands are carried out."""

    posted_at: str
    booked_on: str
    by: str

    @classmethod
    def after(cls, accounts: Iterable[Account], now: datetime, today: date, by: str) -> Moment:
        """Now, but not before the last entry of any of the accounts, whose clock may have been ahead."""
        known = list(accounts)
        return cls(
            max([iso(now), *(one.posted_at for one in known)]),
            max([today.isoformat(), *(one.booked_on for one in known)]),
            by,
        )


class Journal:
    """Carries out commands on accounts and transfers as they were read; keeps what they became.

    Args:
        accounts: by id; every account that a line of a command or of a named transfer is on, new ones included.
        transfers: by id; those that commands name, as far as they exist.
    """

    def __init__(self, accounts: Mapping[str, Account], transfers: Mapping[str, Transfer], moment: Moment) -> None:
        self.accounts, self.transfers, self._moment = dict(accounts), dict(transfers), moment
        self.entries: list[Entry] = []

    def carry_out(self, command: Command) -> None:
        """Carry out one command; nothing if it was carried out before.

        Raises:
            TransferIdReused, TransferStateConflict, AccountExhausted: see the classes.
            NotFound: there is no such transfer.
            InvalidInput: the transfer breaks a rule of its own; see `arranged`.
        """
        match command:
            case Record(transfer_id, purpose, lines, value_date):
                self._begin(transfer_id, purpose, lines, value_date=value_date.isoformat())
            case Reserve(transfer_id, purpose, lines):
                self._begin(transfer_id, purpose, lines, value_date=None)
            case Post(transfer_id, value_date):
                self._post(self._known(transfer_id), value_date.isoformat())
            case Void(transfer_id):
                self._void(self._known(transfer_id))
            case Reverse(transfer_id, of, value_date):
                self._reverse(transfer_id, self._known(of), value_date.isoformat())

    def _known(self, transfer_id: str) -> Transfer:
        found = self.transfers.get(transfer_id)
        if found is None:
            raise NotFound("no such transfer", field="transfer_id")
        return found

    def _begin(
        self, transfer_id: str, purpose: str, lines: Sequence[Line], *, value_date: str | None,
        reverses: str | None = None,
    ) -> bool:  # fmt: skip
        """Enter a new transfer, posted if it has a value date; returns False for a repeat."""
        check_id(transfer_id)
        moment, posted = self._moment, value_date is not None
        when: dict[str, Any] = {"booked_on": moment.booked_on, "posted_at": moment.posted_at} if posted else {}
        new = Transfer(
            transfer_id=transfer_id, purpose=purpose, lines=arranged(lines), two_phase=not posted,
            state=State.POSTED if posted else State.PENDING, created_at=moment.posted_at, created_by=moment.by,
            value_date=value_date, reverses=reverses, **when,
        )  # fmt: skip
        if before := self.transfers.get(transfer_id):
            if before.content != new.content:
                raise TransferIdReused("the transfer {id} has another content", id=transfer_id)
            return False
        self.transfers[transfer_id] = new
        if posted:
            self._enter(new)
        else:
            self._pend(new.lines, 1)
        for line in new.lines:
            self._require(line)
        return True

    def _post(self, transfer: Transfer, value_date: str) -> None:
        if transfer.state in (State.POSTED, State.REVERSED) and transfer.value_date == value_date:
            return
        self._in_state(transfer, State.PENDING)
        moment = self._moment
        posted = transfer.model_copy(
            update={
                "state": State.POSTED, "value_date": value_date, "booked_on": moment.booked_on,
                "posted_at": moment.posted_at, "ended_by": moment.by,
            }
        )  # fmt: skip
        self.transfers[transfer.transfer_id] = posted
        self._pend(transfer.lines, -1)
        self._enter(posted)

    def _void(self, transfer: Transfer) -> None:
        if transfer.state is State.VOIDED:
            return
        self._in_state(transfer, State.PENDING)
        ended = {"state": State.VOIDED, "voided_at": self._moment.posted_at, "ended_by": self._moment.by}
        self.transfers[transfer.transfer_id] = transfer.model_copy(update=ended)
        self._pend(transfer.lines, -1)

    def _reverse(self, transfer_id: str, original: Transfer, value_date: str) -> None:
        mirrored = [line.model_copy(update={"side": line.side.other}) for line in original.lines]
        if original.reversed_by not in (None, transfer_id):
            raise TransferStateConflict("the transfer was reversed by {id}", id=original.reversed_by or "")
        if original.reverses is not None:
            raise TransferStateConflict("the transfer is a reversal itself")
        if original.state is not State.REVERSED:
            self._in_state(original, State.POSTED)
        given = {"value_date": value_date, "reverses": original.transfer_id}
        if self._begin(transfer_id, original.purpose, mirrored, **given):
            ended = {"state": State.REVERSED, "reversed_by": transfer_id}
            self.transfers[original.transfer_id] = original.model_copy(update=ended)

    def _in_state(self, transfer: Transfer, needed: State) -> None:
        if transfer.state is not needed:
            raise TransferStateConflict(
                "the transfer is {state}, not {needed}", state=str(transfer.state), needed=str(needed)
            )

    def _pend(self, lines: Sequence[Line], sign: int) -> None:
        for line in lines:
            self._add(line, "pending", sign * line.amount_minor)

    def _enter(self, transfer: Transfer) -> None:
        moment = self._moment
        for line in transfer.lines:
            before = self.accounts[line.account_id]
            number, booked_on, posted_at = before.entries + 1, moment.booked_on, moment.posted_at
            self._add(line, "posted", line.amount_minor, entries=number, booked_on=booked_on, posted_at=posted_at)
            self.entries.append(
                Entry(
                    account_id=line.account_id, number=number, booked_on=booked_on, posted_at=posted_at,
                    value_date=transfer.value_date or "", transfer_id=transfer.transfer_id, purpose=transfer.purpose,
                    side=line.side, amount_minor=line.amount_minor,
                    balance_minor=self.accounts[line.account_id].balance_minor,
                )
            )  # fmt: skip

    def _add(self, line: Line, which: str, amount: int, **more: Any) -> None:
        account = self.accounts[line.account_id]
        name = f"{'debits' if line.side is Side.DEBIT else 'credits'}_{which}"
        changed = {name: getattr(account, name) + amount, **more}
        self.accounts[line.account_id] = account.model_copy(update=changed)

    def _require(self, line: Line) -> None:
        account = self.accounts[line.account_id]
        if account.id.kind.limited and account.available_minor < 0:
            left = account.available_minor + line.amount_minor
            raise AccountExhausted(
                "{account_id} has {left} available", account_id=line.account_id, left=format_minor(left)
            )
