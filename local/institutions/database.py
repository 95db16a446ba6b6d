"""SQLite for institutions: one file each, write-ahead log, every change one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path


def connect(state_dir: Path, name: str, schema: str) -> sqlite3.Connection:
    """Open an institution's file, creating it if missing.

    Committed transactions survive the process's death. The server uses the connection from its event-loop thread only.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(state_dir / f"{name}.sqlite3", isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA busy_timeout=5000")
    connection.executescript(schema)
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing; takes the write lock first, so that reads stay valid."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def instant(seconds: float) -> str:
    """``2026-11-21T08:00:00Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
