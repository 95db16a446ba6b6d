"""The simulation behind docs/explanation/scale.md (issue 9 part 3)."""

from __future__ import annotations

import json

import pytest

from benchmarks.bench_cost import COUNTS
from benchmarks.scale import KEYS, LOANS_A_YEAR, MOST_SHARE, hottest, simulated
from benchmarks.units import Table
from tests.support import template

COUNTED = json.loads(COUNTS.read_text("utf-8"))


@pytest.mark.parametrize("loans", LOANS_A_YEAR)
def test_no_partition_takes_more_than_its_share(loans: int) -> None:
    """Of any table or index, at the busiest second."""
    found = simulated(COUNTED, loans)
    hot = {name: place for name, place in found["partitions"].items() if place["share"] > MOST_SHARE}
    assert not hot
    assert found["quotas"].keys() >= {found["first"]}


def test_a_shared_key_heats_up_with_the_load_and_shards_cool_it() -> None:
    """One partition for all takes every unit; four take about a quarter each; an own one does not depend on others."""
    written = {"outbox/by-due": 6.0, "decisions": 4.0, "closings": 26.0}
    few, lots = hottest(written, 1.0), hottest(written, 100.0)
    assert (few["outbox/by-due"]["units"], lots["outbox/by-due"]["units"]) == (6.0, 600.0)
    assert 100 < lots["decisions"]["units"] < 120
    assert few["closings"] == lots["closings"]


def test_every_table_and_index_that_shares_a_partition_is_known() -> None:
    """The counted names are the template's, and so are those with a key function."""
    properties = template.of_type(template.source(), "AWS::DynamoDB::Table")
    tables = {}
    for one in properties.values():
        name = str(template.resolve(one["TableName"], {"Stage": "local"}))
        tables[name.removeprefix("creditmesh-local-")] = Table.described(one)
    known = tables.keys() | {f"{name}/{index.name}" for name, table in tables.items() for index in table.indexes}
    assert KEYS.keys() <= known
    assert {name for row in COUNTED.values() for name in row["written"]} <= known
