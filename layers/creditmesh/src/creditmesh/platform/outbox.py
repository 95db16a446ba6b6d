"""The outbox: what leaves is written with the state it tells of, then delivered or parked (DESIGN 5, 7)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.crypto import FieldCipher
from creditmesh.platform.http import Answer, HttpClient, InstitutionUnavailable
from creditmesh.platform.institutions import Directory, Institution
from creditmesh.platform.signing import signed_headers
from creditmesh.platform.tables import ConditionFailed, Item, Put, Tables, Update

MAX_ATTEMPTS = 8
PENDING_QUEUE = "pending"
GRACE_SECONDS = 60
"""A message not delivered this long after it was due is picked up by the sweeper."""

Result = Literal["sent", "later", "parked", "settled"]


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


class RetryQueue(Protocol):
    """Where messages wait for another try, and where those end that nobody took."""

    def later(self, message_id: str, seconds: int) -> None:
        """Deliver again after `seconds`."""

    def park(self, message_id: str) -> None:
        """Keep for an operator to replay."""


class Outbox:
    """Writes messages and delivers them.

    Args:
        on_parked: told of each parked message (its item), so that its process can go on to a person.
    """

    def __init__(
        self,
        tables: Tables,
        table: str,
        cipher: FieldCipher,
        directory: Directory,
        http: HttpClient,
        clock: Clock,
        queue: RetryQueue,
        on_parked: Callable[[Item], None],
    ) -> None:
        self._tables, self._table, self._cipher, self._directory = tables, table, cipher, directory
        self._http, self._clock, self._queue, self._on_parked = http, clock, queue, on_parked

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

    def deliver(self, item: Item) -> Result:
        """Try once to deliver a message; a repeat of a delivered one changes nothing."""
        if item["state"] != "pending":
            return "settled"
        try:
            answer = self._send(item)
        except InstitutionUnavailable as error:
            return self._again(item, error.message)
        if answer.status in (200, 201, 202, 204):
            return self._settle(item, "sent", {"sent_at": iso(self._clock.now()), "status": answer.status})
        return self._park(item, f"refused with status {answer.status}")

    def deliver_by_id(self, message_id: str) -> Result:
        """`deliver` for a message known by its id only."""
        item = self._tables.get(self._table, {"message_id": message_id})
        return self.deliver(item) if item else "settled"

    def overdue(self) -> Iterable[Item]:
        """Messages that should long have been tried: their trigger was lost."""
        until = iso(self._clock.now() - timedelta(seconds=GRACE_SECONDS))
        return self._tables.listed(
            self._table, ("message_id",), "queue", PENDING_QUEUE, index="by-due", until=("due_at", until)
        )

    def _send(self, item: Item) -> Answer:
        institution, secret = self._receiver(item["institution_id"])
        message_id = item["message_id"]
        body = self._cipher.open(item["body"], self._table, message_id, "body").encode()
        now = int(self._clock.now().timestamp())
        headers = signed_headers(secret, message_id, now, body)
        return self._http.call("POST", institution.address.base_url + item["path"], headers=headers, body=body)

    def _receiver(self, institution_id: str) -> tuple[Institution, str]:
        """Who gets the message, and the secret to sign it with; what is not configured yet counts as an outage."""
        try:
            institution = self._directory.get(institution_id)
        except NotFound:
            raise InstitutionUnavailable("is not in the directory") from None
        if not institution.keys.webhook_secrets:
            raise InstitutionUnavailable("has no webhook secret")
        return institution, institution.keys.webhook_secrets[0]

    def _again(self, item: Item, reason: str) -> Result:
        attempts = item["attempts"] + 1
        if attempts >= MAX_ATTEMPTS:
            return self._park(item, reason)
        delay = min(2**attempts, 300)
        due = iso(self._clock.now() + timedelta(seconds=delay))
        change = {"attempts": attempts, "due_at": due, "last_error": reason}
        try:
            self._tables.write(self._update(item, change, where={"attempts": item["attempts"]}))
        except ConditionFailed:
            return "settled"  # another delivery of the same message was quicker
        self._queue.later(item["message_id"], delay)
        return "later"

    def _park(self, item: Item, reason: str) -> Result:
        result = self._settle(item, "parked", {"last_error": reason})
        if result == "parked":
            self._queue.park(item["message_id"])
            self._on_parked(item)
        return result

    def _settle(self, item: Item, state: Literal["sent", "parked"], change: dict[str, Any]) -> Result:
        try:
            self._tables.write(self._update(item, {"state": state, **change}, remove=("queue",)))
        except ConditionFailed:
            return "settled"
        return state

    def _update(
        self, item: Item, change: dict[str, Any], where: dict[str, Any] | None = None, remove: tuple[str, ...] = ()
    ) -> Update:
        key = {"message_id": item["message_id"]}
        return Update(self._table, key, set=change, remove=remove, where={"state": "pending", **(where or {})})
