"""The trainer on the committed sample of real loans: nothing about it is tuned to made-up firms (issue 4, part 2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from training import train as training
from training.config import ChecksConfig, SplitConfig, TrainingConfig
from training.data import columns, sba
from training.errors import TrainingSetInvalid
from training.frame import TrainingSet

pytestmark = pytest.mark.thorough

SAMPLE = Path(__file__).parents[2] / "data/sba_sample.csv.gz"


@pytest.fixture(scope="module")
def loans():
    return sba.clean(sba.read(SAMPLE))


def settings(loans, names, **told) -> TrainingConfig:
    return TrainingConfig(columns.feature_configs(loans, names), split=SplitConfig(0.3, folds=2), **told)


def rows(loans, names) -> TrainingSet:
    return sba.training_set(loans, names)


def test_a_scorecard_of_real_loans_separates_and_is_calibrated(loans) -> None:
    model = training.train(rows(loans, sba.PEERS), settings(loans, sba.PEERS))
    test = model.diagnostics["performance"]["test"]
    # A sample of a few thousand loans: what the plain scorecard of all loans has, less what chance may take.
    assert test["auc_high"] > 0.74
    assert test["auc"] > 0.68
    assert test["calibration_error"] < 0.04
    assert abs(model.diagnostics["rounding"]["test"]) <= 0.002
    assert model.diagnostics["data"]["outcome_kind"] == "observed"


def test_what_is_known_only_later_is_refused_by_name(loans) -> None:
    names = [*sba.ORIGINATION, "charged_off_minor"]
    with pytest.raises(TrainingSetInvalid) as problem:
        training.train(rows(loans, names), settings(loans, names))
    assert (problem.value.code, problem.value.columns) == ("leaked_target", ("charged_off_minor",))
    forbidden = settings(loans, sba.ORIGINATION, checks=ChecksConfig(forbidden=["state"]))
    with pytest.raises(TrainingSetInvalid):
        training.train(rows(loans, sba.ORIGINATION), forbidden)
