"""Evaluator and kernel give every public loan the same result by the model learnt from such loans."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from creditmesh.risk.artefact import Artefact, load
from creditmesh.risk.evaluator import evaluate
from tests.property.test_evaluators_agree import DAY, ROOT, differences
from tests.support.artefact_strategies import feature_rows
from training.data import sba

pytestmark = pytest.mark.thorough

Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def model() -> Artefact:
    """Scorecards by segment with tables over two features, as large as training makes them."""
    return load((ROOT / "models/sba-1.0.0.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rows(model: Artefact) -> list[Row]:
    """Real loans of the years learnt from and of others, then steps away from them: unknowns, bounds, extremes."""
    loans = sba.clean(sba.read(Path(ROOT / "tests/data/sba_sample.csv.gz"))).select(sba.ORIGINATION)
    real = loans.gather_every(10).to_dicts()
    made_up = [row for number in range(0, 15, 3) for row in feature_rows(model, (real[number], number), 300)]
    return [*real, *made_up, dict.fromkeys(model.features)]


def test_they_agree(model: Artefact, rows: list[Row]) -> None:
    assert not differences(model, rows)


def test_the_rows_reach_stages_and_segments(model: Artefact, rows: list[Row]) -> None:
    """So that the agreement above is one of all of them."""
    results = [evaluate(model, row, DAY) for row in rows]
    assert {"admission", "score", "referred", "approved"} <= {result.stage for result in results}
    assert {one.id for one in model.scorecard.segments} == {r.segment for r in results if r.segment is not None}
    assert any("DATA_NOT_AVAILABLE" in result.reasons for result in results)
