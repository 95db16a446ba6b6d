"""Extracts the reason of a job run's failure from its log."""

from __future__ import annotations

import re

_LOOKED_AT, _TOLD = 20_000, 600
_NOISE = re.compile(r"\s+at .+|\s+\.\.\. \d+ more|\d\d/\d\d/\d\d [\d:]{8} (INFO|WARN) .*")


def told_last(log: bytes) -> str:
    """The end of a job's output without Spark's shutdown messages and stack traces."""
    lines = log[-_LOOKED_AT:].decode("utf-8", "replace").splitlines()
    return "\n".join(line for line in lines if not _NOISE.fullmatch(line))[-_TOLD:]
