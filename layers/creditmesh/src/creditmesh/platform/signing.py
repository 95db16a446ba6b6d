"""Standard Webhooks signatures: signing and verification."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from creditmesh.kernel.errors import DomainError, InvalidInput

TOLERANCE_SECONDS = 300
SHORTEST_KEY, LONGEST_KEY = 24, 64
"""Bytes that Standard Webhooks allows a key to have."""


class SignatureRefused(DomainError):
    """A webhook is not authentic; the response never says why."""

    code = "signature_refused"


def key_of(secret: str) -> bytes:
    """The key in a secret: `whsec_` + base64.

    Raises:
        InvalidInput: names the broken rule, never the secret.
    """
    marker, text = secret[:6], secret[6:]
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if marker != "whsec_" or base64.b64encode(key).decode() != text:
        raise InvalidInput("must be whsec_ and padded base64")
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise InvalidInput(f"must contain a key of {SHORTEST_KEY} to {LONGEST_KEY} bytes")
    return key


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` value for a message.

    Args:
        secret: `whsec_` + base64.
        timestamp: seconds since the epoch.

    Raises:
        InvalidInput: unusable secret.
    """
    return "v1," + base64.b64encode(_mac(key_of(secret), message_id, str(timestamp), body)).decode()


def signed_headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, message_id, timestamp, body),
    }


def verify(secrets: Iterable[str], headers: Mapping[str, str], body: bytes, now: int) -> str:
    """Verify a received message; any usable one of `secrets` may have signed it, so that they can be rotated.

    Args:
        headers: names in lower case.
        now: seconds since the epoch.

    Returns:
        The message's id.

    Raises:
        SignatureRefused: for any fault.
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not message_id.isascii() or not message_id.isprintable():
        raise SignatureRefused("not authentic")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise SignatureRefused("not authentic")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise SignatureRefused("not authentic")
    offered = [_decoded(part[3:]) for part in headers.get("webhook-signature", "").split(" ") if part.startswith("v1,")]
    expected = [_mac(key, message_id, timestamp, body) for key in _usable(secrets)]
    if not any(hmac.compare_digest(one, other) for one in offered for other in expected):
        raise SignatureRefused("not authentic")
    return message_id


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _usable(secrets: Iterable[str]) -> Iterator[bytes]:
    for secret in secrets:
        with suppress(InvalidInput):
            yield key_of(secret)


def _mac(key: bytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    return hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
