"""Bins are the artefact's: its own axes give the same index for every value; merging keeps what differs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from creditmesh.risk.points import Axis as ArtefactAxis
from training.axes import Axis, Coded
from training.logistic import woe
from training.merging import isotonic, merge_grid, merge_line
from training.sample import Sample

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(
    st.lists(INT64, unique=True, max_size=6),
    st.lists(st.one_of(st.none(), INT64), min_size=1, max_size=30),
    st.lists(INT64, unique=True, max_size=3),
)
def test_integers_fall_into_the_artefacts_bins(bounds, values, specials) -> None:
    groups = tuple((value,) for value in specials)
    axis = Axis("f", "integer", tuple(sorted(bounds)), (), groups)
    judge = ArtefactAxis("f", "integer", tuple(sorted(bounds)), groups)
    values = [*values, *bounds, *specials, *(bound - 1 for bound in bounds if bound > -(2**63))]
    assert list(axis.codes(pd.Series(values, dtype="Int64"))) == [judge.index(value) for value in values]
    assert axis.size == judge.size


def test_text_and_booleans_fall_into_the_artefacts_bins() -> None:
    groups = (("a", "1"), ("True",))
    values = ["a", "1", "True", "b", None, "A"]
    codes = Axis("f", "string", (), groups).codes(pd.Series(values, dtype=object))
    assert list(codes) == [ArtefactAxis("f", "string", (), groups).index(value) for value in values]
    flags = Axis("f", "boolean", (), ((False,), (True,)))
    assert list(flags.codes(pd.Series([True, False, None], dtype="boolean"))) == [1, 0, 3]


def test_an_axis_survives_its_section() -> None:
    axis = Axis("f", "integer", (1, 5), (), ((-1, -2),))
    assert Axis.of_section(axis.section(), "integer") == axis
    assert axis.labels() == ["< 1", "1 … 4", "≥ 5", "-1, -2", "missing"]
    groups = Axis("g", "string", (), (("a", "b"),))
    assert Axis.of_section(groups.section(), "string") == groups


def test_cells_of_a_pair_go_row_by_row() -> None:
    first, second = Axis("a", "integer", (10,)), Axis("b", "boolean", (), ((False,), (True,)))
    frame = pd.DataFrame(
        {"a": pd.array([3, 10, None], dtype="Int64"), "b": pd.array([True, False, None], dtype="boolean")}
    )
    assert list(Coded(frame).cells([first, second])) == [0 * 4 + 1, 1 * 4 + 0, 2 * 4 + 3]


def test_neighbours_that_say_the_same_are_merged() -> None:
    rate, count = np.array([0.1, 0.1, 0.3, 0.3, 0.3, 0.05]), np.full(6, 1_000.0)
    merged = merge_line((rate - 0.2) * count, 0.16 * count, count, max_bins=10, min_count=10, penalty=3)
    assert list(merged) == [0, 0, 1, 1, 1, 2]


def test_bins_with_too_few_rows_are_merged_first() -> None:
    count = np.array([1_000.0, 3.0, 1_000.0])
    merged = merge_line(np.array([-50.0, 3.0, 50.0]), 0.16 * count, count, max_bins=10, min_count=30, penalty=1)
    assert len(set(merged)) == 2


def test_a_grid_is_cut_to_its_cells_and_keeps_the_last_bins() -> None:
    shape = (12, 9)
    g, h = np.random.default_rng(1).normal(0, 5, shape), np.full(shape, 20.0)
    g[:6, :4] += 40
    rows, columns = merge_grid(g, h, [True, False], [2, 2], max_cells=30, penalty=0.7, ridge=10)
    sizes = len(set(rows)), len(set(columns))
    assert sizes[0] * sizes[1] <= 30
    # Specials, other and missing are nobody's neighbours.
    assert sum(rows == rows[-1]) == sum(columns == columns[-2]) == 1
    # Ordered: only neighbours share a number. What differs most is kept apart.
    assert all(np.diff(rows) >= 0)
    assert rows[0] != rows[9]


@pytest.mark.parametrize("rising", [True, False])
@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0.1, 9)), min_size=1, max_size=30))
def test_pooled_values_are_in_order_and_keep_their_mean(rising: bool, pairs) -> None:
    values, weight = (np.array(part) for part in zip(*pairs, strict=True))
    pooled = isotonic(values, weight, rising)
    assert all((np.diff(pooled) if rising else -np.diff(pooled)) >= -1e-9)
    assert np.average(pooled, weights=weight) == pytest.approx(np.average(values, weights=weight))
    assert np.allclose(isotonic(pooled, weight, rising), pooled)


def test_a_handful_of_unknowns_is_no_better_than_the_average() -> None:
    """Eleven firms that did not tell and happened to pay: not telling must not become the best bin."""
    told = ["a"] * 60 + ["b"] * 60
    bad = np.array([1] * 20 + [0] * 40 + [1] * 10 + [0] * 50 + [0] * 11, np.int8)
    frame = pd.DataFrame({"kind": pd.Series([*told, *[None] * 11], dtype=object)})
    axis = Axis("kind", "string", (), (("a",), ("b",)))
    sample = Sample.of(frame, bad, np.ones(len(bad)))
    few, enough = woe(axis, sample, 30), woe(axis, sample, 11)
    assert few[-1] == 0.0
    assert enough[-1] < enough[1] < 0 < enough[0]
    assert few[:2].tolist() == enough[:2].tolist()
    worse = Sample.of(frame, 1 - bad, np.ones(len(bad)))
    assert woe(axis, worse, 30)[-1] == woe(axis, worse, 11)[-1] > 0
