"""Entering transfers: each command counts once, and all commands of a call or none."""

from __future__ import annotations

from creditmesh.kernel.clock import Clock
from creditmesh.ledger.journal import Journal, Moment
from creditmesh.ledger.ports import PAUSE_SECONDS, TRIES
from creditmesh.ledger.store import LedgerStore
from creditmesh.ledger.transfers import Command, Record, Reserve, Reverse
from creditmesh.platform.tables import Write, again


class Ledger:
    """Enters transfers."""

    def __init__(self, store: LedgerStore, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def writing(self, *commands: Command, by: str) -> list[Write]:
        """The writes that carry out commands together, for the transaction of the caller's own change.

        They rest on what was read here: if the transaction fails with ConditionFailed, ask for them again. Empty if
        all was carried out before.

        Args:
            by: who causes it, for example `lender:lender-a`.

        Raises:
            TransferIdReused, TransferStateConflict, AccountExhausted, NotFound, InvalidInput: see `Journal`.
        """
        given = [line for one in commands if isinstance(one, Record | Reserve) for line in one.lines]
        names = [name for one in commands for name in _named(one)]
        transfers, accounts = self._store.read(names, [line.account_id for line in given])
        known = [line.account_id for one in transfers.values() for line in one.lines]
        if more := [one for one in known if one not in accounts]:
            accounts |= self._store.read([], more)[1]
        moment = Moment.after(accounts.values(), self._clock.now(), self._clock.today(), by)
        journal = Journal(accounts, transfers, moment)
        for one in commands:
            journal.carry_out(one)
        return self._store.writes(accounts, transfers, journal)

    def enter(self, *commands: Command, by: str) -> None:
        """Carry out commands in a transaction of their own; idempotent. Raises as `writing`."""

        def act() -> None:
            if writes := self.writing(*commands, by=by):
                self._store.transact(writes, commands[0].transfer_id)

        again(act, TRIES, PAUSE_SECONDS)


def _named(command: Command) -> list[str]:
    return [command.transfer_id, command.of] if isinstance(command, Reverse) else [command.transfer_id]
