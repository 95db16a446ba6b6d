"""Reject inference on a population whose rejected firms' outcomes are known to the test, not to the training."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.populations import applicants, config, days, outcomes
from training import train as training
from training.frame import REJECTED, TrainingSet
from training.reject import inferred
from training.sample import Sample

ROWS = 8_000


def decided(hidden: float = 0.0):
    """A population, who was accepted, and the truth; ``hidden``: how much riskier the rejected are than they look."""
    frame, log_odds = applicants(ROWS, seed=4)
    # Decided by what is in the features, with some chance, so that every kind of firm was accepted sometimes.
    accepted = np.random.default_rng(5).random(ROWS) < 1 / (1 + np.exp(1.2 * (log_odds + 1.8)))
    return frame, accepted, outcomes(log_odds + np.where(accepted, 0.0, hidden), seed=6)


def rate_learnt_from(method: str, hidden: float = 0.0, prudence: float = 1.0) -> tuple[float, float, float]:
    """The default rate of the rows fitted, of the accepted, and of all firms in truth."""
    frame, accepted, bad = decided(hidden)
    rows = Sample.of(frame[accepted], bad[accepted], np.ones(int(accepted.sum())))
    settings = config(reject_inference=method, reject_prudence=prudence)
    found = inferred(rows, frame[~accepted], settings, {})
    return float(np.average(found.bad, weights=found.weight)), float(bad[accepted].mean()), float(bad.mean())


@pytest.mark.parametrize("method", ["reweighting", "fuzzy", "parcelling"])
def test_the_rejected_count_as_those_that_look_like_them(method: str) -> None:
    learnt, accepted, truth = rate_learnt_from(method)
    # Without it the rate would be far too low.
    assert accepted < 0.75 * truth
    assert learnt == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize("method", ["fuzzy", "parcelling"])
def test_prudence_covers_what_the_features_do_not_show(method: str) -> None:
    imprudent, _, truth = rate_learnt_from(method, hidden=0.8)
    prudent, _, _ = rate_learnt_from(method, hidden=0.8, prudence=float(np.exp(0.8)))
    assert imprudent < 0.9 * truth
    assert prudent == pytest.approx(truth, rel=0.1)


def test_it_is_off_by_default() -> None:
    learnt, accepted, _ = rate_learnt_from("none")
    assert learnt == accepted
    assert config().reject_inference == "none"


def test_parcels_have_the_rates_of_their_band() -> None:
    frame, accepted, bad = decided()
    rows = Sample.of(frame[accepted], bad[accepted], np.ones(int(accepted.sum())))
    fuzzy = inferred(rows, frame[~accepted], config(reject_inference="fuzzy"), {})
    parcelled = inferred(rows, frame[~accepted], config(reject_inference="parcelling"), {})
    rejected = int((~accepted).sum())
    expected = fuzzy.weight[len(rows) : len(rows) + rejected].sum() / fuzzy.weight[len(rows) :].sum()
    assert parcelled.bad[len(rows) :].mean() == pytest.approx(expected, abs=0.005)


def test_a_training_run_tells_the_method_and_its_assumption() -> None:
    frame, accepted, bad = decided()
    rows = TrainingSet("with rejected", frame, np.where(accepted, bad, REJECTED), days(ROWS))
    model = training.train(rows, config(reject_inference="fuzzy", complexity="logistic"))
    told = model.diagnostics["reject_inference"]
    assert (told["method"], told["rows"]) == ("fuzzy", int((~accepted).sum()))
    assert told["bad_rate_fitted"] == pytest.approx(float(bad.mean()), rel=0.1)
    # Rejected rows are never judged by.
    assert set(np.unique(model.kept_back.bad)) == {0, 1}
