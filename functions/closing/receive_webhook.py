"""`POST /webhooks/{institution_id}`: receives institutions' signed messages."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import replace
from typing import Any

from creditmesh.closing.bootstrap import lender_answers, receipts
from creditmesh.closing.model import LENDER_MESSAGE
from creditmesh.closing.received import Incoming
from creditmesh.gateway.bootstrap import channels, late_answers
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.fields import validated
from creditmesh.platform.institutions import Institution
from creditmesh.platform.observability import LambdaContext, logger
from creditmesh.platform.signing import SignatureRefused, verify
from creditmesh.platform.web import BodyTooLarge, NotUtf8, Reply, Unauthenticated, read_json, safely

MAX_MESSAGE_BYTES = 256 * 1024
"""A contract's text may have 100,000 characters."""
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""A source's late answer, such as a full credit report; Lambda accepts six megabytes including base64."""
MAX_ID_LENGTH = 200


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Verify, parse and dispatch a message; 2xx means that the sender need not repeat it."""
    logger.set_correlation_id(None)
    institution_id = event["pathParameters"]["institution_id"]
    reply = safely(lambda: _receive(institution_id, event), f"/webhooks/{institution_id}")
    logger.info("webhook answered", extra={"institution": institution_id, "status": reply.status})
    return reply.proxy()


def _receive(institution_id: str, event: dict[str, Any]) -> Reply:
    headers = {name.lower(): text for name, text in (event.get("headers") or {}).items()}
    body = _raw_body(event)
    if len(body) > MAX_ANSWER_BYTES:
        raise BodyTooLarge("the body may have at most {max} bytes", max=MAX_ANSWER_BYTES)
    institution, message_id = _authentic(institution_id, headers, body)
    lender = institution.address.kind == "lender"
    message = Incoming(institution_id, message_id, body, kept=lender)
    try:
        if len(message_id) > MAX_ID_LENGTH:
            raise InvalidInput(
                "may have at most {max} characters", field="webhook-id", fault="too_long", max=MAX_ID_LENGTH
            )
        document = read_json(body, headers.get("content-type"), MAX_MESSAGE_BYTES if lender else MAX_ANSWER_BYTES)
        message = replace(message, document=document)
        new = _from_lender(message) if lender else _from_source(message)
    except Exception as error:
        receipts().not_taken(message, error)
        raise
    receipts().taken(message, duplicate=not new)
    return Reply(200, json.dumps({"duplicate": not new}))


def _from_lender(incoming: Incoming) -> bool:
    message = validated(LENDER_MESSAGE, incoming.document)
    logger.set_correlation_id(message.data.application_id)
    return lender_answers().receive(incoming.institution_id, incoming.webhook_id, message)


def _from_source(incoming: Incoming) -> bool:
    """Handle a source's late answer by the institution's channels."""
    kind = incoming.document.get("type") if isinstance(incoming.document, dict) else None
    known = channels().of_institution(incoming.institution_id)
    return late_answers().receive(known, str(kind), incoming.body)


def _authentic(institution_id: str, headers: dict[str, str], body: bytes) -> tuple[Institution, str]:
    """Sender and id of an authentic message; every failure raises the same error."""
    found = None
    try:
        found = platform().directory.get(institution_id)
        now = int(platform().clock.now().timestamp())
        return found, verify(found.keys.webhook_secrets, headers, body, now)
    except (NotFound, SignatureRefused):
        receipts().not_authentic(institution_id if found else None)
        if b"\xef\xbf\xbd" in body:  # what API Gateway writes where it cannot decode; no signature fits that
            raise NotUtf8 from None
        raise Unauthenticated("not authentic") from None


def _raw_body(event: dict[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return b""
