"""Charges of a source: one per request id, however often it is repeated."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any, NamedTuple

from institutions.database import instant
from institutions.history import CURRENCY
from institutions.tax_figures import money

CHARGES_SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
    charge_id TEXT PRIMARY KEY, request_id TEXT UNIQUE, content_sha256 TEXT NOT NULL, taxpayer_id TEXT NOT NULL,
    fee_fen INTEGER NOT NULL, charged_at REAL NOT NULL, answer TEXT NOT NULL);
"""


class ContentDiffers(Exception):
    """A request id was reused with other content (409)."""


def digest(content: bytes) -> str:
    """Digest that identifies a repeat."""
    return hashlib.sha256(content).hexdigest()


class Charge(NamedTuple):
    """One row of the ledger; ``answer`` is returned to repeats."""

    charge_id: str
    request_id: str | None
    content_sha256: str
    taxpayer_id: str
    fee_fen: int
    charged_at: float
    answer: str


class Charges:
    """The ledger in an institution's file; charge and answer are one row."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def known(self, request_id: str | None, body: bytes) -> str | None:
        """The answer that was already paid for; None for a new request.

        Raises:
            ContentDiffers: the id belongs to another request.
        """
        row = self._db.execute("SELECT * FROM charges WHERE request_id = ?", (request_id,)).fetchone()
        if row is None:
            return None
        if row["content_sha256"] != digest(body):
            raise ContentDiffers
        return str(row["answer"])

    def add(self, charge: Charge) -> None:
        """Charge a request; without a request id it cannot be repeated."""
        self._db.execute("INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?, ?)", charge)

    def ledger(self) -> dict[str, Any]:
        """All charges in order, and their sum."""
        rows = self._db.execute("SELECT * FROM charges ORDER BY rowid").fetchall()
        charges = [
            {
                "charge_id": row["charge_id"],
                "request_id": row["request_id"],
                "taxpayer_id": row["taxpayer_id"],
                "fee": money(row["fee_fen"]),
                "at": instant(row["charged_at"]),
            }
            for row in rows
        ]
        total = money(sum(row["fee_fen"] for row in rows))
        return {"charges": charges, "count": len(charges), "total": total, "currency": CURRENCY}
