"""The credit bureau's store: enquiries with their reports, charges, and callbacks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from institutions.access import TOLERANCE_SECONDS
from institutions.callback_store import CallbackStore, callback_schema
from institutions.charges import CHARGES_SCHEMA, Charges
from institutions.database import connect, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS enquiries (enquiry_id TEXT PRIMARY KEY, report TEXT NOT NULL, ready_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS nonces (nonce TEXT PRIMARY KEY, seen_at REAL NOT NULL);
"""


class CreditStore(CallbackStore):
    """The bureau's SQLite file."""

    subject: ClassVar[str] = "enquiry_id"

    def __init__(self, state_dir: Path, name: str) -> None:
        schema = _SCHEMA + CHARGES_SCHEMA + callback_schema(self.subject)
        self._db: sqlite3.Connection = connect(state_dir, name, schema)
        self.charges = Charges(self._db)

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction for an enquiry, its charge and its callback."""
        with transaction(self._db):
            yield

    def note_nonce(self, nonce: str, now: float) -> bool:
        """Store a nonce for as long as its time could be fresh; False if it was used."""
        self._db.execute("DELETE FROM nonces WHERE seen_at < ?", (now - 2 * TOLERANCE_SECONDS,))
        return self._db.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (nonce, now)).rowcount == 1

    def add_enquiry(self, enquiry_id: str, report: Mapping[str, Any], ready_at: float) -> None:
        """Store an enquiry with its future report."""
        text = json.dumps(report, ensure_ascii=False)
        self._db.execute("INSERT INTO enquiries VALUES (?, ?, ?)", (enquiry_id, text, ready_at))

    def enquiry(self, enquiry_id: str) -> tuple[dict[str, Any], float] | None:
        """An enquiry's report and the time when it is ready, or None."""
        row = self._db.execute("SELECT * FROM enquiries WHERE enquiry_id = ?", (enquiry_id,)).fetchone()
        return None if row is None else (json.loads(row["report"]), float(row["ready_at"]))
