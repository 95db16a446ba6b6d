"""Processes below another, as tests look at them: any of them may end, or wait to be reaped, at any moment."""

from __future__ import annotations

from collections.abc import Iterable

import psutil


def below(root: int, *words: str) -> list[psutil.Process]:
    """The living processes below ``root`` whose command line holds all the words."""
    return [one for one in living(psutil.Process(root).children(recursive=True)) if holds(one, *words)]


def holds(process: psutil.Process, *words: str) -> bool:
    """Whether its command line holds all the words; of one that has ended it does not."""
    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return all(word in line for word in words)


def living(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that neither ended nor wait for their parent to take note of their end."""
    return [process for process in processes if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
