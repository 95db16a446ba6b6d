"""What one application asks of AWS, against the rows of benchmarks/counts.json (issue 9 part 3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.bench_cost import COUNTS, Meter, Trace, paths
from run.platform import LocalPlatform

ROWS: dict[str, dict[str, dict[str, Any]]] = json.loads(COUNTS.read_text("utf-8"))
UNUSED_FIRMS = 300


@pytest.fixture(scope="module")
def traced(local: LocalPlatform) -> dict[str, Trace]:
    """Every path once."""
    return paths(Meter(local), skip=UNUSED_FIRMS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", ROWS)
def test_a_path_asks_for_no_more_than_its_row(traced: dict[str, Trace], path: str) -> None:
    """Calls, transitions, units and objects; whoever needs more raises the row and says why."""
    measured = {"whole": traced[path].whole.whole.row(), "to_report": traced[path].to_report.whole.row()}
    more = {
        f"{part} {name}": (measured[part][name], most)
        for part, row in ROWS[path].items()
        for name, most in row.items()
        if measured[part][name] > most
    }
    assert not more
    # Far below its row, a path is not the one that the row was made for.
    assert measured["whole"]["calls"] > 0.8 * ROWS[path]["whole"]["calls"]
