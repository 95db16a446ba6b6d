"""Standard Webhooks for lenders, written from the specification, independent of the platform's code."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

TOLERANCE_SECONDS = 300


def encode(message_type: str, timestamp: str, data: Mapping[str, Any]) -> bytes:
    document = {"type": message_type, "timestamp": timestamp, "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def headers(secrets: str, webhook_id: str, now: float, body: bytes) -> dict[str, str]:
    """A message's headers, with one signature per secret (separated by spaces)."""
    timestamp = str(int(now))
    signatures = (f"v1,{_signature(secret, webhook_id, timestamp, body)}" for secret in secrets.split())
    return {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def authentic_id(secrets: str, received: Mapping[str, str], body: bytes, now: float) -> str | None:
    """The ``webhook-id`` of an authentic message within five minutes of now; else None."""
    webhook_id, timestamp = received.get("webhook-id", ""), received.get("webhook-timestamp", "")
    if not webhook_id or len(webhook_id) > 256 or not timestamp.isascii() or not timestamp.isdigit():
        return None
    if len(timestamp) > 12 or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return None
    offered = [part[3:] for part in received.get("webhook-signature", "").split() if part.startswith("v1,")]
    expected = [_signature(secret, webhook_id, timestamp, body) for secret in secrets.split()]
    authentic = any(hmac.compare_digest(one.encode(), other.encode()) for one in offered for other in expected)
    return webhook_id if authentic else None


def _signature(secret: str, webhook_id: str, timestamp: str, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("a webhook secret is whsec_ and base64") from None
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
