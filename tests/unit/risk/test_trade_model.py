"""The model for merchants is what its builder makes, and passes its own test cases (E01)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from creditmesh.governance.checks import run_tests
from creditmesh.risk.artefact import load

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "models" / "trade-1.0.0.json"


def test_the_file_is_what_the_builder_writes() -> None:
    built = subprocess.run([sys.executable, "-m", "models.build_trade"], cwd=ROOT, capture_output=True, check=True)
    assert built.stdout.decode("utf-8") == SHIPPED.read_text(encoding="utf-8")


def test_its_test_cases_pass() -> None:
    tried = run_tests(load(SHIPPED.read_text(encoding="utf-8")))
    assert len(tried) >= 7
    assert [case.name for case in tried if not case.passed] == []
