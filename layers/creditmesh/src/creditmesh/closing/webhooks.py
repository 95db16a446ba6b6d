"""Received webhooks for people: what became of each, and replays of those that were not accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import Field

from creditmesh.closing.received import UNKNOWN, Outcome
from creditmesh.kernel.clock import Clock
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.objects import Objects
from creditmesh.platform.paging import FIRST, Page, Partition, Window, matching, read
from creditmesh.platform.replays import NotReplayable, Replayable, Replays
from creditmesh.platform.tables import Item, Ref, Tables

BODY_DAYS = 30
"""How long a message that was not accepted can be replayed; the bucket deletes it then."""
_KEY = ("institution_id", "received")


class ReceivedWebhook(Replayable):
    """A received message, without its content."""

    id: str
    institution_id: str
    received_at: str
    state: Outcome
    webhook_id: str | None = None
    type: str | None = None
    about: str | None = Field(default=None, description="the application that it names")
    size: int | None = Field(default=None, description="in bytes")
    problem: str | None = Field(default=None, description="code of the answer")
    field: str | None = Field(default=None, description="where the rule was broken")
    count: int = Field(default=1, description="of those not authentic: how many came in that minute")

    @classmethod
    def of(cls, item: Item) -> ReceivedWebhook:
        return cls.model_validate({**item, "id": f"{item['institution_id']}:{item['received']}"})


class ReceivedWebhooks:
    """Lists and replays.

    Args:
        senders: ids of all institutions.
        moves_money: whether messages of a type do.
        receive: handles a lender's message; whether it was new.
    """

    def __init__(
        self,
        tables: Tables,
        table: str,
        bodies: Objects,
        clock: Clock,
        senders: Callable[[], Iterable[str]],
        moves_money: Callable[[str], bool],
        receive: Callable[[str, str, bytes], bool],
    ) -> None:
        self._tables, self._table, self._bodies = tables, table, bodies
        self._senders, self._receive = senders, receive
        self._replays = Replays(
            tables, clock, "webhook", self._ref, self._check,
            lambda item: "type" not in item or moves_money(item["type"]),  # unread, it may tell of a payment
            self._again,
        )  # fmt: skip

    def list(
        self, window: Window = FIRST, *, institution_id: str | None = None, **equal: str | None
    ) -> Page[ReceivedWebhook]:
        """Received webhooks, the latest first.

        Args:
            equal: attribute -> the value that it must have, if any.
        """
        senders = [institution_id] if institution_id else [UNKNOWN, *sorted(self._senders())]
        partitions = [
            Partition(self._table, _KEY, "institution_id", one, sort="received", newest_first=True) for one in senders
        ]
        return read(self._tables, partitions, window, matching(equal)).map(ReceivedWebhook.of)

    def get(self, webhook: str) -> ReceivedWebhook:
        """A received webhook by its id here.

        Raises:
            NotFound: no such webhook.
        """
        return ReceivedWebhook.of(self._replays.get(webhook))

    def ask_replay(self, webhook: str, by: str, note: str) -> ReceivedWebhook:
        """Handle a message once more, or ask for it; see `Replays.ask`.

        Raises:
            DomainError: why it is not accepted now either.
        """
        return ReceivedWebhook.of(self._replays.ask(webhook, by, note))

    def decide_replay(self, webhook: str, by: str, *, confirm: bool, note: str) -> ReceivedWebhook:
        """See `Replays.decide`."""
        return ReceivedWebhook.of(self._replays.decide(webhook, by, confirm=confirm, note=note))

    def _check(self, item: Item) -> None:
        if item["state"] not in (Outcome.REJECTED, Outcome.FAILED):
            raise NotReplayable("the webhook is {state}", state=item["state"])
        if "body_key" not in item:
            raise NotReplayable("the message was not kept; its sender must repeat it")

    def _again(self, item: Item) -> dict[str, Any]:
        try:
            body = self._bodies.get(item["body_key"])
        except NotFound:
            raise NotReplayable("the message is kept for {days} days only", days=BODY_DAYS) from None
        new = self._receive(item["institution_id"], item["webhook_id"], body)
        return {"state": (Outcome.ACCEPTED if new else Outcome.DUPLICATE).value}

    def _ref(self, webhook: str) -> Ref:
        institution_id, _, received = webhook.partition(":")
        # A key must not be empty.
        return Ref(self._table, {"institution_id": institution_id or UNKNOWN, "received": received or UNKNOWN})
