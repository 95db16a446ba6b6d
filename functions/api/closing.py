"""Closing: read the contract, sign it."""

from __future__ import annotations

from chalice.app import Blueprint

from api.routing import Call, Key, route
from api.schemas import ApplicationView, Contract, SignatureGiven
from creditmesh.closing.bootstrap import signatures
from creditmesh.intake.model import ApplicationClosed, NotAwaited
from creditmesh.kernel.caller import Role

blueprint = Blueprint(__name__)


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
