"""`POST /webhooks/{institution_id}`: takes lenders' signed messages (C21-C23, DESIGN 7)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from creditmesh.closing.model import LENDER_MESSAGE
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, logger
from creditmesh.platform.signing import SignatureRefused, verify
from creditmesh.platform.web import BodyTooLarge, Reply, Unauthenticated, read_json, safely, validated

MAX_MESSAGE_BYTES = 256 * 1024
"""A contract's text may have 100,000 characters."""
MAX_ID_LENGTH = 200


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Verify, parse, hand on; an answer of 2xx says that the message need not come again."""
    logger.set_correlation_id(None)
    institution_id = event["pathParameters"]["institution_id"]
    reply = safely(lambda: _receive(institution_id, event), f"/webhooks/{institution_id}")
    logger.info("webhook answered", extra={"institution": institution_id, "status": reply.status})
    return reply.proxy()


def _receive(institution_id: str, event: dict[str, Any]) -> Reply:
    headers = {name.lower(): text for name, text in (event.get("headers") or {}).items()}
    body = _raw_body(event)
    if len(body) > MAX_MESSAGE_BYTES:
        raise BodyTooLarge(f"the body may have at most {MAX_MESSAGE_BYTES} bytes")
    message_id = _authentic(institution_id, headers, body)
    if len(message_id) > MAX_ID_LENGTH:
        raise InvalidInput(f"may have at most {MAX_ID_LENGTH} characters", field="webhook-id")
    document = read_json(body, headers.get("content-type"), MAX_MESSAGE_BYTES)
    message = validated(LENDER_MESSAGE, document, tagged=True)
    logger.set_correlation_id(message.data.application_id)
    taken = wiring.lender_answers().receive(institution_id, message_id, message)
    return Reply(200, json.dumps({"duplicate": not taken}))


def _authentic(institution_id: str, headers: dict[str, str], body: bytes) -> str:
    """The id of an authentic message; whatever is wrong, the answer is the same."""
    try:
        lender = wiring.directory().get(institution_id)
        if lender.address.kind == "lender":
            return verify(lender.keys.webhook_secrets, headers, body, int(wiring.clock().now().timestamp()))
    except (NotFound, SignatureRefused):
        pass
    raise Unauthenticated("not authentic")


def _raw_body(event: dict[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return b""
