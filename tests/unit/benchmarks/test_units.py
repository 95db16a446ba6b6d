"""DynamoDB's units by the examples of its Developer Guide (issue 9 part 3)."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.units import Index, Table, index_units, item_size, read_units, search_units, value_size, write_units

KIB = 1024
PROJECTIONS: dict[str, Any] = {
    "all": {"ProjectionType": "ALL"},
    "keys": {"ProjectionType": "KEYS_ONLY"},
    "some": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["name"]},
}
TABLE = Table.described({
    "TableName": "orders",
    "KeySchema": [{"AttributeName": "id"}],
    "GlobalSecondaryIndexes": [
        {"IndexName": name, "KeySchema": [{"AttributeName": "status"}], "Projection": projection}
        for name, projection in PROJECTIONS.items()
    ],
})  # fmt: skip


def item(size: int = 0, **texts: str) -> dict[str, Any]:
    """An item of at least that size."""
    found: dict[str, Any] = {name: {"S": text} for name, text in {"id": "1", **texts}.items()}
    return {**found, "body": {"S": "x" * max(0, size - item_size(found) - 4)}} if size else found


def test_reads_of_the_guide() -> None:
    """3.5 KB is read as 4, 10 KB as 12; 8 KB take 2 units, 1 eventually consistent, 4 in a transaction."""
    assert read_units(int(3.5 * KIB)) == 1
    assert read_units(10 * KIB) == 3
    assert [read_units(8 * KIB), read_units(8 * KIB, consistent=False), read_units(8 * KIB, transaction=True)] == [
        2,
        1,
        4,
    ]


def test_batch_read_rounds_each_item() -> None:
    """1.5 KB and 6.5 KB in one BatchGetItem are 4 + 8 KB, not 8."""
    assert read_units(int(1.5 * KIB)) + read_units(int(6.5 * KIB)) == 3


def test_query_rounds_the_sum() -> None:
    """Items of 40.8 KB together are read as 44."""
    assert search_units([408 * KIB // 100] * 10, consistent=True) == 11


def test_what_is_not_there_is_read_for_one_unit() -> None:
    """A read of an item that does not exist, and a query that finds nothing, are billed."""
    assert (read_units(0), search_units([])) == (1, 0.5)


def test_writes_of_the_guide() -> None:
    """500 bytes are written as 1 KB, 3.5 KB as 4; 2 KB take 2 units, 4 in a transaction."""
    assert [write_units(500), write_units(int(3.5 * KIB)), write_units(2 * KIB)] == [1, 4, 2]
    plain = Table("plain")
    assert plain.written(None, item(2 * KIB)) == {"": 2}
    assert plain.written(None, item(2 * KIB), transaction=True) == {"": 4}


def test_update_is_billed_by_the_larger_item() -> None:
    """Whether it grows or shrinks, and where a condition fails."""
    plain = Table("plain")
    large, small = item(3 * KIB), item(KIB)
    assert plain.written(small, large) == plain.written(large, small) == plain.written(large, large) == {"": 3}
    assert plain.written(None, None) == {"": 1}


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, item(status="new"), 1),
        (item(), item(status="new"), 1),
        (item(status="new"), item(status="old"), 2),
        (item(status="new"), item(), 1),
        (item(status="new"), None, 1),
        (item(status="new"), item(status="new"), 0),
        (item(), item(note="x"), 0),
    ],
    ids=["put", "defined", "changed", "undefined", "deleted", "unchanged", "not indexed"],
)
def test_index_writes_of_the_guide(before: dict[str, Any], after: dict[str, Any], units: int) -> None:
    """One write for an entry that comes, goes or changes, two if its key changes, none if it stays."""
    assert index_units(TABLE.index("all"), before, after) == units


def test_projection_decides_what_an_update_costs() -> None:
    """An attribute that an index does not hold costs it nothing; one that it holds costs by the entry's size."""
    before = item(3 * KIB - 64, status="new", name="a")
    other, named = {**before, "other": {"N": "1"}}, {**before, "name": {"S": "b"}}
    assert TABLE.written(before, other) == {"": 3, "all": 3}
    assert TABLE.written(before, named) == {"": 3, "all": 3, "some": 1}
    assert TABLE.written(before, {**before, "status": {"S": "old"}}, transaction=True) == {
        "": 6, "all": 6, "keys": 2, "some": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "企業"}, 6),
        ({"N": "27"}, 2),
        ({"N": "-27"}, 3),
        ({"N": "1000000"}, 2),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"B": "AAAA"}, 3),
        ({"L": []}, 3),
        ({"L": [{"S": "a"}]}, 5),
        ({"M": {"ab": {"N": "1"}}}, 8),
        ({"SS": ["a", "bc"]}, 3),
    ],
)
def test_sizes_of_values(value: dict[str, Any], size: int) -> None:
    """Text by its UTF-8, numbers by significant digits, lists and maps 3 bytes and 1 for each part."""
    assert value_size(value) == size


def test_keys_are_always_projected() -> None:
    """An index holds the table's keys as well as its own."""
    entry = Index("i", ("status",), TABLE.index("keys").projected).entry(item(2 * KIB, status="new"))
    assert entry is not None
    assert set(entry) == {"id", "status"}
