"""How the sources know their caller: by a key, by a signature over the request, or by a token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping

TOLERANCE_SECONDS = 300


def key_right(headers: Mapping[str, str], api_key: str) -> bool:
    """Whether ``x-api-key`` carries the key; no key configured opens nothing."""
    return bool(api_key) and hmac.compare_digest(headers.get("x-api-key", "").encode(), api_key.encode())


def hex_signature(secret: str, timestamp: str, nonce: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over time, nonce and the body's digest, one a line."""
    return _mac(secret, f"{timestamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}").hex()


def base64_signature(secret: str, timestamp: str, body: bytes) -> str:
    """Base64 HMAC-SHA256 over time and the body's digest, one a line."""
    return base64.b64encode(_mac(secret, f"{timestamp}\n{hashlib.sha256(body).hexdigest()}")).decode()


def fresh(timestamp: str, now: float) -> bool:
    """Whether a time in seconds is one, and not older or newer than five minutes."""
    plain = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    return plain and abs(now - int(timestamp)) <= TOLERANCE_SECONDS


def same(given: str, expected: str) -> bool:
    """Whether two secrets are the same, in a time that does not tell where they differ; an empty one never is."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


def issue_token(secret: str, seconds: int, now: float | None = None) -> str:
    """A bearer token that carries its own end and so outlives a restart."""
    ends = int((time.time() if now is None else now) + seconds)
    head = f"{ends}.{secrets.token_urlsafe(12)}"
    return f"{head}.{_token_mac(secret, head)}"


def token_right(secret: str, token: str, now: float | None = None) -> bool:
    """Whether a token is one that was issued and has not ended."""
    head, _, mac = token.rpartition(".")
    if not head or not hmac.compare_digest(mac.encode(), _token_mac(secret, head).encode()):
        return False
    return (time.time() if now is None else now) < int(head.split(".")[0])


def _token_mac(secret: str, head: str) -> str:
    return base64.urlsafe_b64encode(_mac(secret, f"token.{head}")).decode().rstrip("=")


def _mac(secret: str, text: str) -> bytes:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
