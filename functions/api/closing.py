"""Closing: the lender's answers and the borrower's replies, the contract and its signature."""

from __future__ import annotations

from chalice.app import Blueprint

from api.roles import APPLICANTS, LENDERS, OPERATORS
from api.routing import Call, Key, route
from api.schemas import (
    ApplicationView,
    Contract,
    CounterReply,
    Information,
    LenderStanding,
    SignatureGiven,
    WebhookTaken,
)
from creditmesh.closing.bootstrap import lender_answers, payments, probe, replies, signatures
from creditmesh.closing.model import ContradictoryAnswer, CounterExpired, LenderMessage, PaymentOrder
from creditmesh.intake.model import ApplicationClosed, NotAwaited
from creditmesh.kernel.caller import Role
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.offers.model import NotALender
from creditmesh.outbox.bootstrap import undelivered
from creditmesh.platform.undelivered import OutboxMessage

blueprint = Blueprint(__name__)


@route(blueprint, "GET", "/v1/applications/{application_id}/lender")
def read_lender(call: Call, application_id: str) -> LenderStanding:
    """Read how the lender stands to an application: its counter-offer, its questions, and who refused before."""
    return LenderStanding.of(*replies().standing(call.caller, application_id))


@route(
    blueprint,
    "POST",
    "/v1/applications/{application_id}/counter-offer",
    roles=APPLICANTS,
    status=202,
    key=Key.NEEDLESS,
    raises=[ApplicationClosed, NotAwaited, CounterExpired],
)
def reply_to_counter_offer(call: Call, application_id: str, body: CounterReply) -> ApplicationView:
    """Accept the lender's counter-offer, named by its hash, or decline it."""
    if body.action == "decline":
        return ApplicationView.of(replies().decline(call.caller, application_id))
    if body.terms_sha256 is None:
        raise InvalidInput("is required to accept", field="terms_sha256", fault="required")
    return ApplicationView.of(replies().accept(call.caller, application_id, body.terms_sha256))


@route(
    blueprint,
    "POST",
    "/v1/applications/{application_id}/information",
    roles=APPLICANTS,
    status=202,
    key=Key.NEEDLESS,
    raises=[ApplicationClosed, NotAwaited],
)
def inform(call: Call, application_id: str, body: Information) -> ApplicationView:
    """Answer the lender's question; the lender decides again."""
    return ApplicationView.of(replies().inform(call.caller, application_id, body.answer))


@route(
    blueprint,
    "POST",
    "/v1/lender-messages",
    roles=LENDERS,
    status=202,
    key=Key.DERIVED,
    raises=[ContradictoryAnswer, NotFound],
)
def take_lender_message(call: Call, body: LenderMessage) -> WebhookTaken:
    """Take a message that a lender would send as a webhook; for lenders without a system of their own."""
    new = lender_answers().receive(call.caller.tenant, f"api.{call.required_key}", body)
    return WebhookTaken(duplicate=not new)


@route(
    blueprint,
    "POST",
    "/v1/lender-messages/test",
    roles=LENDERS,
    status=202,
    key=Key.DERIVED,
    raises=[NotALender],
)
def send_test_message(call: Call) -> OutboxMessage:
    """Send a test message to the lender's own system; it answers nothing."""
    return undelivered().get(probe().send(call.caller, call.required_key))


@route(
    blueprint,
    "POST",
    "/v1/applications/{application_id}/payment-order/cancellation",
    roles=OPERATORS,
    status=202,
    key=Key.NEEDLESS,
    raises=[NotAwaited],
)
def cancel_payment_order(call: Call, application_id: str) -> PaymentOrder:
    """Ask the lender not to carry out the open order to pay; its answer releases the money."""
    return payments().ask_to_cancel(application_id)


@route(blueprint, "GET", "/v1/applications/{application_id}/contract")
def read_contract(call: Call, application_id: str) -> Contract:
    """Read the contract."""
    return Contract.of(*signatures().contract(call.caller, application_id))


@route(
    blueprint,
    "POST",
    "/v1/applications/{application_id}/signature",
    roles=frozenset({Role.BORROWER}),
    status=202,
    key=Key.NEEDLESS,
    raises=[ApplicationClosed, NotAwaited],
)
def sign(call: Call, application_id: str, body: SignatureGiven) -> ApplicationView:
    """Sign the contract that was read, named by its hash."""
    signed = signatures().sign(call.caller, application_id, body.document_sha256, body.signer_name)
    return ApplicationView.of(signed)
