"""Training from rows to sections: the same bits each time, points that hold, reasons for what was left out."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from itertools import chain

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from creditmesh.governance.document.parts import Known
from creditmesh.governance.document.scorecard import CalibrationStep, Scorecard
from creditmesh.risk.artefact import read_segments
from tests.support.populations import FEATURES, applicants, config, outcomes, training_set
from training import train as training
from training.additive import Additive
from training.config import (
    ChecksConfig,
    FeatureConfig,
    PairsConfig,
    ScaleConfig,
    SegmentConfig,
    SelectionConfig,
    SplitConfig,
)
from training.frame import TrainingSet, TrainingSetInvalid
from training.path import Judged, Step, as_far
from training.segments import Card

ROWS = 6_000


def train(rows: TrainingSet, **settings):
    return training.train(rows, config(**settings))


@pytest.fixture(scope="module")
def plain():
    return train(training_set(ROWS), complexity="logistic")


@pytest.fixture(scope="module")
def rich():
    return train(training_set(ROWS, paired=0.9), pairs=PairsConfig(max_pairs=3), segments=None)


def segments(model):
    """The scorecard's segments, which hold by every rule that an artefact is checked by, as its loader reads them."""
    sections = deepcopy(model.sections())
    types = {name: told["type"] for name, told in sections["feature_schema"]["features"].items()}
    cards = sections["scorecard"]["segments"]
    for item in chain.from_iterable(card["characteristics"] for card in cards):
        item["reason_code"] = "TRAINED"  # the champion gives the codes
    Scorecard.model_validate(sections["scorecard"], context=Known(types, frozenset({"TRAINED"})))
    steps = [CalibrationStep.model_validate(step) for step in sections["calibration"]]
    assert steps == sorted(steps, key=lambda step: (-step.min_score, step.pd_ppm))
    return read_segments(cards, types)


def by_the_artefact(cards, features) -> int:
    card = next(one for one in cards if one.when is None or one.when.holds(features) is True)
    return card.base_points + sum(item.points[item.cell(features)] for item in card.characteristics)


def features_of(frame: pd.DataFrame) -> list[dict]:
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [
        {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()} for row in rows
    ]


@pytest.mark.parametrize("kind", ["plain", "rich"])
def test_scores_are_those_of_the_artefacts_evaluator(kind: str, request) -> None:
    model = request.getfixturevalue(kind)
    frame, _ = applicants(300, seed=9, paired=0.9)
    frame.loc[:5, "region"] = "never seen"
    cards = segments(model)
    assert model.score(frame).tolist() == [by_the_artefact(cards, row) for row in features_of(frame)]


def test_same_rows_in_any_order_give_the_same_bits(rich) -> None:
    rows = training_set(ROWS, paired=0.9)
    shuffled = rows.take(np.random.default_rng(5).permutation(ROWS))
    again = train(shuffled, pairs=PairsConfig(max_pairs=3), segments=None)
    assert json.dumps(again.sections()) == json.dumps(rich.sections())
    assert json.dumps(again.diagnostics) == json.dumps(rich.diagnostics)


def test_another_seed_splits_otherwise(plain) -> None:
    other = train(training_set(ROWS), complexity="logistic", seed=7)
    assert other.sections() != plain.sections()
    assert other.diagnostics["data"]["content_hash"] == plain.diagnostics["data"]["content_hash"]


def test_it_ranks_nearly_as_well_as_the_truth() -> None:
    # As in the comparison of models: no rows kept back.
    model = train(training_set(ROWS), complexity="logistic", split=SplitConfig(test_share=0.0, folds=2))
    frame, log_odds = applicants(20_000, seed=77)
    bad = outcomes(log_odds, seed=78)
    assert roc_auc_score(bad, -model.score(frame)) > roc_auc_score(bad, log_odds) - 0.015


def test_calibrated_rates_hold_on_rows_never_seen(plain) -> None:
    frame, log_odds = applicants(20_000, seed=77)
    rate = plain.pd_ppm(frame) / 1e6
    truth = 1 / (1 + np.exp(-log_odds))
    for part in np.array_split(np.argsort(rate), 10):
        assert rate[part].mean() == pytest.approx(truth[part].mean(), rel=0.25, abs=0.01)
    assert rate.mean() == pytest.approx(truth.mean(), rel=0.06)


def test_what_two_features_say_together_is_found(rich) -> None:
    pairs = [item for item in segments(rich)[0].characteristics if len(item.axes) == 2]
    assert {"region", "age_months"} in [{axis.feature for axis in item.axes} for item in pairs]
    without = train(training_set(ROWS, paired=0.9), complexity="logistic")
    frame, log_odds = applicants(10_000, seed=77, paired=0.9)
    bad = outcomes(log_odds, seed=78)
    assert roc_auc_score(bad, -rich.score(frame)) > roc_auc_score(bad, -without.score(frame)) + 0.04


def test_few_rows_get_the_plain_scorecard() -> None:
    model = train(training_set(500))
    assert model.diagnostics["complexity"]["chosen_step"] == 0
    assert all(len(item["axes"]) == 1 for item in model.sections()["scorecard"]["segments"][0]["characteristics"])


