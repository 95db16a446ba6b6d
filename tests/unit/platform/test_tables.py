"""DynamoDB as stores use it (DESIGN 5)."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from creditmesh.platform import wiring
from creditmesh.platform.tables import ConditionFailed, Put, Tables, Update, decode, encode
from tests.support.aws import table_name
from tests.support.world import World

TABLE = table_name("OperatorTasks")
KEY = {"task_id": "t-1"}


@pytest.fixture
def tables(world: World) -> Tables:
    return wiring.tables()


def stored(tables: Tables) -> dict[str, Any]:
    found = tables.get(TABLE, KEY)
    assert found is not None
    return found


def test_items_come_back_as_they_went() -> None:
    item = {"text": "名", "count": 10**17, "flag": False, "list": [1, {"a": None}], "map": {"b": "c"}, "bytes": "x"}
    assert decode(encode(item)) == item
    assert decode(encode({**item, "nothing": None})) == item
    assert isinstance(decode(encode({"count": 3}))["count"], int)


@pytest.mark.parametrize("value", [1.5, b"bytes", {"a": {1, 2}}, [object()]])
def test_what_we_do_not_store_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no value of an item"):
        encode({"a": value})


def test_a_condition_on_what_lies_in_a_map(tables: Tables) -> None:
    tables.write(Put(TABLE, {**KEY, "waiting": {"token": "t-1", "since": "now"}}, "task_id"))
    with pytest.raises(ConditionFailed):
        tables.write(Update(TABLE, KEY, set={"a": 1}, where={"waiting.token": "t-2"}))
    tables.write(Update(TABLE, KEY, set={"a": 1}, where={"waiting.token": "t-1"}))
    assert stored(tables)["a"] == 1


def test_answers_are_told_whole(tables: Tables) -> None:
    """Also those that botocore's parser does not see."""
    tables.write(Put(TABLE, {**KEY, "a": 1}, "task_id"))
    answer = wiring.client("dynamodb").get_item(TableName=TABLE, Key=encode(KEY))
    assert answer["Item"] == {"task_id": {"S": "t-1"}, "a": {"N": "1"}}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(ClientError) as refused:
        wiring.client("dynamodb").get_item(TableName="none", Key=encode(KEY))
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


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
