"""The outbox: a message is written with the state it tells of; `deliveries` brings it to its receiver."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.crypto import FieldCipher
from creditmesh.platform.tables import Put

PENDING_QUEUE = "pending"


@dataclass(frozen=True)
class Message:
    """Something an institution must be told.

    Attributes:
        message_id: also the `webhook-id`; the receiver knows a repeat by it.
        data: becomes the body's `data`; sealed at rest, for it may hold ids and names.
    """

    message_id: str
    institution_id: str
    type: str
    path: str
    application_id: str
    data: dict[str, Any]


class Outbox:
    """Writes messages."""

    def __init__(self, table: str, cipher: FieldCipher, clock: Clock) -> None:
        self._table, self._cipher, self._clock = table, cipher, clock

    def put(self, message: Message) -> Put:
        """The write that belongs into the transaction of the state change."""
        now = self._clock.now()
        body = {"type": message.type, "timestamp": iso(now), "data": message.data}
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        item = {
            "message_id": message.message_id,
            "institution_id": message.institution_id,
            "type": message.type,
            "path": message.path,
            "application_id": message.application_id,
            "body": self._cipher.seal(text, self._table, message.message_id, "body"),
            "state": "pending",
            "attempts": 0,
            "queue": PENDING_QUEUE,
            "due_at": iso(now),
            "created_at": iso(now),
        }
        return Put(self._table, item, "message_id")