def test_rounding_costs_next_to_nothing(rich, plain) -> None:
    for model in (rich, plain):
        assert max(abs(loss) for loss in model.diagnostics["rounding"].values()) <= 0.002


@pytest.mark.parametrize("kind", ["plain", "rich"])
def test_a_direction_that_is_configured_is_kept_in_every_table(kind: str, request) -> None:
    model = request.getfixturevalue(kind)
    seen = 0
    for item in segments(model)[0].characteristics:
        for place, axis in enumerate(item.axes):
            if axis.feature == "arrears_days":
                points = np.asarray(item.points).reshape([one.size for one in item.axes])
                lines = np.moveaxis(points, place, -1)[..., : axis.intervals]
                assert (np.diff(lines, axis=-1) <= 0).all()
                seen += 1
    assert seen


def test_specials_and_unknown_values_have_bins_of_their_own(plain) -> None:
    items = {item.id: item for item in segments(plain)[0].characteristics}
    arrears = items["arrears_days"]
    assert arrears.axes[0].index(-1) == arrears.axes[0].intervals
    unknown = items["revenue_minor"]
    others = {unknown.points[unknown.axes[0].index(value)] for value in (0, 10**6)}
    assert unknown.points[unknown.axes[0].missing_index] not in others


def test_forced_bins_are_used() -> None:
    forced = [FeatureConfig("age_months", "integer", bounds=[12, 60]),
              FeatureConfig("region", "string", groups=[["isles"], ["north", "south"]]), *FEATURES[:2]]  # fmt: skip
    rows = training_set(ROWS)
    model = train(rows, complexity="logistic", features=forced)
    axes = {axis["feature"]: axis for item in model.sections()["scorecard"]["segments"][0]["characteristics"]
            for axis in item["axes"]}  # fmt: skip
    assert axes["region"]["groups"] == [["isles"], ["north", "south"]]
    assert axes.get("age_months", {"bounds": [12, 60]})["bounds"] == [12, 60]


def test_every_feature_has_its_reason() -> None:
    model = train(training_set(ROWS), complexity="logistic", selection=SelectionConfig(min_iv=0.03))
    told = {row["feature"]: row for row in model.diagnostics["selection"]}
    assert set(told) == {feature.name for feature in FEATURES}
    assert not told["noise"]["kept"]
    assert told["noise"]["reason"].startswith("low_iv")
    assert told["revenue_minor"]["kept"]
    assert told["revenue_minor"]["trend"] == "falling"


def test_a_copy_of_a_feature_is_left_out() -> None:
    rows = training_set(ROWS)
    copied = replace(rows, features=rows.features.assign(copy=rows.features["revenue_minor"] * 2))
    model = train(copied, complexity="logistic", features=[*FEATURES, FeatureConfig("copy", "integer")])
    told = {row["feature"]: row for row in model.diagnostics["selection"]}
    dropped = [name for name in ("copy", "revenue_minor") if not told[name]["kept"]]
    assert len(dropped) == 1
    assert told[dropped[0]]["reason"].startswith("correlated: 1.00")


def test_unusable_columns_are_left_out_where_that_is_configured() -> None:
    rows = training_set(2_000)
    constant = replace(rows, features=rows.features.assign(noise=pd.array([1] * 2_000, dtype="Int64")))
    model = train(constant, complexity="logistic", checks=ChecksConfig(unusable="drop"))
    told = {row["feature"]: row["reason"] for row in model.diagnostics["selection"]}
    assert told["noise"].startswith("constant_column")


def test_nothing_predicts() -> None:
    rows = training_set(2_000)
    with pytest.raises(TrainingSetInvalid) as problem:
        train(rows, complexity="logistic", features=[FeatureConfig("noise", "integer", bounds=[25])])
    assert problem.value.code == "nothing_predicts"


def test_weights_count() -> None:
    rows = training_set(3_000)
    isles = (rows.features["region"] == "isles").to_numpy(dtype=bool)
    # Bad firms of the isles count five times: the region must look worse.
    heavy = replace(rows, weight=np.where(isles & (rows.bad == 1), 5.0, 1.0))
    points = []
    for one in (rows, heavy):
        item = next(item for item in segments(train(one, complexity="logistic"))[0].characteristics
                    if item.id == "region")  # fmt: skip
        points.append(item.points[item.axes[0].index("isles")])
    assert points[1] < points[0] - 20


def test_points_double_the_odds_as_the_scale_says() -> None:
    rows = training_set(ROWS)
    scores = [
        train(rows, complexity="logistic", scale=ScaleConfig(600, 20, pdo)).score(rows.features) for pdo in (20, 60)
    ]
    spread = [float(np.std(score)) for score in scores]
    assert spread[1] / spread[0] == pytest.approx(3.0, rel=0.01)


