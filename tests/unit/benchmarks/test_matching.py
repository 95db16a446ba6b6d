"""What `make bench-matching` compares finds the same offers (C18, C19)."""

from __future__ import annotations

from benchmarks.bench_matching import WEIGHTS, Frame, catalogue, naive, needs
from creditmesh.offers.matching import match


def test_loop_columns_and_ours_find_the_same() -> None:
    rows = catalogue(400)
    frame = Frame(rows)
    for need in needs():
        ours = match(rows, need, WEIGHTS).offers
        assert ours
        assert frame.match(need) == naive(rows, need) == ours
