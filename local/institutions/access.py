"""How the sources authenticate callers: by a key, by a signature over the request, or by a token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping

TOLERANCE_SECONDS = 300


def key_right(headers: Mapping[str, str], api_key: str) -> bool:
    """Whether ``x-api-key`` contains the key; never if none is configured."""
    return bool(api_key) and hmac.compare_digest(headers.get("x-api-key", "").encode(), api_key.encode())


def hex_signature(secret: str, timestamp: str, nonce: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over time, nonce and the body's digest, one per line."""
    return _mac(secret, f"{timestamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}").hex()


def base64_signature(secret: str, timestamp: str, body: bytes) -> str:
    """Base64 HMAC-SHA256 over time and the body's digest, one per line."""
    return base64.b64encode(_mac(secret, f"{timestamp}\n{hashlib.sha256(body).hexdigest()}")).decode()


def fresh(timestamp: str, now: float) -> bool:
    """Whether a text is a time in seconds within five minutes of now."""
    plain = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    return plain and abs(now - int(timestamp)) <= TOLERANCE_SECONDS


def same(given: str, expected: str) -> bool:
    """Constant-time comparison of secrets; an empty one never matches."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


def issue_token(secret: str, seconds: int, now: float | None = None) -> str:
    """A bearer token that contains its expiry, so it survives a restart."""
    ends = int((time.time() if now is None else now) + seconds)
    head = f"{ends}.{secrets.token_urlsafe(12)}"
    return f"{head}.{_token_mac(secret, head)}"


def token_right(secret: str, token: str, now: float | None = None) -> bool:
    """Whether a token was issued here and has not expired."""
    head, _, mac = token.rpartition(".")
    if not head or not hmac.compare_digest(mac.encode(), _token_mac(secret, head).encode()):
        return False
    return (time.time() if now is None else now) < int(head.split(".")[0])


def _token_mac(secret: str, head: str) -> str:
    return base64.urlsafe_b64encode(_mac(secret, f"token.{head}")).decode().rstrip("=")


def _mac(secret: str, text: str) -> bytes:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
