"""The callbacks that an institution owes the platform, stored in its file, so that none is lost with the process."""

from __future__ import annotations

import sqlite3
from typing import Any, ClassVar


def callback_schema(subject: str) -> str:
    """The table of callbacks; ``subject`` names the column with the subject's id."""
    return f"""
CREATE TABLE IF NOT EXISTS callbacks (
    webhook_id TEXT PRIMARY KEY, {subject} TEXT NOT NULL, answers TEXT NOT NULL, type TEXT NOT NULL,
    body BLOB NOT NULL, due_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'pending', last_status INTEGER);
CREATE INDEX IF NOT EXISTS callbacks_due ON callbacks (state, due_at);
"""


class CallbackStore:
    """The part of an institution's store that the ``Deliverer`` uses."""

    subject: ClassVar[str] = "application_id"
    """Column with the subject's id, such as ``application_id``."""
    _db: sqlite3.Connection

    def plan_callback(
        self, *, webhook_id: str, subject_id: str, answers: str, type: str, body: bytes, due_at: float
    ) -> None:
        """Store a message to the platform, replacing an older answer to the same question.

        ``answers`` is the type of the message that it answers.
        """
        self._db.execute(
            f"UPDATE callbacks SET state = 'superseded' WHERE {self.subject} = ? AND answers = ? AND state = 'pending'",
            (subject_id, answers),
        )
        self._db.execute(
            f"INSERT OR REPLACE INTO callbacks (webhook_id, {self.subject}, answers, type, body, due_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (webhook_id, subject_id, answers, type, body, due_at),
        )

    def resend(self, subject_id: str, answers: str, due_at: float) -> None:
        """Send the latest answer again under its old id, since the question was repeated."""
        self._db.execute(
            "UPDATE callbacks SET state = 'pending', attempts = 0, due_at = ? WHERE state <> 'pending' AND rowid ="
            f" (SELECT MAX(rowid) FROM callbacks WHERE {self.subject} = ? AND answers = ?)",
            (due_at, subject_id, answers),
        )

    def due_callbacks(self, now: float, limit: int) -> list[dict[str, Any]]:
        """Callbacks that are due, longest overdue first."""
        rows = self._db.execute(
            "SELECT * FROM callbacks WHERE state = 'pending' AND due_at <= ? ORDER BY due_at LIMIT ?", (now, limit)
        )
        return [dict(row) for row in rows]

    def next_due(self) -> float | None:
        """Next due time in seconds since the epoch."""
        row = self._db.execute("SELECT MIN(due_at) FROM callbacks WHERE state = 'pending'").fetchone()
        return None if row[0] is None else float(row[0])

    def set_callback(self, webhook_id: str, *, state: str, attempts: int, due_at: float, status: int | None) -> None:
        """Record the result of an attempt, unless another answer has replaced it meanwhile."""
        self._db.execute(
            "UPDATE callbacks SET state = ?, attempts = ?, due_at = ?, last_status = ?"
            " WHERE webhook_id = ? AND state = 'pending'",
            (state, attempts, due_at, status, webhook_id),
        )

    def callbacks(self) -> list[dict[str, Any]]:
        """All callbacks without their bodies, in order of creation."""
        columns = f"webhook_id, {self.subject}, type, state, attempts, due_at, last_status"
        return [dict(row) for row in self._db.execute(f"SELECT {columns} FROM callbacks ORDER BY rowid")]
