"""Calibration, grades, price, limit and risk index, each worked out by hand (C15, E11-E13, M09, M10)."""

from __future__ import annotations

from typing import Any

import pytest

from creditmesh.risk.result import LimitSteps
from tests.unit.risk.small_model import (
    card,
    characteristic,
    dimension,
    grade,
    index_of,
    loaded,
    method,
    outcome,
    over,
    small,
    term,
)

MAX = 10**15


def at_score(score: int, **parts: Any) -> Any:
    """The result of a firm that has exactly this score."""
    item = characteristic("debt", [score, score], over("debt"))
    return outcome(scorecard=card(item, cutoff=-10_000), **{"grades": [grade("A", -10_000, 100)], **parts})


@pytest.mark.parametrize(
    ("score", "rate"),
    [(91, 1_000), (90, 1_000), (89, 20_000), (60, 20_000), (59, 300_000), (0, 300_000), (-9, 300_000)],
)
def test_the_default_rate_is_that_of_the_step_the_score_reaches(score: int, rate: int) -> None:
    assert at_score(score).pd_ppm == rate


@pytest.mark.parametrize(("score", "name"), [(90, "A"), (89, "B"), (70, "B"), (69, "C"), (50, "C"), (49, "C")])
def test_the_grade_is_that_of_the_least_score_reached(score: int, name: str) -> None:
    grades = [grade("A", 90, 100), grade("B", 70, 200), grade("C", -10_000, 400)]
    assert at_score(score, grades=grades).grade == name


def test_below_the_cutoff_nothing_is_priced_or_lent() -> None:
    result = outcome({"debt": 100, "kind": None})
    assert (result.decision, result.stage, result.score, result.grade) == ("decline", "score", 45, None)
    assert (result.annual_rate_bps, result.limit_minor, result.limit_steps, result.price_reasons) == (None,) * 3 + ((),)
    assert result.reasons == ("UNKNOWN", "DEBT")
    assert result.pd_ppm == 300_000


def test_a_rate_is_made_of_funding_expected_loss_cost_and_margin() -> None:
    model = loaded(grades=[grade("A", 0, 101)])
    (steps,) = model.prices
    assert (steps.funding_bps, steps.expected_loss_bps, steps.cost_bps, steps.margin_bps) == (300, 51, 100, 100)
    assert (steps.uncapped_bps, steps.annual_rate_bps, steps.refused) == (551, 551, False)


@pytest.mark.parametrize(
    ("above", "cap", "expected"),
    [
        ("decline", 550, ("approve", "approved", 550, ())),
        ("decline", 549, ("decline", "price", None, ("PRICE",))),
        ("cap", 549, ("approve", "approved", 549, ())),
        ("cap", 0, ("approve", "approved", 0, ())),
    ],
)
def test_a_rate_above_the_legal_cap_is_refused_or_cut(above: str, cap: int, expected: Any) -> None:
    result = outcome(price={**small()["price"], "above_cap": above, "cap_bps": cap})
    assert (result.decision, result.stage, result.annual_rate_bps, result.reasons) == expected


def test_too_dear_names_what_made_it_dear() -> None:
    result = outcome({"debt": 60, "kind": "C"}, price={**small()["price"], "cap_bps": 600})
    assert (result.stage, result.grade, result.limit_steps, result.score) == ("price", "C", None, 65)
    assert result.reasons == ("PRICE", "KIND", "DEBT")


@pytest.mark.parametrize(
    ("features", "grade", "reasons"),
    [({}, "A", ()), ({"debt": 60}, "B", ("DEBT",)), ({"kind": "C"}, "B", ("KIND",))],
)
def test_a_rate_that_is_not_the_best_is_explained(features: dict[str, Any], grade: str, reasons: Any) -> None:
    result = outcome(features)
    assert (result.decision, result.grade, result.price_reasons, result.reasons) == ("approve", grade, reasons, ())


def least(*methods: dict[str, Any], **features: Any) -> LimitSteps:
    """The limit's steps with these methods and a fixed one so high that it never binds."""
    formula = {**small()["limit"], "methods": [*methods, method("cap", reason="CAP", amount_minor=MAX)]}
    steps = outcome(features, limit={**formula, "step_minor": 1, "floor_minor": 1}).limit_steps
    assert steps is not None
    return steps


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ([term("amount")], 1_000_000),
        ([term("debt", "amount")], 1_000_000),
        ([term("amount", factor_bps=3_333)], 333_300),
        ([term("debt", factor_bps=1)], 0),
        ([term("amount"), term("debt", factor_bps=-10_000)], 999_970),
        ([term("amount", factor_bps=0), term("debt", factor_bps=-1)], 0),
        ([term("debt"), term("amount", factor_bps=-10_000)], 0),
        ([term("debt", factor_bps=-3_333), term("amount")], 999_991),
        ([term("amount", factor_bps=1_000_000)] * 3, 300_000_000),
    ],
)
def test_a_method_is_a_sum_of_shares_each_rounded_down_and_none_below_nought(terms: Any, expected: int) -> None:
    """A negative share is rounded towards nought, as a positive one is."""
    assert dict(least(method("m", *terms)).methods)["m"] == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (("skip",), None),
        (("zero",), 0),
        (("ignore",), 0),
        (("skip", None), None),
        (("zero", None), 0),
        (("ignore", None), 1_000_000),
        (("skip", "zero"), 0),
        (("ignore", "skip"), None),
        (("ignore", "zero", None), 0),
    ],
)
def test_the_unknown_leaves_a_method_out_makes_it_nought_or_counts_as_nought(rules: Any, expected: int | None) -> None:
    """``None`` here is a term whose feature is known; «zero» outdoes «skip», whatever their order."""
    terms = [term("debt", if_missing=rule) if rule else term("amount") for rule in rules]
    for order in (terms, terms[::-1]):
        assert dict(least(method("m", *order), debt=None).methods)["m"] == expected


