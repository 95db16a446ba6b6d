"""DynamoDB as stores use it (DESIGN 5)."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from creditmesh.kernel.errors import Unavailable
from creditmesh.platform.settings import settings
from creditmesh.platform.tables import ConditionFailed, Put, Ref, Tables, Update, decode, encode
from tests.support import wired
from tests.support.aws import table_name
from tests.support.world import World

TABLE = table_name("OperatorTasks")
KEY = {"task_id": "t-1"}


@pytest.fixture
def tables(world: World) -> Tables:
    return wired.tables()


def stored(tables: Tables) -> dict[str, Any]:
    found = tables.get(TABLE, KEY)
    assert found is not None
    return found


def test_items_come_back_as_they_went() -> None:
    item = {"text": "名", "count": 10**17, "flag": False, "list": [1, {"a": None}], "map": {"b": "c"}, "bytes": "x"}
    assert decode(encode(item)) == item
    assert decode(encode({**item, "nothing": None})) == item
    assert isinstance(decode(encode({"count": 3}))["count"], int)


def test_a_set_is_written_in_one_order() -> None:
    assert encode({"a": {"c", "a", "b"}}) == {"a": {"SS": ["a", "b", "c"]}}


@pytest.mark.parametrize("value", [1.5, [object()]])
def test_what_we_do_not_store_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        encode({"a": value})


def test_a_condition_on_what_lies_in_a_map(tables: Tables) -> None:
    tables.write(Put(TABLE, {**KEY, "waiting": {"token": "t-1", "since": "now"}}, "task_id"))
    with pytest.raises(ConditionFailed):
        tables.write(Update(TABLE, KEY, set={"a": 1}, where={"waiting.token": "t-2"}))
    tables.write(Update(TABLE, KEY, set={"a": 1}, where={"waiting.token": "t-1"}))
    assert stored(tables)["a"] == 1


def test_a_new_item_must_be_new(tables: Tables) -> None:
    tables.write(Put(TABLE, {**KEY, "a": 1}, "task_id"))
    with pytest.raises(ConditionFailed):
        tables.write(Put(TABLE, {**KEY, "a": 2}, "task_id"))
    assert stored(tables)["a"] == 1
    tables.write(Put(TABLE, {**KEY, "a": 2}, "task_id", replace=True))
    assert stored(tables) == {**KEY, "a": 2}


def test_what_is_not_there(tables: Tables) -> None:
    assert tables.get(TABLE, KEY) is None
    tables.delete(TABLE, KEY)
    with pytest.raises(ConditionFailed):
        tables.write(Update(TABLE, KEY, set={"a": 1}))
    assert tables.get(TABLE, KEY) is None


def test_a_change_sets_removes_and_appends(tables: Tables) -> None:
    tables.write(Put(TABLE, {**KEY, "status": "open", "queue": "q", "log": [1]}, "task_id"))
    change = Update(
        TABLE, KEY, set={"status": "done", "kept": None}, remove=("queue", "never_there"),
        append={"log": [2, 3], "more": ["x"]}, where={"status": ("open", "claimed")},
    )  # fmt: skip
    tables.write(change)
    assert stored(tables) == {**KEY, "status": "done", "log": [1, 2, 3], "more": ["x"]}
    with pytest.raises(ConditionFailed):
        tables.write(change)


@pytest.mark.parametrize(
    "conditions",
    [{"where": {"status": "closed"}}, {"where": {"absent": "x"}}, {"absent": ("status",)},
     {"where": {"status": "open", "count": 2}}],
)  # fmt: skip
def test_a_change_that_does_not_meet_its_state_changes_nothing(tables: Tables, conditions: dict[str, Any]) -> None:
    tables.write(Put(TABLE, {**KEY, "status": "open", "count": 1}, "task_id"))
    with pytest.raises(ConditionFailed):
        tables.write(Update(TABLE, KEY, set={"count": 9}, **conditions))
    assert stored(tables)["count"] == 1


def test_words_dynamodb_reserves_may_be_attributes(tables: Tables) -> None:
    tables.write(Put(TABLE, {**KEY, "status": "a"}, "task_id"))
    reserved = {"status": "b", "set": 1, "where": 2, "name": 3, "a.b": 4, "size": 5}
    tables.write(Update(TABLE, KEY, set=reserved, where={"status": "a"}, absent=("set", "a.b")))
    assert stored(tables) == {**KEY, **reserved}


def test_a_transaction_is_carried_out_whole_or_not_at_all(tables: Tables) -> None:
    tables.write(Put(TABLE, {**KEY, "status": "open"}, "task_id"))
    other = Put(TABLE, {"task_id": "t-2"}, "task_id")
    with pytest.raises(ConditionFailed):
        tables.transact([Update(TABLE, KEY, set={"status": "x"}, where={"status": "closed"}), other], "token")
    assert tables.get(TABLE, {"task_id": "t-2"}) is None
    tables.transact([Update(TABLE, KEY, set={"status": "x"}, where={"status": "open"}), other], "token")
    assert tables.get(TABLE, {"task_id": "t-2"}) is not None
    assert stored(tables)["status"] == "x"


def test_a_fault_of_dynamodb_is_not_a_condition(tables: Tables) -> None:
    with pytest.raises(ClientError) as fault:
        tables.transact([Put("NoSuchTable", KEY, "task_id")], "token")
    assert not isinstance(fault.value, ConditionFailed)


def test_a_partition_page_after_page(tables: Tables) -> None:
    numbers = range(30)
    for number in numbers:
        # Together more than the megabyte that one page holds.
        item = {"task_id": f"t-{number}", "queue": "q", "created_at": f"{number:02}", "filler": "x" * 60_000}
        tables.write(Put(TABLE, item, "task_id"))

    def found(**options: Any) -> list[str]:
        return [item["created_at"] for item in tables.query(TABLE, "queue", "q", index="by-queue", **options)]

    assert found() == [f"{number:02}" for number in numbers]
    assert found(newest_first=True, limit=3) == ["29", "28", "27"]
    assert found(limit=25) == [f"{number:02}" for number in range(25)]
    assert found(until=("created_at", "02")) == ["00", "01", "02"]
    assert list(tables.query(TABLE, "queue", "other", index="by-queue")) == []


def test_many_items_come_in_the_order_asked_for(tables: Tables) -> None:
    """Also beyond the hundred keys of one call; what is not there is left out."""
    for number in range(120):
        tables.write(Put(TABLE, {"task_id": f"t-{number}", "n": number, "more": "x"}, "task_id"))
    keys = [{"task_id": f"t-{number}"} for number in range(119, -1, -1)]
    found = tables.batch_get(TABLE, [*keys, {"task_id": "none"}], ("task_id", "n"))
    assert found == [{"task_id": f"t-{number}", "n": number} for number in range(119, -1, -1)]
    assert tables.batch_get(TABLE, []) == []


def test_items_of_several_tables_come_by_one_call(tables: Tables) -> None:
    """In the order asked for; None where a table has none."""
    key = {"application_id": "app-1"}
    tables.write(Put(settings().closings_table, {**key, "note": "c"}, "application_id"))
    found = tables.get_each(Ref(settings().applications_table, key), Ref(settings().closings_table, key))
    assert found == [None, {**key, "note": "c"}]


class Throttled:
    """A client that answers one key of a batch at a time, and none once it has answered so many."""

    meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_, **__: None))

    def __init__(self, answers: int) -> None:
        self.answers = answers

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        keys = RequestItems[TABLE]["Keys"]
        given = keys[: min(1, self.answers)]
        self.answers -= len(given)
        left = keys[len(given) :]
        return {"Responses": {TABLE: given}, "UnprocessedKeys": {TABLE: {"Keys": left}} if left else {}}


def test_what_a_batch_leaves_is_asked_for_again() -> None:
    keys = [{"task_id": f"t-{number}"} for number in range(3)]
    assert Tables(cast(Any, Throttled(3))).batch_get(TABLE, keys) == keys
    with pytest.raises(Unavailable):
        Tables(cast(Any, Throttled(2))).batch_get(TABLE, keys)


def test_an_item_that_left_its_list_meanwhile_is_not_listed(tables: Tables, world: World) -> None:
    """An index follows the table a moment later."""
    for name, queue in (("t-1", "open"), ("t-2", "open"), ("t-3", "done")):
        item = {"task_id": name, "queue": queue, "created_at": name, "note": "x"}
        tables.write(Put(TABLE, item, "task_id"))
    stale = [{"task_id": "t-1"}, {"task_id": "t-3"}, {"task_id": "gone"}]

    class Behind(Tables):
        def query(self, *_: Any, **__: Any) -> Iterator[dict[str, Any]]:
            return iter(stale)

    listed = Behind(wired.client("dynamodb")).listed(TABLE, ("task_id",), "queue", "open", index="by-queue")
    assert [item["note"] for item in listed] == ["x"]
    found = tables.listed(TABLE, ("task_id",), "queue", "open", index="by-queue", newest_first=True)
    assert [item["task_id"] for item in found] == ["t-2", "t-1"]
