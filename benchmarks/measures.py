"""Figures that several benchmarks need: quantiles, and the memory of a process tree."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import psutil

_MEBI = 1024 * 1024


def quantiles(values: Sequence[float], digits: int = 3) -> dict[str, float | int | None]:
    """Count, median, p95, p99 and maximum."""
    if not values:
        return {"count": 0, "median": None, "p95": None, "p99": None, "max": None}
    ordered = sorted(values)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], digits)

    median = round(statistics.median(ordered), digits)
    return {
        "count": len(ordered),
        "median": median,
        "p95": at(0.95),
        "p99": at(0.99),
        "max": round(ordered[-1], digits),
    }


def memory(root: psutil.Process) -> dict[str, float | int]:
    """Memory in MiB of all processes below ``root``; PSS shares out shared pages, RSS counts them in each process."""
    pss = rss = count = 0
    for process in root.children(recursive=True):
        try:
            full = process.memory_full_info()
        except psutil.Error:
            continue  # it has ended
        rss, pss, count = rss + full.rss, pss + getattr(full, "pss", full.rss), count + 1
    return {"pss_mib": round(pss / _MEBI), "rss_mib": round(rss / _MEBI), "processes": count}


def cpu_seconds(root: psutil.Process) -> float:
    """Processor time that all processes below ``root`` have used so far; of those that ended, as far as waited for."""
    total = 0.0
    for process in root.children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue  # it has ended
        total += times.user + times.system + times.children_user + times.children_system
    return total


class MemoryPeak:
    """Watches the memory of a process tree while it lasts."""

    def __init__(self, root: psutil.Process, every_seconds: float = 2.0) -> None:
        self._root, self._every = root, every_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak: dict[str, float | int] = memory(root)

    def __enter__(self) -> MemoryPeak:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End with a last look."""
        self._over.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._over.wait(self._every):
            self._look()

    def _look(self) -> None:
        now = memory(self._root)
        if now["pss_mib"] > self.peak["pss_mib"]:
            self.peak = now


def judged(result: Mapping[str, Any], targets: Mapping[str, tuple[Sequence[str], float]]) -> dict[str, Any]:
    """Each target with its figure and whether it is met.

    Args:
        targets: name -> path of the figure in the result, and the most it may be.
    """
    found: dict[str, Any] = {}
    for name, (path, most) in targets.items():
        figure: Any = result
        for part in path:
            figure = figure[part]
        found[name] = {"at_most": most, "measured": figure, "met": figure is not None and figure <= most}
    return found
