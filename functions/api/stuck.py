"""What is stuck: found, explained and freed."""

from __future__ import annotations

from typing import TypeVar

from chalice.app import Blueprint

from api.cursors import following, window
from api.roles import LENDERS, OPERATORS
from api.routing import Call, route
from api.stuck_schemas import (
    FailedEventListing,
    FailedEvents,
    MessageListing,
    OutboxMessages,
    ReplayAsking,
    ReplayDecision,
    WebhookListing,
    Webhooks,
)
from creditmesh.closing.bootstrap import received_webhooks
from creditmesh.closing.model import ContradictoryAnswer
from creditmesh.closing.webhooks import ReceivedWebhook
from creditmesh.failures.bootstrap import event_replays, failed_events
from creditmesh.failures.model import FailedEvent
from creditmesh.kernel.caller import STAFF, Role
from creditmesh.kernel.errors import NotFound, SamePerson
from creditmesh.outbox.bootstrap import undelivered
from creditmesh.platform.replays import NotReplayable, ReplayedTooOften
from creditmesh.platform.tables import ConditionFailed
from creditmesh.platform.undelivered import OutboxMessage

blueprint = Blueprint(__name__)

T = TypeVar("T", OutboxMessage, ReceivedWebhook)

READERS = LENDERS | STAFF
"""Who may read messages; a lender its own."""
SECOND = OPERATORS | {Role.MANAGER}
"""Who may confirm what an operator has asked for."""


@route(blueprint, "GET", "/v1/outbox", roles=READERS, raises=[NotFound])
def list_messages(call: Call, query: MessageListing) -> OutboxMessages:
    """List messages that were parked, or are to be delivered, with attempts and last error; a lender its own."""
    found = undelivered().list(
        window(call, query), parked=query.state == "parked", institution_id=_institution(call, query.institution_id),
        type=query.type, about=query.about,
    )  # fmt: skip
    return OutboxMessages(messages=found.items, next=following(call, query, found))


@route(blueprint, "GET", "/v1/outbox/{message_id}", roles=READERS)
def read_message(call: Call, message_id: str) -> OutboxMessage:
    """Read how a message stands; also one that was sent."""
    return _visible(call, undelivered().get(message_id), "message")


@route(
    blueprint, "POST", "/v1/outbox/{message_id}/replay", roles=OPERATORS,
    raises=[NotReplayable, ReplayedTooOften, ConditionFailed],
)  # fmt: skip
def replay_message(call: Call, message_id: str, body: ReplayAsking) -> OutboxMessage:
    """Deliver a parked message again; if it moves money, once another person confirms."""
    return undelivered().ask_replay(message_id, call.caller.subject, body.note)


@route(
    blueprint, "POST", "/v1/outbox/{message_id}/replay/decision", roles=SECOND,
    raises=[NotReplayable, ConditionFailed, SamePerson],
)  # fmt: skip
def decide_message_replay(call: Call, message_id: str, body: ReplayDecision) -> OutboxMessage:
    """Confirm or refuse a replay; who asked for it cannot confirm."""
    confirm = body.action == "confirm"
    return undelivered().decide_replay(message_id, call.caller.subject, confirm=confirm, note=body.note)


@route(blueprint, "GET", "/v1/received-webhooks", roles=READERS, raises=[NotFound])
def list_webhooks(call: Call, query: WebhookListing) -> Webhooks:
    """List received webhooks with their outcome: accepted, duplicate, rejected, failed, not authentic."""
    found = received_webhooks().list(
        window(call, query), institution_id=_institution(call, query.institution_id), state=query.state,
        type=query.type, about=query.about,
    )  # fmt: skip
    return Webhooks(webhooks=found.items, next=following(call, query, found))


@route(blueprint, "GET", "/v1/received-webhooks/{webhook_id}", roles=READERS)
def read_webhook(call: Call, webhook_id: str) -> ReceivedWebhook:
    """Read what became of a received webhook."""
    return _visible(call, received_webhooks().get(webhook_id), "webhook")


@route(
    blueprint, "POST", "/v1/received-webhooks/{webhook_id}/replay", roles=OPERATORS,
    raises=[NotReplayable, ReplayedTooOften, ConditionFailed, ContradictoryAnswer],
)  # fmt: skip
def replay_webhook(call: Call, webhook_id: str, body: ReplayAsking) -> ReceivedWebhook:
    """Handle a lender's message once more; if it tells of a payment, once another person confirms."""
    return received_webhooks().ask_replay(webhook_id, call.caller.subject, body.note)


@route(
    blueprint, "POST", "/v1/received-webhooks/{webhook_id}/replay/decision", roles=SECOND,
    raises=[NotReplayable, ConditionFailed, ContradictoryAnswer, SamePerson],
)  # fmt: skip
def decide_webhook_replay(call: Call, webhook_id: str, body: ReplayDecision) -> ReceivedWebhook:
    """Confirm or refuse a replay; who asked for it cannot confirm."""
    confirm = body.action == "confirm"
    return received_webhooks().decide_replay(webhook_id, call.caller.subject, confirm=confirm, note=body.note)


@route(blueprint, "GET", "/v1/failed-events", roles=STAFF)
def list_failed_events(call: Call, query: FailedEventListing) -> FailedEvents:
    """List what functions and processes could not handle: stream records, schedules, events, deliveries."""
    found = failed_events().list(window(call, query), state=query.state, kind=query.kind)
    return FailedEvents(events=found.items, next=following(call, query, found))


@route(blueprint, "GET", "/v1/failed-events/{failed_event_id}", roles=STAFF)
def read_failed_event(call: Call, failed_event_id: str) -> FailedEvent:
    """Read what became of a failed event."""
    return failed_events().get(failed_event_id)


@route(
    blueprint, "POST", "/v1/failed-events/{failed_event_id}/replay", roles=OPERATORS,
    raises=[NotReplayable, ConditionFailed],
)  # fmt: skip
def replay_failed_event(call: Call, failed_event_id: str, body: ReplayAsking) -> FailedEvent:
    """Give an event to its target again; if its message moves money, once another person confirms."""
    return event_replays().ask(failed_event_id, call.caller.subject, body.note)


@route(
    blueprint, "POST", "/v1/failed-events/{failed_event_id}/replay/decision", roles=SECOND,
    raises=[NotReplayable, ConditionFailed, SamePerson],
)  # fmt: skip
def decide_failed_event_replay(call: Call, failed_event_id: str, body: ReplayDecision) -> FailedEvent:
    """Confirm or refuse a replay; who asked for it cannot confirm."""
    confirm = body.action == "confirm"
    return event_replays().decide(failed_event_id, call.caller.subject, confirm=confirm, note=body.note)


def _visible(call: Call, found: T, kind: str) -> T:
    """What was found, unless a lender asks for another's.

    Raises:
        NotFound: as if there were none.
    """
    if call.caller.role not in STAFF and found.institution_id != call.caller.tenant:
        raise NotFound("no such {kind}", field="id", kind=kind)
    return found


def _institution(call: Call, asked: str | None) -> str | None:
    """Whose messages are shown: a lender's own, to staff the institution's asked for, or all.

    Raises:
        NotFound: a lender asks for another's.
    """
    caller = call.caller
    if caller.role in STAFF:
        return asked
    if asked not in (None, caller.tenant):
        raise NotFound("no such institution", field="institution_id")
    return caller.tenant
