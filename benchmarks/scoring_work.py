"""What the scoring benchmark does in Spark's Python workers; little is imported, as each worker does it anew."""

from __future__ import annotations

import time
from collections import Counter
from datetime import date

import pyarrow.compute as pc

from creditmesh.risk.bulk.portfolio import Split, kernel_of, scored, write_scored
from creditmesh.risk.bulk.storage import place

ON = date(2026, 11, 22)
IDS = ("firm_id",)
Sums = dict[str, int]


def add_up(split: Split, model: str) -> Sums:
    """Score a split; the sums of what comes out."""
    counts: Counter[tuple[str, str]] = Counter()
    score = limit = 0
    for table in scored(split, kernel_of(model, ON), (), counts):
        score += pc.sum(table["score"]).as_py() or 0
        limit += pc.sum(table["limit_minor"]).as_py() or 0
    return {"score": score, "limit": limit, **_stages(counts)}


def write(split: Split, model: str, output: str) -> Sums:
    """Score a split into its file."""
    return _stages(write_scored(split, kernel_of(model, ON), IDS, place(output)))


def warm(_: int, model: str) -> None:
    """Compile the kernel, and stay long enough for the other workers to get tasks of their own."""
    kernel_of(model, ON)
    time.sleep(0.2)


def _stages(counts: Counter[tuple[str, str]]) -> Sums:
    return {f"stage {name}": count for (kind, name), count in counts.items() if kind == "stage"}
