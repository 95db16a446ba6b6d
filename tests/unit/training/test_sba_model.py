"""The model learnt from the public loans, as it ships: whole, as built, on the columns that are argued."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from creditmesh.risk.artefact import Artefact, load
from creditmesh.risk.evaluator import evaluate
from models.sba_texts import REASON_OF
from training import scoring as artefact_scores
from training.data import columns, sba
from training.measures import ks

ROOT = Path(__file__).parents[3]
PATH = ROOT / "models/sba-1.0.0.json"


@pytest.fixture(scope="module")
def model() -> Artefact:
    return load(PATH.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def loans():
    return sba.guaranteed_in_part(sba.approved_within(sba.clean(sba.read(ROOT / "tests/data/sba_sample.csv.gz"))))


def test_it_is_what_its_builder_writes() -> None:
    built = subprocess.run([sys.executable, "-m", "models.build_sba"], cwd=ROOT, capture_output=True, check=True).stdout
    assert built.decode("utf-8") == PATH.read_text(encoding="utf-8")


def test_the_cases_kept_with_it_hold(model: Artefact) -> None:
    assert len(model.tests) >= 6
    for case in model.tests:
        found = evaluate(model, case.features, case.on).to_dict()
        assert {name: found[name] for name in case.expected} == case.expected, case.name


def test_it_has_the_columns_that_are_argued_and_none_that_leaks(model: Artefact, loans) -> None:
    kinds = {config.name: config.kind for config in columns.feature_configs(loans, sba.ORIGINATION)}
    assert {name: feature.type for name, feature in model.features.items()} == kinds
    assert {axis.feature for item in model.characteristics for axis in item.axes} == set(sba.ORIGINATION)
    assert {item.evidence for item in model.characteristics} == {"observed"}
    assert model.currency == "USD"


def test_every_characteristic_has_its_first_features_reason_in_both_languages(model: Artefact) -> None:
    assert {(item.axes[0].feature, item.reason_code) for item in model.characteristics} <= set(REASON_OF.items())
    for code in REASON_OF.values():
        assert model.reasons[code].adverse_action
        assert set(model.reasons[code].text) == {"zh-CN", "en"}


def test_it_ranks_the_loans_of_the_sample(model: Artefact, loans) -> None:
    """Most of these were learnt from; the floors are those of the plain scorecard, which a broken table would miss."""
    rows = sba.training_set(loans, sba.ORIGINATION)
    risk = -artefact_scores.scores(model, rows.features)
    assert roc_auc_score(rows.bad, risk) > 0.70
    assert ks(risk, rows.bad) > 0.29


def test_its_default_rates_are_those_of_the_sample(model: Artefact, loans) -> None:
    rows = sba.training_set(loans, sba.ORIGINATION)
    score = artefact_scores.scores(model, rows.features)
    best_first = [(least, ppm) for least, ppm in model.calibration]
    rate = np.array([next((ppm for least, ppm in best_first if one >= least), best_first[-1][1]) for one in score])
    assert rate.mean() / 1e6 == pytest.approx(rows.bad.mean(), abs=0.02)


def test_a_grade_worse_fails_more(model: Artefact, loans) -> None:
    rows = sba.training_set(loans, sba.ORIGINATION)
    score = artefact_scores.scores(model, rows.features)
    least = [grade.min_score for grade in model.grades]
    place = np.array([next((i for i, low in enumerate(least) if one >= low), len(least)) for one in score])
    rates = [rows.bad[place == i].mean() for i in range(len(least)) if (place == i).sum() >= 200]
    assert len(rates) >= 4
    assert rates == sorted(rates)


def test_it_follows_the_published_schema_and_can_be_read() -> None:
    text = PATH.read_text(encoding="utf-8")
    schema = json.loads((ROOT / "models/artefact.schema.json").read_text(encoding="utf-8"))
    assert list(jsonschema_rs.validator_for(schema).iter_errors(json.loads(text))) == []
    assert len(text) < 300_000


def test_nothing_unknown_is_the_best_that_can_be_known(model: Artefact) -> None:
    """Who withholds a value does not gain by it, beside who tells the best."""
    for item in model.characteristics:
        if len(item.axes) == 1:
            assert item.points[item.axes[0].missing_index] < max(item.points), item.id


def test_its_card_tells_the_same_model(model: Artefact) -> None:
    page = (ROOT / "docs/reference/model-cards/sba-1.0.0.html").read_text(encoding="utf-8")
    assert len(page) < 500_000
    for grade in model.grades:
        assert f'<td>{grade.grade}</td><td class="number">{grade.min_score}</td>' in page
    assert "not the one asked for" in page
