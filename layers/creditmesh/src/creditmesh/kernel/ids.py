"""Identifiers that sort by time and reveal nothing about their subject."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime


def new_id(prefix: str, at: datetime, entropy: bytes | None = None) -> str:
    """A new id: `prefix_` + 12 hex digits of milliseconds + 16 of randomness.

    Args:
        prefix: kind of object, for example `app`.
        at: time of creation, by which ids sort.
        entropy: 8 bytes instead of the system's randomness, for reproducible tests.
    """
    random_part = (entropy or secrets.token_bytes(8))[:8].hex()
    return f"{prefix}_{int(at.timestamp() * 1000):012x}{random_part}"


def derived_id(prefix: str, *parts: str) -> str:
    """The same id for the same parts, so that a repeated request finds its first result."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
    return f"{prefix}_{digest[:28]}"
