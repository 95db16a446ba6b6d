"""Rows that nothing can be learnt from are refused by name; the same rows are the same set in any order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.support.populations import FEATURES, config, training_set
from training.config import ChecksConfig, FeatureConfig, SplitConfig
from training.frame import TrainingSet, TrainingSetInvalid, validate


def refused(rows: TrainingSet, settings=None) -> TrainingSetInvalid:
    with pytest.raises(TrainingSetInvalid) as problem:
        validate(rows, settings or config())
    return problem.value


def with_column(rows: TrainingSet, name: str, values) -> TrainingSet:
    return replace(rows, features=rows.features.assign(**{name: values}))


def test_a_set_that_can_be_learnt_from_passes() -> None:
    assert validate(training_set(2_000), config()) == {}


def test_thirty_rows_are_too_few() -> None:
    problem = refused(training_set(30))
    assert problem.code == "too_few_rows"
    assert "30 rows" in problem.message


def test_a_handful_of_defaults_is_too_few() -> None:
    rows = training_set(2_000)
    few = rows.take(np.concatenate([np.flatnonzero(rows.bad == 0), np.flatnonzero(rows.bad == 1)[:10]]))
    assert refused(few).code == "too_few_rows"


def test_one_class_only() -> None:
    rows = training_set(2_000)
    assert refused(rows.take(np.flatnonzero(rows.bad == 0))).code == "one_class_only"


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_weights_must_count(weight: float) -> None:
    rows = training_set(2_000)
    assert refused(replace(rows, weight=np.where(np.arange(2_000) == 7, weight, 1.0))).code == "bad_weight"


def test_an_outcome_is_yes_no_or_unknown() -> None:
    rows = training_set(2_000)
    assert refused(replace(rows, bad=np.where(np.arange(2_000) == 7, 2, rows.bad))).code == "bad_outcome"


def test_a_column_must_be_there_and_of_its_type() -> None:
    rows = training_set(2_000)
    lacking = replace(rows, features=rows.features.drop(columns="region"))
    assert refused(lacking).columns == ("region",)
    wrong = refused(with_column(rows, "age_months", rows.features["age_months"].astype(float)))
    assert (wrong.code, wrong.columns) == ("bad_dtype", ("age_months",))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (pd.array([5] * 2_000, dtype="Int64"), "constant_column"),
        (pd.array([None] * 1_995 + [1, 2, 3, 4, 5], dtype="Int64"), "empty_column"),
    ],
)
def test_columns_that_say_nothing(values, code: str) -> None:
    rows = with_column(training_set(2_000), "noise", values)
    problem = refused(rows)
    assert (problem.code, problem.columns) == (code, ("noise",))
    dropped = validate(rows, config(checks=ChecksConfig(unusable="drop")))
    assert dropped["noise"].startswith(code)


def test_a_leaked_target_is_found_by_what_it_tells() -> None:
    rows = training_set(2_000)
    # Two values in the middle tell the outcome: neither order nor type gives it away.
    leak = np.where(rows.bad == 1, 40 + np.arange(2_000) % 2, np.arange(2_000) % 39)
    problem = refused(with_column(rows, "noise", pd.array(leak, dtype="Int64")))
    assert (problem.code, problem.columns) == ("leaked_target", ("noise",))


def test_an_identifier_is_not_taken_for_a_leak() -> None:
    rows = with_column(training_set(2_000), "region", pd.Series([f"id-{i}" for i in range(2_000)], dtype=object))
    assert validate(rows, config()) == {}


def test_a_forbidden_name_is_a_leak() -> None:
    problem = refused(training_set(2_000), config(checks=ChecksConfig(forbidden=["noise"])))
    assert (problem.code, problem.columns) == ("leaked_target", ("noise",))


def test_the_out_of_time_split_needs_days() -> None:
    rows = training_set(2_000)
    undated = replace(rows, observed=np.full(2_000, np.datetime64("NaT"), dtype="datetime64[D]"))
    assert validate(undated, config()) == {}
    assert refused(undated, config(split=SplitConfig(out_of_time_share=0.2))).code == "no_date"


def test_the_hash_is_of_the_content_whatever_the_order() -> None:
    rows = training_set(1_000)
    shuffled = rows.take(np.random.default_rng(3).permutation(1_000))
    assert shuffled.content_hash() == rows.content_hash()
    assert shuffled.canonical().features.equals(rows.canonical().features)


@pytest.mark.parametrize("column", [feature.name for feature in FEATURES])
def test_the_hash_sees_every_value(column: str) -> None:
    rows = training_set(1_000)
    changed = rows.features[column].copy()
    changed.iloc[17] = None if changed.iloc[17] is not None and not pd.isna(changed.iloc[17]) else changed.iloc[18]
    assert with_column(rows, column, changed).content_hash() != rows.content_hash()


def test_the_hash_sees_outcome_weight_and_day() -> None:
    rows = training_set(1_000)
    hashes = {
        rows.content_hash(),
        replace(rows, bad=np.where(np.arange(1_000) == 5, 1 - rows.bad, rows.bad)).content_hash(),
        replace(rows, weight=np.where(np.arange(1_000) == 5, 2.0, 1.0)).content_hash(),
        replace(rows, observed=rows.observed + np.timedelta64(1, "D")).content_hash(),
    }
    assert len(hashes) == 4


def test_parts_must_be_of_one_length() -> None:
    rows = training_set(100)
    with pytest.raises(ValueError, match="one entry for each row"):
        replace(rows, bad=rows.bad[:50])


def test_a_feature_of_text_takes_text_only() -> None:
    rows = with_column(training_set(2_000), "region", pd.Series(["a", 1] * 1_000, dtype=object))
    assert refused(rows, config(features=[FeatureConfig("region", "string")])).code == "bad_dtype"
