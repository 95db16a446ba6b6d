"""A candidate passes its gates when it is better, and each way of poisoning it stops at the gate of that name (M08)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from creditmesh.risk.artefact import Artefact, load
from creditmesh.risk.assembly import assemble, next_minor
from creditmesh.risk.evaluator import evaluate
from training import gates
from training.config import GatesConfig
from training.frame import TrainingSet
from training.scoring import scores

BASE: dict[str, Any] = json.loads((Path(__file__).parents[3] / "models/origination-2.1.0.json").read_text("utf-8"))
CONFIG = GatesConfig()


def model(points_per_step: int, base_points: int = 560) -> Artefact:
    """A model with one characteristic in ten steps, each worth so many points more than the last."""
    card = {
        **BASE["scorecard"],
        "cutoff": 590,
        "segments": [
            {
                "id": "all",
                "when": None,
                "base_points": base_points,
                "characteristics": [
                    {
                        "id": "company_age",
                        "axes": [{"feature": "company_age_months", "bounds": [*range(10, 100, 10)], "specials": []}],
                        "points": [*(points_per_step * i for i in range(10)), 0],
                        "reason_code": "SHORT_HISTORY",
                        "evidence": "simulated",
                    }
                ],
            }
        ],
    }
    rates = [{"min_score": 560 + 10 * i, "pd_ppm": round(1e6 * true_rate(i))} for i in reversed(range(10))]
    grades = [{**grade, "min_score": least} for grade, least in zip(BASE["grades"][:3], (630, 600, 0), strict=True)]
    sections = {"scorecard": card, "calibration": rates, "grades": grades, "feature_schema": BASE["feature_schema"]}
    return load(json.dumps(assemble(BASE, sections)))


def true_rate(step: int) -> float:
    return 0.3 * 0.75**step


def firms(rows: int, seed: int) -> TrainingSet:
    """Made-up firms whose default rate falls with their age; two years of months."""
    chance = np.random.default_rng(seed)
    age = chance.integers(0, 100, rows)
    bad = (chance.random(rows) < np.array([true_rate(step) for step in age // 10])).astype(np.int8)
    months = np.datetime64("2024-01") + np.sort(chance.integers(0, 24, rows))
    features = pd.DataFrame(
        {
            "company_age_months": pd.array(age, dtype="Int64"),
            "region": np.where(chance.random(rows) < 0.5, "north", "south"),
            gates.LABEL_SOURCE: np.where(chance.random(rows) < 0.3, "imported", "servicing"),
            gates.LABEL_CHANGED: chance.random(rows) < 0.01,
        }
    )
    return TrainingSet("made up", features, bad, months.astype("datetime64[D]"), outcome_kind="simulated")


@pytest.fixture(scope="module")
def halves() -> tuple[TrainingSet, TrainingSet]:
    whole = firms(24_000, 1)
    return whole.take(np.arange(16_000)), whole.take(np.arange(16_000, 24_000))


def judged(candidate: Artefact, champion: Artefact, fitted: TrainingSet, kept: TrainingSet) -> dict[str, gates.Gate]:
    config = replace(CONFIG, max_approval_shift=1.0)
    found = gates.check(candidate, champion, fitted, kept, 0.0005, config, ["region"])
    return {gate.id: gate for gate in found}


def failed(found: dict[str, gates.Gate]) -> set[str]:
    return {name for name, gate in found.items() if not gate.passed}


def test_a_better_candidate_passes_every_gate(halves: tuple[TrainingSet, TrainingSet]) -> None:
    found = judged(model(10), model(0), *halves)
    assert failed(found) == set()
    assert {"auc_gain", "score_psi", "grade_order", "fairness_region", "label_jump", "label_source"} <= set(found)


def test_a_candidate_that_is_not_better_stays_out(halves: tuple[TrainingSet, TrainingSet]) -> None:
    assert {"auc_gain", "ks_loss"} <= failed(judged(model(0), model(10), *halves))


def test_an_inverted_candidate_is_named_by_order_and_calibration(halves: tuple[TrainingSet, TrainingSet]) -> None:
    assert {"auc_gain", "grade_order", "calibration_error"} <= failed(judged(model(-10, 650), model(0), *halves))


def test_labels_flipped_in_the_newest_month_are_a_jump(halves: tuple[TrainingSet, TrainingSet]) -> None:
    fitted, kept = halves
    newest = kept.observed.astype("datetime64[M]") == np.datetime64("2025-12")
    flipped = newest & (np.random.default_rng(2).random(len(kept)) < 0.2)
    poisoned = replace(kept, bad=np.where(flipped, 1 - kept.bad, kept.bad).astype(np.int8))
    assert "label_jump" in failed(judged(model(10), model(0), fitted, poisoned))


def test_a_source_that_calls_everybody_bad_is_named(halves: tuple[TrainingSet, TrainingSet]) -> None:
    fitted, kept = halves
    imported = (fitted.features[gates.LABEL_SOURCE] == "imported").to_numpy()
    poisoned = replace(fitted, bad=np.where(imported, 1, fitted.bad).astype(np.int8))
    gate = judged(model(10), model(0), poisoned, kept)["label_source"]
    assert not gate.passed
    assert (gate.parameters, "source imported" in gate.note) == ({"source": "imported"}, True)


def test_labels_changed_afterwards_are_counted(halves: tuple[TrainingSet, TrainingSet]) -> None:
    fitted, kept = halves
    changed = replace(kept, features=kept.features.assign(**{gates.LABEL_CHANGED: True}))
    assert "label_changes" in failed(judged(model(10), model(0), fitted, changed))


def test_firms_that_changed_are_an_unstable_score(halves: tuple[TrainingSet, TrainingSet]) -> None:
    fitted, kept = halves
    young = pd.array(np.random.default_rng(3).integers(0, 40, len(kept)), dtype="Int64")
    moved = replace(kept, features=kept.features.assign(company_age_months=young))
    assert {"score_psi", "characteristic_psi"} <= failed(judged(model(10), model(0), fitted, moved))


def test_a_group_that_is_hardly_approved_is_unfair(halves: tuple[TrainingSet, TrainingSet]) -> None:
    fitted, kept = halves
    region = np.where(kept.features["company_age_months"] < 35, "north", "south")
    apart = replace(kept, features=kept.features.assign(region=region))
    assert "fairness_region" in failed(judged(model(10), model(0), fitted, apart))


def test_few_rows_prove_nothing() -> None:
    few = firms(200, 5)
    assert "rows" in failed(judged(model(10), model(0), few, few))


def test_rounding_and_approvals_have_thresholds(halves: tuple[TrainingSet, TrainingSet]) -> None:
    fitted, kept = halves
    found = {gate.id: gate for gate in gates.check(model(10), model(0), fitted, kept, 0.003, CONFIG)}
    assert {"rounding_loss", "approval_shift"} <= failed(found)


def test_report_says_whether_all_passed() -> None:
    good, bad = gates.Gate("a", True, 1, 2, ""), gates.Gate("b", False, 3, 2, "")
    assert gates.report([good], "2026-01-01T00:00:00Z")["passed"]
    assert not gates.report([good, bad], "2026-01-01T00:00:00Z")["passed"]


def test_scores_are_the_evaluators() -> None:
    """The shipped model, row by row, with unknowns."""
    shipped = load(json.dumps(BASE))
    sample = json.loads((Path(__file__).parents[3] / "models/sample-firm.json").read_text("utf-8"))
    rows = [sample, {**sample, "tax_credit_rating": None, "debt_ratio_bps": 9_000}, {**sample, "industry": "never"}]
    frame = pd.DataFrame(rows).astype({name: "Int64" for name in sample if isinstance(sample[name], int)})
    frame = frame.astype({"abnormal_operation_listed": "boolean"})
    expected = [evaluate(shipped, row, shipped.tests[0].on).score for row in rows]
    assert scores(shipped, frame).tolist() == expected


def test_assembly_keeps_policy_and_counts_the_version_up() -> None:
    built = model(10)
    assert built.version == "2.2.0"
    assert [rule.id for rule in built.rules] == [rule.id for rule in load(json.dumps(BASE)).rules]
    assert [grade.margin_bps for grade in built.grades] == [grade["margin_bps"] for grade in BASE["grades"][:3]]
    assert (next_minor("2.3.1"), next_minor("0.9.9-rc.1")) == ("2.4.0", "0.10.0")
