"""Identifiers that sort by time and tell nothing of their bearer."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime


def new_id(prefix: str, at: datetime, entropy: bytes | None = None) -> str:
    """A fresh id: `prefix_` + 12 hex digits of milliseconds + 16 of randomness.

    Args:
        prefix: kind of thing, for example `app`.
        at: instant of creation; ids sort by it.
        entropy: 8 bytes instead of the system's randomness, for reproducible tests.
    """
    random_part = (entropy or secrets.token_bytes(8))[:8].hex()
    return f"{prefix}_{int(at.timestamp() * 1000):012x}{random_part}"


def derived_id(prefix: str, *parts: str) -> str:
    """The same id for the same parts, so that a repeated request meets its first result."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
    return f"{prefix}_{digest[:28]}"
