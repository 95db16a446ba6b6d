"""Delivery of outbox messages: in order within each lane of an institution, retried, then parked."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, Protocol

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import NotFound
from creditmesh.kernel.reasons import Reason
from creditmesh.platform.crypto import FieldCipher, SealBroken
from creditmesh.platform.http import FAULTS, Answer, HttpClient, InstitutionUnavailable
from creditmesh.platform.institutions import Directory, Institution
from creditmesh.platform.outbox import API_KEY, MANNERS, PARKED_QUEUE, PENDING_QUEUE
from creditmesh.platform.signing import signed_headers
from creditmesh.platform.tables import ConditionFailed, Item, Tables, Update, Write

LANES = 4
"""Concurrent deliveries per institution; messages about the same subject share a lane and keep their order."""
LONGEST_DELAY_SECONDS = 900
"""Maximum delay of SQS; the sweep finds messages that wait longer."""
GRACE_SECONDS = 600
"""A message not attempted for this long after it was due has lost its ticket; longer than SQS's deduplication."""
MOST_OVERDUE = 500
SENT_DAYS = 400
"""Sent messages are kept longer than a process may last."""

Result = Literal["sent", "later", "parked", "settled"]


class DeliveryFault(Reason):
    """Why a message was not delivered."""

    SENTENCES = {**FAULTS, "refused": "refused with status {status}", "seal_broken": "a sealed field does not open"}


DeliveryFaultCode = Annotated[str, DeliveryFault.enum()]


@dataclass(frozen=True)
class Ticket:
    """A message's ticket in the queue, without its content."""

    message_id: str
    lane: str
    """Tickets of one lane are handled in order."""
    attempt: int
    """Failed attempts when the ticket was made; tickets of earlier attempts have no effect."""

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Ticket:
        """The ticket for the next attempt of a stored message."""
        lane = zlib.crc32(item["about"].encode()) % LANES
        return cls(item["message_id"], f"{item['institution_id']}#{lane}", item["attempts"])


class RetryQueue(Protocol):
    """Queue of messages to retry."""

    def later(self, ticket: Ticket, seconds: int) -> None:
        """Enqueue the ticket again after `seconds`."""


def overdue(tables: Tables, table: str, clock: Clock) -> Iterator[Ticket]:
    """Tickets for messages that are long overdue because their ticket was lost, oldest first."""
    until = iso(clock.now() - timedelta(seconds=GRACE_SECONDS))
    found = tables.listed(
        table, ("message_id",), "queue", PENDING_QUEUE, index="by-due", until=("due_at", until), limit=MOST_OVERDUE,
        fields=("message_id", "queue", "institution_id", "about", "attempts"),
    )  # fmt: skip
    return map(Ticket.of, found)


class Deliveries:
    """Delivers messages to their receivers.

    Args:
        beside: further writes in the transaction that settles a message, from its item and its new state.
        on_parked: called with the item of each parked message, so that its process can hand over to a person.
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
        beside: Callable[[Item, str], Sequence[Write]],
        on_parked: Callable[[Item], None],
    ) -> None:
        self._tables, self._table, self._cipher, self._directory = tables, table, cipher, directory
        self._http, self._clock, self._queue = http, clock, queue
        self._beside, self._on_parked = beside, on_parked

    def deliver(self, message_id: str, attempt: int) -> Result:
        """Attempt delivery once. Idempotent for an attempt that was counted."""
        item = self._tables.get(self._table, {"message_id": message_id})
        if item is None or item["state"] != "pending" or item["attempts"] != attempt:
            return "settled"
        manner = MANNERS[item["manner"]]
        try:
            answer = self._send(item)
        except InstitutionUnavailable as failure:
            return self._again(item, DeliveryFault(code=failure.fault, parameters=failure.parameters))
        except SealBroken:
            return self._again(item, DeliveryFault.of(SealBroken.code))
        if answer.status in manner.taken:
            now = self._clock.now()
            gone = int((now + timedelta(days=SENT_DAYS)).timestamp())
            return self._settle(item, "sent", {"sent_at": iso(now), "status": answer.status, "expires_at": gone})
        fault = DeliveryFault.of("refused", status=answer.status)
        return self._park(item, fault) if manner.refuses else self._again(item, fault)

    def _send(self, item: Item) -> Answer:
        institution = self._receiver(item["institution_id"])
        body = self._cipher.open(item["body"], self._table, item["message_id"], "body").encode()
        headers = self._headers(item, institution, body)
        return self._http.call("POST", institution.address.base_url + item["path"], headers=headers, body=body)

    def _receiver(self, institution_id: str) -> Institution:
        """The receiver; one that is not configured yet counts as unavailable."""
        try:
            return self._directory.get(institution_id)
        except NotFound:
            raise InstitutionUnavailable("not_in_directory") from None

    def _headers(self, item: Item, institution: Institution, body: bytes) -> dict[str, str]:
        """The headers by which the receiver authenticates us."""
        keys = institution.keys
        if item["manner"] == API_KEY:
            return {"content-type": "application/json", "x-api-key": keys.api_key}
        if not keys.webhook_secrets:
            raise InstitutionUnavailable("no_webhook_secret")
        return signed_headers(keys.webhook_secrets[0], item["message_id"], int(self._clock.now().timestamp()), body)

    def _again(self, item: Item, fault: DeliveryFault) -> Result:
        attempts, manner = item["attempts"] + 1, MANNERS[item["manner"]]
        if attempts >= item.get("most_attempts", manner.attempts):
            return self._park(item, fault)
        delay = min(manner.first_pause * 2**attempts, manner.longest_pause)
        due = iso(self._clock.now() + timedelta(seconds=delay))
        change = {"attempts": attempts, "due_at": due, "last_fault": fault.model_dump()}
        try:
            self._tables.write(self._update(item, change, where={"attempts": item["attempts"]}))
        except ConditionFailed:
            return "settled"  # settled by a concurrent delivery
        if delay <= LONGEST_DELAY_SECONDS:
            self._queue.later(Ticket.of({**item, "attempts": attempts}), delay)
        return "later"

    def _park(self, item: Item, fault: DeliveryFault) -> Result:
        result = self._settle(item, "parked", {"last_fault": fault.model_dump()})
        if result == "parked":
            self._on_parked(item)
        return result

    def _settle(self, item: Item, state: Literal["sent", "parked"], change: dict[str, Any]) -> Result:
        gone = ("body", "notes") if MANNERS[item["manner"]].erased else ()
        if state == "sent":
            gone = ("queue", *gone)
        else:
            change = {**change, "queue": PARKED_QUEUE}
        settled = self._update(item, {"state": state, **change}, remove=gone)
        beside = self._beside(item, state)
        try:
            if beside:
                self._tables.transact([settled, *beside], f"{item['message_id']}.{state}")
            else:
                self._tables.write(settled)
        except ConditionFailed:
            return "settled"
        return state

    def _update(
        self, item: Item, change: dict[str, Any], where: dict[str, Any] | None = None, remove: Sequence[str] = ()
    ) -> Update:
        key = {"message_id": item["message_id"]}
        return Update(self._table, key, set=change, remove=remove, where={"state": "pending", **(where or {})})
