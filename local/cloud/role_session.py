"""The session token that tells the emulator the role of a function or job."""

from __future__ import annotations

_PREFIX = "arn:aws:sts::"


def token(role: str, session: str) -> str:
    """A session of a role, as the ARN that IAM shows in its messages."""
    return f"{_PREFIX}{role.split(':')[4]}:assumed-role/{role.rpartition('/')[2]}/{session[:64]}"


def role_of(token: str) -> tuple[str, str] | None:
    """Account and name of the role; None for a token that is not ours."""
    if not token.startswith(_PREFIX):
        return None
    return token.split(":")[4], token.split("/")[1]
