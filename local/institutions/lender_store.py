"""A lender's store: messages, applications, disbursements, callbacks."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from institutions.callback_store import CallbackStore, callback_schema
from institutions.database import connect, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (webhook_id TEXT PRIMARY KEY, received_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS exchanges (
    application_id TEXT NOT NULL, type TEXT NOT NULL, content_sha256 TEXT NOT NULL,
    PRIMARY KEY (application_id, type));
CREATE TABLE IF NOT EXISTS applications (
    application_id TEXT PRIMARY KEY, state TEXT NOT NULL, lender_reference TEXT NOT NULL, product_id TEXT NOT NULL,
    taxpayer_id TEXT NOT NULL, firm_name TEXT NOT NULL, amount_fen INTEGER NOT NULL, currency TEXT NOT NULL,
    annual_rate_bps INTEGER, term_months INTEGER NOT NULL, contract_id TEXT, document_sha256 TEXT);
CREATE TABLE IF NOT EXISTS disbursements (
    application_id TEXT PRIMARY KEY, disbursement_id TEXT NOT NULL UNIQUE, amount_fen INTEGER NOT NULL,
    currency TEXT NOT NULL, bank_reference TEXT NOT NULL UNIQUE, disbursed_at TEXT NOT NULL);
"""


class ContentDiffers(Exception):
    """An exchange is repeated with other content (409)."""


class LenderStore(CallbackStore):
    """One lender's SQLite file; every public method is one statement or runs inside ``change``."""

    def __init__(self, state_dir: Path, name: str) -> None:
        self._db: sqlite3.Connection = connect(state_dir, name, _SCHEMA + callback_schema(self.subject))

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction for a message, its changes and its callbacks."""
        with transaction(self._db):
            yield

    def note_message(self, webhook_id: str, received_at: float) -> bool:
        """Store a message; False if it is known."""
        cursor = self._db.execute("INSERT OR IGNORE INTO messages VALUES (?, ?)", (webhook_id, received_at))
        return cursor.rowcount == 1

    def note_exchange(self, application_id: str, message_type: str, data: Mapping[str, Any]) -> bool:
        """Store an exchange; False if it is known with the same content.

        Raises:
            ContentDiffers: it is known with other content.
        """
        content = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
        key = (application_id, message_type)
        row = self._db.execute("SELECT * FROM exchanges WHERE application_id = ? AND type = ?", key).fetchone()
        if row is None:
            self._db.execute("INSERT INTO exchanges VALUES (?, ?, ?)", (*key, content))
            return True
        if row["content_sha256"] != content:
            raise ContentDiffers(application_id)
        return False

    def application(self, application_id: str) -> dict[str, Any] | None:
        row = self._db.execute("SELECT * FROM applications WHERE application_id = ?", (application_id,)).fetchone()
        return None if row is None else dict(row)

    def applications(self) -> list[dict[str, Any]]:
        """All applications, in order of arrival."""
        return [dict(row) for row in self._db.execute("SELECT * FROM applications ORDER BY rowid")]

    def add_application(self, values: Mapping[str, Any]) -> None:
        """Store a new application."""
        columns = ", ".join(values)
        marks = ", ".join("?" for _ in values)
        self._db.execute(f"INSERT INTO applications ({columns}) VALUES ({marks})", tuple(values.values()))

    def set_application(self, application_id: str, values: Mapping[str, Any]) -> None:
        changes = ", ".join(f"{column} = ?" for column in values)
        self._db.execute(
            f"UPDATE applications SET {changes} WHERE application_id = ?", (*values.values(), application_id)
        )

    def lent_fen(self, taxpayer_id: str) -> int:
        """Total lent to a firm so far."""
        return int(
            self._db.execute(
                "SELECT COALESCE(SUM(d.amount_fen), 0) FROM disbursements d JOIN applications USING (application_id)"
                " WHERE taxpayer_id = ?",
                (taxpayer_id,),
            ).fetchone()[0]
        )

    def disburse(self, values: Mapping[str, Any]) -> None:
        """Pay out; the primary key forbids a second time for the same application (sqlite3.IntegrityError)."""
        self._db.execute(
            "INSERT INTO disbursements VALUES (:application_id, :disbursement_id, :amount_fen, :currency,"
            " :bank_reference, :disbursed_at)",
            dict(values),
        )

    def ledger(self) -> list[dict[str, Any]]:
        """All disbursements, in order."""
        return [dict(row) for row in self._db.execute("SELECT * FROM disbursements ORDER BY rowid")]
