"""Task tokens of Step Functions: opaque, of the length that AWS's have, naming the state machine that issued them."""

from __future__ import annotations

import base64
import binascii
import os

_BYTES = 513  # 684 characters, as tokens that AWS gave to Lambda tasks have
_MARK = b"\0\0\0\x2a"


def issue(machine: str) -> str:
    """A new token of a state machine."""
    name = machine.encode()
    head = _MARK + len(name).to_bytes(2, "big") + name
    return base64.b64encode(head + os.urandom(_BYTES - len(head))).decode()


def machine_of(token: str) -> str | None:
    """ARN of the state machine that issued the token; None where it is no token."""
    try:
        content = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(content) != _BYTES or not content.startswith(_MARK):
        return None
    return content[6 : 6 + int.from_bytes(content[4:6], "big")].decode()
