"""Pages of lists over tables and short lists (S20)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creditmesh.platform.paging import LOOKED_AT, Page, Partition, Window, cut, numbered, read
from creditmesh.platform.tables import Item, Put, Update
from tests.support import wired
from tests.support.aws import table_name
from tests.support.world import World


@pytest.fixture
def table(world: World) -> str:
    return table_name("OperatorTasks")


def put(table: str, number: int, queue: str, **more: Any) -> None:
    item = {"task_id": f"t-{number:03}", "queue": queue, "created_at": f"{number // 3:03}", **more}
    wired.tables().write(Put(table, item, "task_id"))


def partition(table: str, queue: str, **options: Any) -> Partition:
    return Partition(table, ("task_id",), "queue", queue, sort="created_at", index="by-queue", **options)


def pages(
    partitions: list[Partition], limit: int, wanted: Callable[[Item], bool] | None = None
) -> Iterator[Page[Item]]:
    mark = None
    for _ in range(500):
        page = read(wired.tables(), partitions, Window(limit, mark), wanted)
        yield page
        mark = page.mark
        if mark is None:
            return
    raise AssertionError("the pages do not end")


def ids(page: Page[Item]) -> list[str]:
    return [item["task_id"] for item in page]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("newest_first", [False, True])
def test_merged_partitions_come_whole_and_in_order(table: str, limit: int, newest_first: bool) -> None:
    """Also where many have the same sort value, and one partition ends before the others or is empty."""
    for number in range(20):
        put(table, number, "ab"[number % 2] if number < 8 else "a")
    parts = [partition(table, name, newest_first=newest_first) for name in ("a", "b", "none")]
    found = [item for page in pages(parts, limit) for item in page]
    assert sorted(item["task_id"] for item in found) == [f"t-{number:03}" for number in range(20)]
    assert found == sorted(found, key=lambda item: str(item["created_at"]), reverse=newest_first)
    assert all(len(page.items) <= limit for page in pages(parts, limit))


@pytest.mark.parametrize("after", [["a"], ["b"], ["a", "b", "c"], ["c", "b", "a"], ["b", "c"], ["none", "a", "b"]])
def test_partitions_may_come_and_go_between_pages(table: str, after: list[str]) -> None:
    """As institutions do, and indexes of a firm while their key is rotated."""
    for number in range(12):
        put(table, number, "abc"[number % 3])
    first = read(wired.tables(), [partition(table, name) for name in ("a", "b")], Window(4))
    mark = json.loads(json.dumps(first.mark))
    second = read(wired.tables(), [partition(table, name) for name in after], Window(100, mark))
    rest = [f"t-{number:03}" for number in range(12) if "abc"[number % 3] in after and number not in (0, 1, 3, 4)]
    begun = ["t-002"]  # comes before what was given first, and its partition was not there then
    assert sorted(ids(second)) == [one for one in rest if one not in begun]


def test_bounds_hold_on_every_page(table: str) -> None:
    for number in range(12):
        put(table, number, "a")
    part = partition(table, "a", between=("001", "002"))
    assert [ids(page) for page in pages([part], 4)] == [["t-003", "t-004", "t-005", "t-006"], ["t-007", "t-008"]]


def test_a_page_begins_after_an_item_that_is_gone(table: str) -> None:
    for number in range(6):
        put(table, number, "a")
    first, *_ = pages([partition(table, "a")], 2)
    wired.tables().delete(table, {"task_id": "t-001"})
    wired.tables().write(Update(table, {"task_id": "t-002"}, {"queue": "b"}))
    second = read(wired.tables(), [partition(table, "a")], Window(2, first.mark))
    assert ids(second) == ["t-003", "t-004"]


def test_what_the_index_has_not_learnt_yet_is_left_out(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        put(table, number, "a")
    known = partition(table, "a").entries(wired.tables(), 9, None)
    wired.tables().write(Update(table, {"task_id": "t-001"}, {"queue": "b"}))
    wired.tables().delete(table, {"task_id": "t-002"})
    monkeypatch.setattr(Partition, "entries", lambda *_: known)
    assert ids(read(wired.tables(), [partition(table, "a")], Window(9))) == ["t-000"]


def test_a_filter_reads_so_many_and_no_more(table: str) -> None:
    for number in range(LOOKED_AT + 50):
        put(table, number, "a", stage="sought" if number > LOOKED_AT else "other")

    def wanted(item: Item) -> bool:
        return bool(item["stage"] == "sought")

    first, second = pages([partition(table, "a")], 100, wanted)
    assert (first.items, len(second.items)) == ([], 49)
    assert [len(page.items) for page in pages([partition(table, "a")], 40, wanted)] == [0, 40, 9]


def test_a_filtered_page_ends_with_the_last_wanted_item(table: str) -> None:
    """What was read after it comes on the next page."""
    for number in range(30):
        put(table, number, "a", odd=number % 2)
    found = list(pages([partition(table, "a")], 4, lambda item: bool(item["odd"])))
    assert [item["task_id"] for page in found for item in page] == [f"t-{number:03}" for number in range(1, 30, 2)]
    assert [len(page.items) for page in found] == [4, 4, 4, 3]


def test_a_tables_own_partition(world: World) -> None:
    table = table_name("ListJournal")
    for number in range(5):
        wired.tables().write(Put(table, {"journal": "j", "number": f"{number}"}, "journal"))
    part = Partition(table, ("journal", "number"), "journal", "j", sort="number", newest_first=True)
    found = [[item["number"] for item in page] for page in pages([part], 2)]
    assert found == [["4", "3"], ["2", "1"], ["0"]]


@given(items=st.sets(st.integers(0, 50)), limit=st.integers(1, 9))
def test_a_short_list_is_cut_by_its_key(items: set[int], limit: int) -> None:
    found, mark = [], None
    while True:
        page = cut(sorted(items), Window(limit, mark), lambda one: one)
        assert len(page.items) <= limit
        found += page.items
        if (mark := page.mark) is None:
            break
    assert found == sorted(items)


@pytest.mark.parametrize("newest_first", [False, True])
def test_what_a_short_list_gains_meanwhile_moves_nothing(newest_first: bool) -> None:
    first = numbered(["b", "c", "d"], Window(2), newest_first=newest_first)
    grown = ["a", "b", "c", "d"] if newest_first else ["b", "c", "d", "e"]
    second = numbered(grown, Window(2, first.mark), newest_first=newest_first)
    assert (first.items, second.items) == (["b", "c"], ["d"] if newest_first else ["d", "e"])
    assert second.mark is None
