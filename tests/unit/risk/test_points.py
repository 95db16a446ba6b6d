"""Axes, bins, special values, pairs and segments: which cell a firm falls into, and what it gives (C14)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.risk.small_model import card, characteristic, grade, groups, loaded, outcome, over, small

ONE = [grade("A", -10_000, 100)]
"""One grade for every score."""


def cell(name: str, *axes: dict[str, Any], points: list[int], **features: Any) -> tuple[str, int, int]:
    """The cell's name, its points, and what was lost, on a scorecard of this one characteristic."""
    (line,) = outcome(features, scorecard=card(characteristic(name, points, *axes), cutoff=-1_000), grades=ONE).points
    return line.bin, line.points, line.lost


@pytest.mark.parametrize(
    ("debt", "expected"),
    [
        (-(2**63), ("(-inf, 50)", 4, 0)),
        (49, ("(-inf, 50)", 4, 0)),
        (50, ("[50, 100)", 3, 1)),
        (99, ("[50, 100)", 3, 1)),
        (100, ("[100, inf)", 2, 2)),
        (2**63 - 1, ("[100, inf)", 2, 2)),
        (None, ("missing", 1, 3)),
    ],
)
def test_a_bound_belongs_to_the_interval_above_it(debt: int | None, expected: tuple[str, int, int]) -> None:
    assert cell("debt", over("debt", 50, 100), points=[4, 3, 2, 1], debt=debt) == expected


@pytest.mark.parametrize(
    ("debt", "expected"),
    [
        (0, ("0|7", -8, 12)),
        (7, ("0|7", -8, 12)),
        (99, ("99", -9, 13)),
        (1, ("(-inf, 50)", 4, 0)),
        (98, ("[50, inf)", 3, 1)),
        (None, ("missing", 1, 3)),
    ],
)
def test_special_values_come_before_the_intervals_they_lie_in(debt: int | None, expected: Any) -> None:
    axis = over("debt", 50, specials=((0, 7), (99,)))
    assert cell("debt", axis, points=[4, 3, -8, -9, 1], debt=debt) == expected


def test_an_axis_without_bounds_tells_only_the_known_from_the_unknown() -> None:
    assert cell("debt", over("debt"), points=[5, 0], debt=3) == ("(-inf, inf)", 5, 0)
    assert cell("debt", over("debt"), points=[5, 0], debt=None) == ("missing", 0, 5)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("A", ("A|B", 4, 0)), ("B", ("A|B", 4, 0)), ("C", ("C", 3, 1)), ("a", ("other", 2, 2)), ("", ("other", 2, 2)),
     (None, ("missing", 1, 3))],
)  # fmt: skip
def test_categories_are_told_apart_to_the_letter(kind: str | None, expected: tuple[str, int, int]) -> None:
    assert cell("kind", groups("kind", ("A", "B"), ("C",)), points=[4, 3, 2, 1], kind=kind) == expected


@pytest.mark.parametrize(("flag", "name"), [(True, "true"), (False, "other"), (None, "missing")])
def test_a_boolean_is_a_category(flag: bool | None, name: str) -> None:
    assert cell("kind", groups("flag", (True,)), points=[1, 2, 3], flag=flag)[0] == name


PAIR = (over("debt", 50), groups("kind", ("A",), ("B",)))
GRID = [11, 12, 13, 14,
        21, 22, 23, 24,
        31, 32, 33, 34]  # fmt: skip


@pytest.mark.parametrize(
    ("debt", "kind", "expected"),
    [
        (0, "A", ("(-inf, 50) × A", 11)),
        (0, "B", ("(-inf, 50) × B", 12)),
        (0, "?", ("(-inf, 50) × other", 13)),
        (0, None, ("(-inf, 50) × missing", 14)),
        (50, "A", ("[50, inf) × A", 21)),
        (None, "B", ("missing × B", 32)),
        (None, None, ("missing × missing", 34)),
    ],
)
def test_a_pair_has_points_for_every_two_bins_row_by_row(debt: int | None, kind: str | None, expected: Any) -> None:
    found = cell("pair", *PAIR, points=GRID, debt=debt, kind=kind)
    assert found == (*expected, 34 - expected[1])


def segments(*found: tuple[str, dict[str, Any] | None, int]) -> dict[str, Any]:
    """A scorecard of segments (id, condition, base points), each with a characteristic named after it."""
    made = [
        {"id": name, "when": when, "base_points": base,
         "characteristics": [characteristic(f"{name}_debt", [20, 0, 0], over("debt", 50), reason="DEBT")]}
        for name, when, base in found
    ]  # fmt: skip
    return {**small()["scorecard"], "cutoff": 0, "segments": made}


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"kind": "A"}, ("first", 70, "first_debt")),
        ({"kind": "A", "flag": True}, ("first", 70, "first_debt")),
        ({"kind": "B", "flag": True}, ("second", 80, "second_debt")),
        ({"kind": None, "flag": True}, ("second", 80, "second_debt")),
        ({"kind": None, "flag": None}, ("rest", 90, "rest_debt")),
        ({"kind": "B"}, ("rest", 90, "rest_debt")),
    ],
)
def test_the_first_segment_whose_condition_is_true_gives_the_score(features: dict[str, Any], expected: Any) -> None:
    """An unknown condition is not true; the last segment takes whoever is left."""
    first, second = {"==": [{"var": "kind"}, "A"]}, {"==": [{"var": "flag"}, True]}
    scorecard = segments(("first", first, 50), ("second", second, 60), ("rest", None, 70))
    result = outcome(features, scorecard=scorecard, grades=ONE)
    assert (result.segment, result.score, result.points[0].characteristic) == expected


def test_most_lost_comes_first_and_the_scorecards_order_among_equals() -> None:
    items = [
        characteristic("debt", [9, 4, 0], over("debt", 10)),
        characteristic("kind", [9, 2, 0], groups("kind", ("Z",))),
        characteristic("pair", [9, 4, 0], groups("flag", (True,))),
    ]
    result = outcome(scorecard=card(*items, cutoff=100), grades=ONE)
    assert (result.stage, result.reasons) == ("score", ("KIND", "DEBT", "PAIR"))


def test_a_code_stands_once_and_the_codes_are_no_more_than_allowed() -> None:
    items = [
        characteristic(name, [9, lost, lost], over("debt", 10), reason=reason)
        for name, lost, reason in (("a", 1, "DEBT"), ("b", 2, "DEBT"), ("c", 3, "KIND"), ("d", 4, "PAIR"))
    ]
    result = outcome(scorecard=card(*items, cutoff=99), grades=ONE, max_reasons=2)
    assert result.reasons == ("DEBT", "KIND")


def test_all_characteristics_are_those_of_segments_and_of_the_index() -> None:
    model = loaded(scorecard=segments(("first", {"missing": "kind"}, 0), ("rest", None, 0)), grades=ONE)
    assert [item.id for item in model.characteristics] == ["first_debt", "rest_debt"]


def test_of_what_is_unknown_nothing_worse_is_said() -> None:
    items = (
        characteristic("debt", [20, 10, 0, -5], over("debt", 50, 100)),
        characteristic("kind", [20, 5, -5], groups("kind", ("A", "B"))),
    )
    told = outcome({"debt": None, "kind": "Z"}, scorecard=card(*items, cutoff=99), grades=ONE)
    assert told.reasons == ("UNKNOWN", "KIND")
    both = outcome({"debt": None, "kind": None}, scorecard=card(*items, cutoff=99), grades=ONE)
    assert both.reasons == ("UNKNOWN",)