def test_the_youngest_rows_are_kept_for_the_out_of_time_test() -> None:
    model = train(training_set(ROWS), complexity="logistic", split=SplitConfig(0.2, 0.25, folds=2))
    splits = model.diagnostics["splits"]
    assert splits["out_of_time"]["rows"] == pytest.approx(ROWS / 4, rel=0.01)
    assert model.kept_back.observed.min() > model.fitted.observed.max()
    assert set(model.diagnostics["performance"]) == {"train", "test", "out_of_time"}
    assert set(model.diagnostics["stability"]) == {"test", "out_of_time"}


def test_segments_by_condition() -> None:
    wanted = [SegmentConfig("young", {"<": [{"var": "age_months"}, 90]}), SegmentConfig("rest")]
    model = train(training_set(ROWS, paired=1.2), complexity="additive", segments=wanted)
    cards = segments(model)
    assert [card.id for card in cards] == ["young", "rest"]
    frame, _ = applicants(300, seed=9)
    assert model.score(frame).tolist() == [by_the_artefact(cards, row) for row in features_of(frame)]


def test_grades_are_apart_and_their_rates_rise(plain) -> None:
    grades = plain.sections()["grades"]
    assert len(grades) >= 2
    for upper, lower in zip(grades, grades[1:], strict=False):
        assert upper["pd_high_bps"] <= lower["pd_low_bps"] + 1
        assert upper["pd_bps"] < lower["pd_bps"]
        assert upper["min_score"] > lower["min_score"]
    assert grades[-1]["min_score"] == plain.sections()["scorecard"]["cutoff"]


def test_simulated_outcomes_show_everywhere() -> None:
    model = train(replace(training_set(2_000), outcome_kind="simulated"), complexity="logistic")
    assert {item["evidence"] for item in model.sections()["scorecard"]["segments"][0]["characteristics"]} == {
        "simulated"
    }
    assert "simulated" in model.diagnostics["limits_of_use"][0]


@pytest.mark.parametrize("complexity", ["logistic", "pairs"])
def test_columns_that_nobody_would_choose_do_no_harm(complexity: str) -> None:
    rows, random = training_set(1_500), np.random.default_rng(3)
    odd = {
        "ends": pd.array(random.choice([2**63 - 1, -(2**63), 0, 7], 1_500), dtype="Int64"),
        "id": pd.Series([f"firm {number}" for number in range(1_500)], dtype=object),
        "rare": pd.array(np.arange(1_500) < 16, dtype="boolean"),
        "codes": pd.array(random.choice([-1, -2], 1_500), dtype="Int64"),
        "signs": pd.Series(random.choice(["é", "中文", "a|b", "", " ", None], 1_500), dtype=object),
        "sparse": pd.array(np.where(np.arange(1_500) % 40 == 0, np.arange(1_500), None), dtype="Int64"),
    }
    features = [FeatureConfig("ends", "integer"), FeatureConfig("id", "string"), FeatureConfig("rare", "boolean"),
                FeatureConfig("codes", "integer", specials=[[-1], [-2]]), FeatureConfig("signs", "string"),
                FeatureConfig("sparse", "integer")]  # fmt: skip
    both = rows.features.assign(**odd)
    model = train(replace(rows, features=both), complexity=complexity, features=[*FEATURES, *features])
    cards, frame = segments(model), both.head(200)
    assert model.score(frame).tolist() == [by_the_artefact(cards, row) for row in features_of(frame)]
    told = {row["feature"]: row["reason"] for row in model.diagnostics["selection"]}
    assert told["id"].startswith("no_common_value")


def grown(pair_steps: int, *segments: int) -> list[Step]:
    """Steps as they come: logistic regression, pairs, then more and more segments; the intercept is the number."""
    card = Card(SegmentConfig("one"), Additive(0.0))
    counts = [*[0] * (pair_steps + 1), *segments]
    return [Step(Additive(float(number)), [], [], [card] * count) for number, count in enumerate(counts)]


def judged(steps: int, cards: int) -> Judged:
    return Judged(steps, [], np.empty(0), np.empty(0, np.intp), cards=cards)


@pytest.mark.parametrize(
    ("steps", "chosen", "number"),
    [
        pytest.param(grown(5, 2, 4), judged(6, 4), 7, id="more pairs before the segments"),
        pytest.param(grown(2, 2, 4), judged(6, 4), 4, id="fewer pairs"),
        pytest.param(grown(2, 2), judged(6, 4), 3, id="fewer segments"),
        pytest.param(grown(2, 2, 4), judged(6, 0), 2, id="one scorecard was best, and fewer pairs"),
        pytest.param(grown(5, 2, 4), judged(3, 0), 3, id="one scorecard was best"),
        pytest.param(grown(5), judged(0, 0), 0, id="the plain one was best"),
    ],
)
def test_all_rows_are_grown_as_far_as_was_judged_best(steps: list[Step], chosen: Judged, number: int) -> None:
    """What counts is how many segments there are, not after how many pairs they began."""
    assert as_far(iter(steps), chosen, by_number=False).model.intercept == number


def test_with_segments_that_are_named_a_step_is_told_by_its_number() -> None:
    steps = grown(0, 2, 2, 2, 2)[1:]
    assert as_far(iter(steps), judged(2, 2), by_number=True) is steps[2]
