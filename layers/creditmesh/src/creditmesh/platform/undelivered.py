"""The outbox for people: which messages have not been delivered and why, and their replay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Parameter
from creditmesh.platform.deliveries import DeliveryFault, DeliveryFaultCode, Ticket
from creditmesh.platform.outbox import MANNERS, PARKED_QUEUE, PENDING_QUEUE
from creditmesh.platform.paging import FIRST, Page, Partition, Window, matching, read
from creditmesh.platform.replays import NotReplayable, Replayable, Replays
from creditmesh.platform.tables import Item, Ref, Tables

if TYPE_CHECKING:
    from creditmesh.platform.queue import DeliveryQueue


class OutboxMessage(Replayable):
    """A message to an institution, without its content."""

    message_id: str
    institution_id: str
    type: str
    about: str = Field(description="id of its subject, such as an application")
    state: str = Field(description="pending, sent or parked")
    attempts: int = Field(description="failed attempts and replays")
    created_at: str
    due_at: str = Field(description="of the next attempt; of a parked message, of the last")
    last_error: str | None = Field(default=None, description="why it was not delivered")
    last_error_code: DeliveryFaultCode | None = Field(default=None, description="null where it is older than the codes")
    last_error_parameters: dict[str, Parameter] = {}
    sent_at: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _told(cls, item: Any) -> Any:
        if not isinstance(item, Mapping) or "last_fault" not in item:
            return item
        fault = DeliveryFault.model_validate(item["last_fault"])
        told = {"last_error": fault.text, "last_error_code": fault.code, "last_error_parameters": fault.parameters}
        return {**item, **told}


class Undelivered:
    """Lists what waits in the outbox, and replays what was parked.

    Args:
        awaited: whether the message's subject still waits for its answer.
        moves_money: whether messages of a type do.
    """

    def __init__(
        self,
        tables: Tables,
        table: str,
        clock: Clock,
        queue: DeliveryQueue,
        awaited: Callable[[Item], bool],
        moves_money: Callable[[str], bool],
    ) -> None:
        self._tables, self._table, self._clock, self._queue, self._awaited = tables, table, clock, queue, awaited
        self._replays = Replays(
            tables, clock, "message", self._ref, self._check, lambda item: moves_money(item["type"]), self._again
        )

    def list(self, window: Window = FIRST, *, parked: bool = True, **equal: str | None) -> Page[OutboxMessage]:
        """Parked messages or those to be delivered, the first due first.

        Args:
            equal: attribute -> the value that it must have, if any.
        """
        queue = PARKED_QUEUE if parked else PENDING_QUEUE
        partition = Partition(self._table, ("message_id",), "queue", queue, sort="due_at", index="by-due")
        return read(self._tables, [partition], window, matching(equal)).map(OutboxMessage.model_validate)

    def get(self, message_id: str) -> OutboxMessage:
        """A message in any state.

        Raises:
            NotFound: no such message.
        """
        return OutboxMessage.model_validate(self._replays.get(message_id))

    def ask_replay(self, message_id: str, by: str, note: str) -> OutboxMessage:
        """Deliver a parked message again, or ask for it; see `Replays.ask`."""
        return self._delivered(self._replays.ask(message_id, by, note))

    def decide_replay(self, message_id: str, by: str, *, confirm: bool, note: str) -> OutboxMessage:
        """See `Replays.decide`."""
        return self._delivered(self._replays.decide(message_id, by, confirm=confirm, note=note))

    def _delivered(self, item: Item) -> OutboxMessage:
        if item["state"] == "pending":  # if this fails, the sweep finds it
            self._queue.enqueue({item["message_id"]: Ticket.of(item)})
        return OutboxMessage.model_validate(item)

    def _check(self, item: Item) -> None:
        if item["state"] != "parked":
            raise NotReplayable("the message is {state}", state=item["state"])
        if "body" not in item:
            raise NotReplayable("the message's content was erased when it was given up")
        if not self._awaited(item):
            raise NotReplayable("its answer is not awaited any more")

    def _again(self, item: Item) -> Mapping[str, Any]:
        # Another number than before, so that the queue does not take the ticket for a repeat.
        attempts = item["attempts"] + 1
        return {
            "state": "pending",
            "queue": PENDING_QUEUE,
            "attempts": attempts,
            "most_attempts": attempts + MANNERS[item["manner"]].attempts,
            "due_at": iso(self._clock.now()),
        }

    def _ref(self, message_id: str) -> Ref:
        return Ref(self._table, {"message_id": message_id})
