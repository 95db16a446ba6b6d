"""Task tokens of Step Functions: opaque, as long as AWS's, and naming the issuing state machine."""

from __future__ import annotations

import base64
import binascii
import os

_BYTES = 513  # 684 characters, the length of AWS's tokens for Lambda tasks
_MARK = b"\0\0\0\x2a"


def issue(machine: str) -> str:
    name = machine.encode()
    head = _MARK + len(name).to_bytes(2, "big") + name
    return base64.b64encode(head + os.urandom(_BYTES - len(head))).decode()


def machine_of(token: str) -> str | None:
    """ARN of the state machine that issued the token; None if it is not a token."""
    try:
        content = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(content) != _BYTES or not content.startswith(_MARK):
        return None
    return content[6 : 6 + int.from_bytes(content[4:6], "big")].decode()
