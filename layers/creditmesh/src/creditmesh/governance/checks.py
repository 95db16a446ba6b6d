"""Runs the test cases kept with a model."""

from __future__ import annotations

from typing import Any

from creditmesh.governance.model import CaseResult
from creditmesh.risk.errors import FeatureInvalid
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.model import Artefact, TestCase


def run_tests(artefact: Artefact) -> list[CaseResult]:
    """Run each test case of the model."""
    return [_run(artefact, case) for case in artefact.tests]


def _run(artefact: Artefact, case: TestCase) -> CaseResult:
    try:
        result = evaluate(artefact, case.features, case.on).to_dict()
    except FeatureInvalid as error:
        return CaseResult(name=case.name, passed=False, differences={error.feature: {"rule": error.rule}})
    differences = {
        name: {"expected": _plain(expected), "got": _plain(result[name])}
        for name, expected in case.expected.items()
        if _plain(result[name]) != _plain(expected)
    }
    return CaseResult(name=case.name, passed=not differences, differences=differences)


def _plain(value: Any) -> Any:
    """Mappings and sequences as in JSON, so that a tuple equals a list."""
    if hasattr(value, "items"):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
