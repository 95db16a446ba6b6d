"""What one application asks of AWS, against the rows of benchmarks/counts.json (issue 9 part 3)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.bench_cost import COUNTS, Meter, Trace, paths
from run import many
from run.platform import LocalPlatform

# On a busy machine the borrower looks more often, caches of some seconds run out, and a step may be tried again.
SLACK = 1.25
ROWS: dict[str, dict[str, dict[str, Any]]] = json.loads(COUNTS.read_text("utf-8"))
UNUSED_FIRMS = [*many.cases(8, skip=132), *many.cases(8, skip=142), *many.cases(6, skip=230)]


@pytest.fixture(scope="module")
def traced(local: LocalPlatform) -> dict[str, Trace]:
    """Every path once."""
    return paths(Meter(local), iter(UNUSED_FIRMS))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", ["login", "stored_anew", "late"])
def test_a_path_asks_for_no_more_than_its_row(traced: dict[str, Trace], path: str) -> None:
    """Calls, transitions, write units and objects; a change that needs much more raises the row and says why."""
    measured = {"whole": traced[path].whole.whole.row(), "to_report": traced[path].to_report.whole.row()}
    more = {}
    for part, found in measured.items():
        for name in ("transitions", "write_units", "puts", "calls"):
            if found[name] > ROWS[path][part][name] * SLACK:
                more[f"{part} {name}"] = (found[name], ROWS[path][part][name])
    assert not more
    # Far below its row, a path is not the one that the row was made for.
    assert measured["whole"]["calls"] > 0.8 * ROWS[path]["whole"]["calls"]
