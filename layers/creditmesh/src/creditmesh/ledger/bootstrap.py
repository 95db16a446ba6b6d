"""Wires the context of the ledger."""

from __future__ import annotations

from creditmesh.ledger.books import Books
from creditmesh.ledger.service import Ledger
from creditmesh.ledger.store import LedgerStore, Names
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.settings import settings


@singleton
def ledger_store() -> LedgerStore:
    own = settings()
    names = Names(own.ledger_accounts_table, own.ledger_transfers_table, own.ledger_entries_table)
    return LedgerStore(platform().tables, names)


@singleton
def ledger() -> Ledger:
    return Ledger(ledger_store(), platform().clock)


@singleton
def books() -> Books:
    return Books(ledger_store(), platform().clock)
