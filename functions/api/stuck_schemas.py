"""What the API takes and gives about what is stuck (docs/how-to/free-what-is-stuck.md)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.schemas import In, Listed, Listing
from creditmesh.closing.received import Outcome
from creditmesh.closing.webhooks import ReceivedWebhook
from creditmesh.failures.model import FailedEvent, Kind, State
from creditmesh.kernel.text import TEXT
from creditmesh.platform.undelivered import OutboxMessage

Note = Annotated[str, Field(min_length=2, max_length=200), TEXT]


class ReplayAsking(In):
    """Why it should be replayed."""

    note: Note


class ReplayDecision(In):
    """The second person's decision."""

    action: Literal["confirm", "refuse"]
    note: Note


class MessageListing(Listing):
    """Which messages to list."""

    state: Literal["parked", "pending"] = "parked"
    institution_id: str | None = Field(default=None, max_length=100)
    type: str | None = Field(default=None, max_length=60)
    about: str | None = Field(default=None, max_length=100, description="id of the subject, such as an application")


class WebhookListing(Listing):
    """Which received webhooks to list."""

    institution_id: str | None = Field(default=None, max_length=100)
    state: Outcome | None = None
    type: str | None = Field(default=None, max_length=60)
    about: str | None = Field(default=None, max_length=100, description="id of the application")


class Webhooks(Listed):
    """Received webhooks, the latest first."""

    webhooks: list[ReceivedWebhook]


class OutboxMessages(Listed):
    """Undelivered messages, the first due first."""

    messages: list[OutboxMessage]


class FailedEventListing(Listing):
    """Which failed events to list."""

    state: State | None = None
    kind: Kind | None = None


class FailedEvents(Listed):
    """Failed events, the latest first."""

    events: list[FailedEvent]
