"""The comparison of models: what its measures say, and that everybody gets the same rows."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.bench_models import averages, gap_closed, judged, merged, within
from benchmarks.model_data import RATIOS, DataSet, at_random, by_time, with_ratios
from benchmarks.model_table import table
from training.data import sba

LOANS = pl.DataFrame(
    {
        sba.APPROVED_ON: [date(2000, 1, 1) + timedelta(days=10 * number) for number in range(400)],
        sba.TARGET: [number % 5 == 0 for number in range(400)],
        "employees": [None if number % 7 == 0 else number for number in range(400)],
        "revolving": [None if number % 3 == 0 else number % 2 == 0 for number in range(400)],
        "state": [None if number % 11 == 0 else "OH" for number in range(400)],
    }
)


def test_a_score_that_knows_the_year_alone_is_worth_nothing_within_years():
    year = np.repeat([2001, 2007], 500)
    bad = np.concatenate([np.arange(500) % 20 == 0, np.arange(500) % 2 == 0]).astype(np.int8)
    risk = year.astype(np.float64)
    assert roc_auc_score(bad, risk) > 0.7
    assert within(risk, bad, year) == pytest.approx(0.5)


def test_years_without_both_outcomes_are_left_out():
    year = np.array([2001] * 4 + [2002] * 4)
    bad = np.array([0, 0, 0, 0, 0, 1, 0, 1], np.int8)
    assert within(np.arange(8.0), bad, year) == pytest.approx(roc_auc_score(bad[4:], np.arange(4.0)))


@pytest.mark.parametrize(
    ("found", "share"),
    [
        ({"ours": {"auc": 0.78}, "optbinning": {"auc": 0.74}, "boosting": {"auc": 0.82}}, 0.5),
        ({"ours": {"auc": 0.73}, "optbinning": {"auc": 0.74}, "boosting": {"auc": 0.82}}, -0.125),
        ({"ours": {"auc": 0.78}, "optbinning": {"auc": 0.83}, "boosting": {"auc": 0.82}}, None),
        ({"ours": {"auc": 0.78}, "optbinning": {"failed": "no memory"}, "boosting": {"auc": 0.82}}, None),
        ({"ours": {"auc": 0.78}}, None),
    ],
)
def test_share_of_the_gap(found, share):
    assert gap_closed(found) == share


def test_the_better_boosting_is_the_measure():
    found = {
        "ours": {"auc": 0.77},
        "optbinning": {"auc": 0.74},
        "boosting": {"auc": 0.78},
        "boosting-large": {"auc": 0.80},
    }
    assert gap_closed(found) == 0.5


def test_random_split_keeps_the_share_of_bad_loans():
    train, test = at_random(LOANS)
    assert (train.height, test.height) == (280, 120)
    assert train[sba.TARGET].mean() == pytest.approx(0.2)
    assert set(train[sba.APPROVED_ON]) & set(test[sba.APPROVED_ON]) == set()
    assert at_random(LOANS)[1].equals(test)


def test_split_by_time_judges_by_later_loans_only():
    train, test = by_time(LOANS)
    assert train[sba.APPROVED_ON].min() >= sba.WINDOW[0]
    assert train[sba.APPROVED_ON].max() < sba.OUT_OF_TIME_FROM <= test[sba.APPROVED_ON].min()


def test_everybody_gets_the_same_numbers(tmp_path):
    data = DataSet("loans", *at_random(LOANS), ["employees", "revolving", "state"])
    train, test = (pl.read_parquet(path) for path in data.write(tmp_path))
    assert train.columns == ["employees", "revolving", "state", "bad"]
    assert train["bad"].to_list() == data.train[sba.TARGET].cast(pl.Int8).to_list()
    assert train["employees"].to_list() == data.train["employees"].to_list()
    assert train["revolving"].null_count() == data.train["revolving"].null_count() > 0
    assert test.height == data.test.height


def test_table_shows_figures_and_failures():
    data = DataSet("made-up loans", *at_random(LOANS), ["employees"])
    figures = judged(np.linspace(0.1, 0.9, 120), np.linspace(0.1, 0.9, 120), data)
    shown = table(
        {
            "label": data.label,
            "train_rows": 280,
            "test_rows": 120,
            "bad_rate": {"train": 0.2, "test": 0.2},
            "models": {"ours": figures, "toad": {"failed": "not done after 30 minutes"}},
            "gap_closed": 0.512,
        }
    )
    assert str(figures["auc"]) in shown
    assert "not done after 30 minutes" in shown
    assert "51.2%" in shown


def test_new_figures_join_the_earlier_ones_of_the_same_rows():
    data = DataSet("loans", *at_random(LOANS), ["employees"])
    first = merged({}, data, {"ours": {"auc": 0.7}, "toad": {"auc": 0.6}})
    second = merged(first, data, {"ours": {"auc": 0.8}, "optbinning": {"auc": 0.7}, "boosting": {"auc": 0.9}})
    assert second["models"] == {
        "ours": {"auc": 0.8},
        "toad": {"auc": 0.6},
        "optbinning": {"auc": 0.7},
        "boosting": {"auc": 0.9},
    }
    assert second["gap_closed"] == 0.5
    assert merged(second, data.shortened(100), {"ours": {"auc": 0.5}})["models"] == {"ours": {"auc": 0.5}}


def test_ratios_of_the_peers_columns():
    loans = pl.DataFrame(
        {
            "approved_minor": [10_000_000, 5_000_000],
            "disbursed_minor": [12_345_678, 5_000_000],
            "employees": [4, 0],
            "jobs_created": [1, 1],
            "jobs_retained": [2, 0],
        }
    )
    assert with_ratios(loans).select(RATIOS).rows() == [
        (12_345, 2_500_000, 7_500, False),
        (10_000, None, None, True),
    ]


def test_averages_over_splits_tell_how_far_ours_is_above() -> None:
    splits = [
        {"ours": {"auc": 0.8, "ks": 0.5}, "peer": {"auc": 0.7, "ks": 0.5}, "other": {"failed": "no"}},
        {"ours": {"auc": 0.9, "ks": 0.5}, "peer": {"auc": 0.7, "ks": 0.6}, "other": {"auc": 1.0, "ks": 1.0}},
    ]
    found = averages(splits)
    assert set(found) == {"ours", "peer"}
    assert found["ours"]["auc"] == 0.85
    assert found["peer"] == {
        "auc": 0.7, "ours_auc_above": 0.15, "auc_standard_error": 0.05,
        "ks": 0.55, "ours_ks_above": -0.05, "ks_standard_error": 0.05,
    }  # fmt: skip
