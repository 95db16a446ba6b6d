"""Measures agree with definitions worked out the long way, and with scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp
from sklearn.metrics import roc_auc_score

from training import calibration, grades, measures
from training.config import GradesConfig, ScaleConfig

RANDOM = np.random.default_rng(8)
BAD = (RANDOM.random(3_000) < 0.2).astype(np.int8)
RISK = np.round(RANDOM.normal(0, 1, 3_000) + BAD, 1)


def test_ks_is_the_two_samples_statistic() -> None:
    expected = ks_2samp(RISK[BAD == 1], RISK[BAD == 0]).statistic
    assert [measures.ks(RISK, BAD), measures.ks(-RISK, BAD)] == pytest.approx([expected, expected])


def test_the_interval_of_the_auc_is_what_resampling_gives() -> None:
    low, high = measures.auc_interval(RISK, BAD)
    draws = (RANDOM.integers(0, 3_000, 3_000) for _ in range(300))
    areas = [roc_auc_score(BAD[rows], RISK[rows]) for rows in draws]
    assert high - low == pytest.approx(2 * 1.96 * np.std(areas), rel=0.15)
    assert low < roc_auc_score(BAD, RISK) < high


def test_delong_agrees_with_the_auc_and_with_chance() -> None:
    chance = np.random.default_rng(6)
    bad = (chance.random(3_000) < 0.2).astype(np.int8)
    first, second = chance.normal(bad * 1.0, 1), chance.normal(bad * 0.5, 1)
    difference, error = measures.delong(first, second, bad)
    assert difference == pytest.approx(roc_auc_score(bad, first) - roc_auc_score(bad, second))
    resampled = []
    for _ in range(200):
        rows = chance.integers(0, len(bad), len(bad))
        resampled.append(roc_auc_score(bad[rows], first[rows]) - roc_auc_score(bad[rows], second[rows]))
    assert error == pytest.approx(np.std(resampled), rel=0.2)


def test_the_roc_curve_goes_from_corner_to_corner_and_has_the_area() -> None:
    points = measures.roc(RISK, BAD)
    x, y = ([point[name] for point in points] for name in ("good_share", "bad_share"))
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(y, x) == pytest.approx(roc_auc_score(BAD, RISK), abs=0.01)


def test_gains_count_every_default_once() -> None:
    table = measures.gains(RISK, BAD)
    assert sum(part["rows"] for part in table) == 3_000
    assert table[-1]["bad_share"] == 1.0
    assert table[0]["lift"] == pytest.approx(table[0]["bad_rate"] / BAD.mean(), rel=0.01)


def test_psi_is_nought_for_the_same_and_symmetric() -> None:
    first, second = RANDOM.integers(0, 5, 1_000), RANDOM.integers(1, 6, 1_000)
    assert measures.psi(first, first, 6) == 0
    assert measures.psi(first, second, 6) == pytest.approx(measures.psi(second, first, 6))
    assert measures.psi(first, second, 6) > 0.25


def test_wilson_covers_as_often_as_it_says() -> None:
    inside = 0
    for _ in range(2_000):
        low, high = measures.wilson(float(RANDOM.binomial(80, 0.1)), 80, 0.9)
        inside += low <= 0.1 <= high
    assert inside / 2_000 == pytest.approx(0.9, abs=0.04)


def test_rates_that_hold_pass_hosmer_and_lemeshow_and_others_do_not() -> None:
    rate = RANDOM.random(4_000) * 0.5
    bad = (RANDOM.random(4_000) < rate).astype(np.int8)
    good = measures.reliability(rate, bad)
    assert measures.hosmer_lemeshow(good)["p"] > 0.01
    assert measures.calibration_error(good) < 0.03
    wrong = measures.reliability(np.minimum(rate * 1.4, 1.0), bad)
    assert measures.hosmer_lemeshow(wrong)["p"] < 0.001
    assert measures.calibration_error(wrong) > 0.06


def test_calibration_mends_scores_that_say_too_much() -> None:
    truth = RANDOM.normal(-1.5, 1.0, 20_000)
    bad = (RANDOM.random(20_000) < 1 / (1 + np.exp(-truth))).astype(np.int8)
    scale = ScaleConfig(600, 20, 40)
    # Scores twice as far apart as they should be, and all of them too good.
    score = np.rint(600 - 40 / np.log(2) * (2 * truth + 1 + np.log(20)))
    table = calibration.calibrate(score, bad, np.ones(20_000), scale)
    least, rates = (np.array([step[name] for step in table]) for name in ("min_score", "pd_ppm"))
    assert (np.diff(least) < 0).all()
    assert (np.diff(rates) > 0).all()
    told = np.array([rates[np.argmax(least <= value)] for value in score[:2_000]]) / 1e6
    assert np.abs(told - 1 / (1 + np.exp(-truth[:2_000]))).mean() < 0.01
    assert least[-1] <= -(10**6)


def test_calibration_follows_a_bend_that_no_curve_has() -> None:
    truth = RANDOM.uniform(-4, 0, 30_000)
    chance = np.where(truth < -2, 0.05, 0.4)
    bad = (RANDOM.random(30_000) < chance).astype(np.int8)
    score = np.rint(600 - 57.7 * (truth + 3))
    table = calibration.calibrate(score, bad, np.ones(30_000), ScaleConfig())
    rate = {place: next(step["pd_ppm"] for step in table if step["min_score"] <= value) / 1e6
            for place, value in (("safe", 600 - 57.7 * 0.2), ("risky", 600 - 57.7 * 2.0))}  # fmt: skip
    assert rate["safe"] == pytest.approx(0.05, abs=0.015)
    assert rate["risky"] == pytest.approx(0.4, abs=0.03)


def test_grades_that_cannot_be_told_apart_are_one() -> None:
    score = RANDOM.integers(400, 700, 5_000)
    flat = (RANDOM.random(5_000) < 0.1).astype(np.int8)
    # Chance separates neighbours of thirty bands hardly ever beyond both intervals.
    assert len(grades.grade(score, flat, np.ones(5_000), 0, GradesConfig())) <= 2
    steep = (RANDOM.random(5_000) < (700 - score) / 400).astype(np.int8)
    found = grades.grade(score, steep, np.ones(5_000), 450, GradesConfig())
    assert 3 <= len(found) <= 8
    assert found[-1]["min_score"] == 450
    assert all(upper["pd_high_bps"] <= lower["pd_low_bps"] + 1 for upper, lower in zip(found, found[1:], strict=False))
