"""Delivery of outbox messages: one at a time in each lane of an institution, tried again, then parked."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.crypto import FieldCipher, SealBroken
from creditmesh.platform.http import Answer, HttpClient, InstitutionUnavailable
from creditmesh.platform.institutions import Directory, Institution
from creditmesh.platform.outbox import PENDING_QUEUE
from creditmesh.platform.signing import signed_headers
from creditmesh.platform.tables import ConditionFailed, Item, Tables, Update

MAX_ATTEMPTS = 8
LANES = 4
"""Deliveries to one institution at the same time; an application's messages share a lane and so keep their order."""
GRACE_SECONDS = 600
"""A message not tried this long after it was due has lost its place in the queue; longer than SQS knows repeats."""
MOST_OVERDUE = 500
SENT_DAYS = 400
"""A sent message is kept for longer than a process may last; then it goes."""

Result = Literal["sent", "later", "parked", "settled"]


@dataclass(frozen=True)
class Ticket:
    """A message's place in the queue; without what it says.

    Attributes:
        lane: tickets of one lane are handled one after another.
        attempt: how often delivery had failed when the ticket was made; a ticket of an earlier attempt does nothing.
    """

    message_id: str
    lane: str
    attempt: int

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Ticket:
        """The ticket for the next try of a stored message."""
        lane = zlib.crc32(item["application_id"].encode()) % LANES
        return cls(item["message_id"], f"{item['institution_id']}#{lane}", item["attempts"])


class RetryQueue(Protocol):
    """Where messages wait for another try, and where those end that nobody took."""

    def later(self, ticket: Ticket, seconds: int) -> None:
        """Hand the ticket in again after `seconds`."""

    def park(self, message_id: str) -> None:
        """Keep for an operator to replay."""


def overdue(tables: Tables, table: str, clock: Clock) -> Iterator[Ticket]:
    """Tickets for messages that should long have been tried, the oldest first: theirs was lost."""
    until = iso(clock.now() - timedelta(seconds=GRACE_SECONDS))
    found = tables.listed(
        table, ("message_id",), "queue", PENDING_QUEUE, index="by-due", until=("due_at", until), limit=MOST_OVERDUE,
        fields=("message_id", "queue", "institution_id", "application_id", "attempts"),
    )  # fmt: skip
    return map(Ticket.of, found)


class Deliveries:
    """Brings messages to their receivers.

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

    def deliver(self, message_id: str, attempt: int) -> Result:
        """Try once to deliver a message; a repeat of an attempt that was counted changes nothing."""
        item = self._tables.get(self._table, {"message_id": message_id})
        if item is None or item["state"] != "pending" or item["attempts"] != attempt:
            return "settled"
        try:
            answer = self._send(item)
        except (InstitutionUnavailable, SealBroken) as error:
            return self._again(item, error.message)
        if answer.status in (200, 201, 202, 204):
            now = self._clock.now()
            gone = int((now + timedelta(days=SENT_DAYS)).timestamp())
            return self._settle(item, "sent", {"sent_at": iso(now), "status": answer.status, "expires_at": gone})
        return self._park(item, f"refused with status {answer.status}")

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
        self._queue.later(Ticket.of({**item, "attempts": attempts}), delay)
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
        self, item: Item, change: dict[str, Any], where: dict[str, Any] | None = None, remove: Sequence[str] = ()
    ) -> Update:
        key = {"message_id": item["message_id"]}
        return Update(self._table, key, set=change, remove=remove, where={"state": "pending", **(where or {})})
