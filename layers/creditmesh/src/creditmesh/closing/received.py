"""Received webhooks: one record each with its outcome; of a lender's that was not accepted, the message is kept."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import DomainError
from creditmesh.platform.objects import Objects
from creditmesh.platform.tables import Put, Tables, Update

KEPT_DAYS = 400
UNKNOWN = "-"
"""Stands for senders that are not in the directory."""
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,100}", re.ASCII)


class Outcome(StrEnum):
    """What became of a message."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """It had come before and changed nothing."""
    REJECTED = "rejected"
    """Authentic, but contradictory or against a rule; `problem` says which."""
    FAILED = "failed"
    """Authentic, but it could not be handled then; the sender repeats it."""
    NOT_AUTHENTIC = "not_authentic"
    """Not signed by an institution of the directory; counted by minute, and not kept."""


@dataclass(frozen=True)
class Incoming:
    """An authentic message."""

    institution_id: str
    webhook_id: str
    body: bytes = field(repr=False)
    kept: bool
    """Whether it is kept if it is not accepted. What a source sends is not: it would outlive the firm's consent."""
    document: Any = field(default=None, repr=False)
    """The parsed body, if it could be parsed."""


class Receipts:
    """Records what became of received messages; they are listed in `webhooks`."""

    def __init__(self, tables: Tables, table: str, bodies: Objects, clock: Clock) -> None:
        self._tables, self._table, self._bodies, self._clock = tables, table, bodies, clock

    def taken(self, message: Incoming, *, duplicate: bool) -> None:
        """Record a message that was accepted."""
        self._put(message, Outcome.DUPLICATE if duplicate else Outcome.ACCEPTED)

    def not_taken(self, message: Incoming, error: Exception) -> None:
        """Record a message that was not accepted, and keep it for a replay."""
        known = isinstance(error, DomainError)
        told = {"problem": error.code, "field": error.field} if isinstance(error, DomainError) else {}
        place = self._place(message.webhook_id)
        if message.kept:
            key = f"webhooks/{message.institution_id}/{place}.json"
            self._bodies.put(key, message.body, "application/json")
            told["body_key"] = key
        self._put(message, Outcome.REJECTED if known else Outcome.FAILED, place, **told)

    def not_authentic(self, institution_id: str | None) -> None:
        """Count a message that an institution, or nobody known, did not sign."""
        now = self._clock.now()
        minute = iso(now.replace(second=0, microsecond=0))
        key = {"institution_id": institution_id or UNKNOWN, "received": f"{minute}.{Outcome.NOT_AUTHENTIC}"}
        values = {"received_at": minute, "state": Outcome.NOT_AUTHENTIC.value, "expires_at": self._gone()}
        self._tables.write(Update(self._table, key, values, add={"count": 1}, creates=True))

    def _put(self, message: Incoming, state: Outcome, place: str | None = None, **told: Any) -> None:
        document = message.document if isinstance(message.document, dict) else {}
        data = document.get("data")
        item = {
            "institution_id": message.institution_id,
            "received": place or self._place(message.webhook_id),
            "received_at": iso(self._clock.now()),
            "state": state.value,
            "webhook_id": _name(message.webhook_id) or _digest(message.webhook_id),
            "type": _name(document.get("type")),
            "about": _name(data.get("application_id")) if isinstance(data, dict) else None,
            "size": len(message.body),
            "expires_at": self._gone(),
            **told,
        }
        self._tables.write(Put(self._table, item, "received", replace=True))

    def _place(self, webhook_id: str) -> str:
        return f"{iso(self._clock.now())}.{_digest(webhook_id)}"

    def _gone(self) -> int:
        return int((self._clock.now() + timedelta(days=KEPT_DAYS)).timestamp())


def _digest(webhook_id: str) -> str:
    return hashlib.sha256(webhook_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _name(given: Any) -> str | None:
    """A name that a sender gave, if it is one."""
    return given if isinstance(given, str) and _NAME.fullmatch(given) else None
