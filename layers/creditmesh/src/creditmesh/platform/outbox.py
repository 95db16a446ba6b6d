"""The outbox: a message is written with the state that it reports; `deliveries` delivers it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.tables import Put

if TYPE_CHECKING:
    from creditmesh.platform.crypto import FieldCipher

PENDING_QUEUE, PARKED_QUEUE = "pending", "parked"


@dataclass(frozen=True)
class Manner:
    """How messages of one kind are delivered."""

    taken: frozenset[int]
    """HTTP statuses that mean accepted."""
    refuses: bool
    """Whether any other status is a final refusal; if not, it is a failed attempt."""
    attempts: int
    """Maximum number of attempts."""
    first_pause: int
    """Seconds; doubled after each failed attempt."""
    longest_pause: int
    erased: bool
    """Erase the content once the message is settled."""


WEBHOOK = "webhook"
"""Standard Webhooks: `{type, timestamp, data}`, signed with the receiver's secret."""
API_KEY = "api_key"
"""`data` alone, with the receiver's key in `x-api-key`."""
MANNERS = {
    WEBHOOK: Manner(
        frozenset({200, 201, 202, 204}), refuses=True, attempts=8, first_pause=1, longest_pause=300, erased=False
    ),
    # 404 means that the source no longer knows the code, so it is void.
    API_KEY: Manner(
        frozenset({200, 202, 204, 404, 410}), refuses=False, attempts=12, first_pause=30, longest_pause=6 * 3600,
        erased=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Message:
    """A message to an institution."""

    message_id: str
    """Also the `webhook-id`, by which the receiver recognises a repeat."""
    institution_id: str
    type: str
    path: str
    about: str
    """Id of its subject, such as an application; messages about one subject keep their order."""
    data: dict[str, Any] = field(repr=False)
    """Sealed at rest, since it may hold ids and names."""
    manner: str = WEBHOOK
    """One of `MANNERS`."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Unencrypted attributes for the handler of the delivery's result."""


class Outbox:
    """Writes messages."""

    def __init__(self, table: str, cipher: FieldCipher, clock: Clock) -> None:
        self._table, self._cipher, self._clock = table, cipher, clock

    def put(self, message: Message) -> Put:
        """The write for the transaction of the state change."""
        now = self._clock.now()
        signed = message.manner == WEBHOOK
        body = {"type": message.type, "timestamp": iso(now), "data": message.data} if signed else message.data
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        item = {
            "message_id": message.message_id,
            "institution_id": message.institution_id,
            "type": message.type,
            "path": message.path,
            "about": message.about,
            "manner": message.manner,
            "notes": dict(message.notes),
            "body": self._cipher.seal(text, self._table, message.message_id, "body"),
            "state": "pending",
            "attempts": 0,
            "queue": PENDING_QUEUE,
            "due_at": iso(now),
            "created_at": iso(now),
        }
        return Put(self._table, item, "message_id")
