"""Authorisation codes and login sessions of the tax bureau."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from institutions.database import connect, transaction

SESSION_SECONDS = 900
DAY_SECONDS = 86_400
LONGEST_VALIDITY_DAYS = 3_650
_SCHEMA = """
CREATE TABLE IF NOT EXISTS codes (
    code_sha256 TEXT PRIMARY KEY, taxpayer_id TEXT NOT NULL, expires_at REAL NOT NULL, revoked_at REAL);
CREATE TABLE IF NOT EXISTS sessions (
    session_sha256 TEXT PRIMARY KEY, taxpayer_id TEXT NOT NULL, client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL, state TEXT NOT NULL, expires_at REAL NOT NULL);
"""


class CodeRefused(Exception):
    """A code gives no access; ``reason`` is the error of the interface."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Session:
    """A taxpayer who has logged in and not decided yet."""

    taxpayer_id: str
    client_id: str
    redirect_uri: str
    state: str


class Codes:
    """The bureau's register of codes; only hashes are stored."""

    def __init__(self, state_dir: Path, name: str, clock: Callable[[], float] = time.time) -> None:
        self._db: sqlite3.Connection = connect(state_dir, name, _SCHEMA)
        self._clock = clock

    def add_expired(self, code: str, taxpayer_id: str) -> None:
        """Register a code that expired a day ago; idempotent."""
        self._db.execute(
            "INSERT OR IGNORE INTO codes VALUES (?, ?, ?, NULL)",
            (_hashed(code), taxpayer_id, self._clock() - DAY_SECONDS),
        )

    def open_session(self, session: Session) -> str:
        """Start a login session; returns its secret."""
        secret = secrets.token_urlsafe(24)
        row = (_hashed(secret), session.taxpayer_id, session.client_id, session.redirect_uri, session.state)
        with transaction(self._db):
            self._db.execute("DELETE FROM sessions WHERE expires_at <= ?", (self._clock(),))
            self._db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", (*row, self._clock() + SESSION_SECONDS))
        return secret

    def close_session(self, secret: str) -> Session | None:
        """End a session, once; None if there is none."""
        with transaction(self._db):
            row = self._db.execute(
                "DELETE FROM sessions WHERE session_sha256 = ? RETURNING *", (_hashed(secret),)
            ).fetchone()
        if row is None or row["expires_at"] <= self._clock():
            return None
        return Session(row["taxpayer_id"], row["client_id"], row["redirect_uri"], row["state"])

    def issue(self, taxpayer_id: str, validity_days: int) -> tuple[str, float]:
        """A new code and its expiry in seconds since the epoch."""
        code = secrets.token_urlsafe(24)
        expires_at = self._clock() + validity_days * DAY_SECONDS
        self._db.execute("INSERT INTO codes VALUES (?, ?, ?, NULL)", (_hashed(code), taxpayer_id, expires_at))
        return code, expires_at

    def revoke(self, taxpayer_id: str, code: str) -> None:
        """Revoke a code; an unknown code is no error, so that nothing is revealed."""
        self._db.execute(
            "UPDATE codes SET revoked_at = ? WHERE code_sha256 = ? AND taxpayer_id = ? AND revoked_at IS NULL",
            (self._clock(), _hashed(code), taxpayer_id),
        )

    def check(self, taxpayer_id: str, code: str) -> None:
        """Check that a code is valid for a taxpayer's data now.

        Raises:
            CodeRefused: unknown, another taxpayer's, revoked or expired.
        """
        row = self._db.execute("SELECT * FROM codes WHERE code_sha256 = ?", (_hashed(code),)).fetchone()
        if row is None:
            raise CodeRefused("code_unknown")
        if row["taxpayer_id"] != taxpayer_id:
            raise CodeRefused("taxpayer_mismatch")
        if row["revoked_at"] is not None:
            raise CodeRefused("code_revoked")
        if row["expires_at"] <= self._clock():
            raise CodeRefused("code_expired")


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
