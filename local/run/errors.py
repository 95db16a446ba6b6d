"""Errors of the start, with advice."""

from __future__ import annotations

from pathlib import Path


class RunError(Exception):
    """The platform could not be started or has ended; the message says what to do."""


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log file, indented."""
    if not log.exists():
        return "    (nothing was logged)"
    return "\n".join(f"    {line}" for line in log.read_text("utf-8", "replace").splitlines()[-lines:])