def test_only_all_features_unknown_is_unknown() -> None:
    share = method("m", term("amount", "debt", if_missing="skip"))
    assert dict(least(share, amount=None).methods)["m"] == 30
    assert dict(least(share, amount=None, debt=None).methods)["m"] is None


@pytest.mark.parametrize(("amount", "taken"), [(-1, 0), (-(2**63), 0), (MAX, MAX), (MAX + 1, MAX), (2**63 - 1, MAX)])
def test_amounts_are_cut_before_they_are_multiplied(amount: int, taken: int) -> None:
    assert dict(least(method("m", term("amount")), amount=amount).methods)["m"] == taken
    assert dict(least(method("m", term("amount", factor_bps=10**6)), amount=amount).methods)["m"] == taken * 100


def test_the_least_method_binds_and_the_first_of_several() -> None:
    steps = least(method("high", term("amount")), method("low", term("debt")), method("same", term("debt")))
    assert (steps.binding_method, steps.least_minor) == ("low", 30)


def test_the_limit_is_the_least_times_the_grades_share_down_to_a_whole_step() -> None:
    result = outcome({"debt": 60, "amount": 1_234_567})
    assert result.limit_steps == LimitSteps(
        methods=(("share", 1_234_567), ("cap", 5_000_000)),
        binding_method="share",
        least_minor=1_234_567,
        grade_factor_bps=5_000,
        factored_minor=617_283,
        step_minor=1_000,
        rounded_minor=617_000,
        floor_minor=10_000,
    )
    assert (result.decision, result.limit_minor) == ("approve", 617_000)


@pytest.mark.parametrize(
    ("amount", "stage"), [(10_000, "approved"), (9_999, "limit"), (0, "limit"), (-5, "limit"), (None, "limit")]
)
def test_less_than_the_floor_is_a_decline_that_names_what_bound_it(amount: int | None, stage: str) -> None:
    result = outcome({"amount": amount})
    assert result.stage == stage
    assert (result.limit_minor is None, result.annual_rate_bps is None) == (stage == "limit",) * 2
    bound = "UNKNOWN" if amount is None else "METHOD"
    assert result.reasons == (("FLOOR", bound) if stage == "limit" else ())
    assert result.limit_steps is not None


LEVELS = (("HIGH", 7_000, "stop"), ("MID", 3_000, "refer"), ("LOW", 0, "pass"))


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (100, (10_000, "HIGH", "index")),
        (70, (7_000, "HIGH", "index")),
        (69, (6_900, "MID", "referred")),
        (30, (3_000, "MID", "referred")),
        (29, (2_900, "LOW", "approved")),
        (0, (0, "LOW", "approved")),
    ],
)
def test_an_index_grade_stops_refers_or_lets_pass(base: int, expected: Any) -> None:
    result = outcome(risk_index=index_of(dimension("d", 10_000, base), grades=LEVELS))
    assert result.risk_index is not None
    assert (result.risk_index.index, result.risk_index.grade, result.stage) == expected
    assert result.reasons == (() if result.stage == "approved" else ("INDEX",))
    assert (result.limit_steps is None) == (result.stage == "index")


@pytest.mark.parametrize(
    ("debt", "grades"),
    [(0, {"a": 100, "b": 5}), (50, {"a": 0, "b": 45}), (100, {"a": 99, "b": 7}), (None, {"a": 4, "b": 5})],
)
def test_a_dimension_is_its_base_and_points_within_nought_and_a_hundred(debt: int | None, grades: Any) -> None:
    """R = (7,500 × a + 2,500 × b) ÷ 100, rounded down."""
    two = (dimension("a", 7_500, 4, 900, -900, 95, 0), dimension("b", 2_500, 5, 0, 40, 2, 0))
    result = outcome({"debt": debt}, risk_index=index_of(*two, grades=(("ANY", 0, "pass"),)))
    assert result.risk_index is not None
    assert dict(result.risk_index.dimensions) == grades
    assert result.risk_index.index == (7_500 * grades["a"] + 2_500 * grades["b"]) // 100


def test_weights_may_leave_a_part_of_a_hundredth_which_is_dropped() -> None:
    three = [dimension(name, weight, 1) for name, weight in (("a", 3_333), ("b", 3_333), ("c", 3_334))]
    two = [dimension("a", 3_333, 1), dimension("b", 6_667, 0)]
    for dimensions, index in ((three, 100), (two, 33)):
        result = outcome(risk_index=index_of(*dimensions, grades=(("ANY", 0, "pass"),)))
        assert result.risk_index is not None
        assert result.risk_index.index == index


def test_without_an_index_there_is_none() -> None:
    assert outcome().to_dict()["risk_index"] is None
