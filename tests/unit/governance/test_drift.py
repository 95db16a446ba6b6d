"""Who applies now against whom a model knows, and defaults against what it foretold (M08)."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from creditmesh.governance.drift import Distribution, compare, distribution, merged, psi_ppm
from creditmesh.risk.artefact import Artefact, load

MODELS = Path(__file__).parents[3] / "models"


@pytest.fixture(scope="module")
def model() -> Artefact:
    return load((MODELS / "origination-2.1.0.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def firm() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MODELS / "sample-firm.json").read_text(encoding="utf-8"))
    return found


def firms(firm: dict[str, Any], debt: tuple[int, int], count: int = 400) -> list[tuple[int, dict[str, Any]]]:
    chance = random.Random(7)
    return [(chance.randint(600, 760), {**firm, "debt_ratio_bps": chance.randint(*debt)}) for _ in range(count)]


def test_the_same_population_is_stable(model: Artefact, firm: dict[str, Any]) -> None:
    counted = distribution(model, firms(firm, (2_000, 9_000)))
    drift = compare(counted, counted)
    assert (drift.score_psi_ppm, drift.alarms) == (0, [])
    assert set(drift.characteristics.values()) == {0}
    assert drift.decisions == counted.decisions == 400


def test_a_shifted_characteristic_is_named_first(model: Artefact, firm: dict[str, Any]) -> None:
    before = distribution(model, firms(firm, (2_000, 6_000)))
    drift = compare(before, distribution(model, firms(firm, (6_500, 9_500))))
    assert next(iter(drift.characteristics)) == "debt_ratio_bps"
    assert "debt_ratio_bps" in drift.alarms
    assert "score" not in drift.alarms


def test_few_decisions_say_nothing(model: Artefact, firm: dict[str, Any]) -> None:
    before = distribution(model, firms(firm, (2_000, 6_000)))
    drift = compare(before, distribution(model, firms(firm, (6_500, 9_500), count=99)))
    assert (drift.score_psi_ppm, drift.characteristics, drift.alarms) == (None, {}, [])


def test_days_add_up(model: Artefact, firm: dict[str, Any]) -> None:
    rows = firms(firm, (2_000, 9_000))
    assert merged([distribution(model, rows[:150]), distribution(model, rows[150:])]) == distribution(model, rows)
    assert merged([]) == Distribution(decisions=0, scores={}, bins={})


def test_psi_is_the_field_s_formula() -> None:
    assert psi_ppm({"a": 50, "b": 50}, {"a": 50, "b": 50}) == 0
    assert psi_ppm({"a": 50, "b": 50}, {"a": 70, "b": 30}) == pytest.approx(169_460, abs=5)
    assert psi_ppm({"a": 100}, {"b": 100}) > 10_000_000


@pytest.mark.parametrize(("bads", "alarms"), [(40, []), (58, []), (62, ["calibration"]), (18, ["calibration"])])
def test_defaults_are_held_against_what_was_foretold(bads: int, alarms: list[str]) -> None:
    matured = [(40_000, i < bads) for i in range(1_000)]
    drift = compare(
        Distribution(decisions=0, scores={}, bins={}), Distribution(decisions=0, scores={}, bins={}), matured
    )
    assert drift.alarms == alarms
    assert (drift.expected_bad_ppm, drift.observed_bad_ppm) == (40_000, bads * 1_000)
