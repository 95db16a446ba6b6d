"""What the shipped model takes over from the public loans, learnt here on the committed sample (issue 4, part 2)."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from models.train_origination import observed
from training.data import firms, sba

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def loans() -> pl.DataFrame:
    return sba.guaranteed_in_part(sba.approved_within(sba.clean(sba.read(ROOT / "tests/data/sba_sample.csv.gz"))))


@pytest.fixture(scope="module")
def learnt(loans: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in observed(loans)}


@pytest.fixture(scope="module")
def shipped() -> dict[str, dict[str, Any]]:
    text = (ROOT / "models/origination-learnt.json").read_text(encoding="utf-8")
    return {item["id"]: item for item in json.loads(text)["characteristics"]}


def test_more_employees_never_cost_points(
    learnt: dict[str, dict[str, Any]], shipped: dict[str, dict[str, Any]]
) -> None:
    for employees in (learnt["employees"], shipped["employees"]):
        (axis,) = employees["axes"]
        *known, missing = employees["points"]
        assert axis["feature"] == "employee_count"
        assert len(known) == len(axis["bounds"]) + 1 > 2
        assert all(fewer <= more for fewer, more in pairwise(known))
        assert known[0] < known[-1]
        assert missing == min(known), "to leave the number out must not pay"
        assert (employees["evidence"], employees["reason_code"]) == ("observed", "FEW_EMPLOYEES")


def test_points_follow_the_loans_that_went_bad(loans: pl.DataFrame, shipped: dict[str, dict[str, Any]]) -> None:
    """The shipped bins, put on the sample: each has fewer bad loans than the one before, but for chance."""
    (axis,) = shipped["employees"]["axes"]
    rates = [
        loans.filter(pl.col("employees").is_between(low, high, closed="left"))[sba.TARGET].mean()
        for low, high in pairwise([0, *axis["bounds"], 10_000])
    ]
    assert rates[0] > rates[-1] + 0.08
    assert all(later < before + 0.03 for before, later in pairwise(rates))


def test_each_division_has_the_points_of_its_group_or_sector(shipped: dict[str, dict[str, Any]]) -> None:
    (axis,) = shipped["industry"]["axes"]
    points = dict(zip((tuple(group) for group in axis["groups"]), shipped["industry"]["points"], strict=False))
    told = {division: value for group, value in points.items() for division in group}
    assert set(told) == set(firms.NAICS)
    assert told["C34"] > told["C18"], "machinery and apparel are groups of one sector"
    *_, other, missing = shipped["industry"]["points"]
    assert other == missing <= min(told.values())


def test_only_what_tells_firms_apart_is_taken_over(shipped: dict[str, dict[str, Any]]) -> None:
    real = {name for name, item in shipped.items() if item["evidence"] == "observed"}
    assert real == {"industry", "employees"}
    assert {item["evidence"] for item in shipped.values()} == {"observed", "simulated"}
    assert all(len(set(item["points"])) > 1 for item in shipped.values())
