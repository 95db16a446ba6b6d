"""DynamoDB as stores use it (DESIGN 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from creditmesh.kernel.errors import Unavailable
from creditmesh.platform.tables import ConditionFailed, Put, Ref, Tables, again, decode, encode
from tests.support import wired
from tests.support.aws import table_name
from tests.support.world import World

TABLE = table_name("OperatorTasks")
KEY = {"task_id": "t-1"}


@pytest.fixture
def tables(world: World) -> Tables:
    return wired.tables()


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


class Throttled:
    """A client that answers one key of a batch at a time, and none once it has answered so many."""

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


class Busy:
    """DynamoDB, where a transaction meets others on its items so many times."""

    def __init__(self, meetings: int, reason: str = "TransactionConflict") -> None:
        self.meetings, self.reason, self.tokens = meetings, reason, list[str]()

    def transact_write_items(self, *, ClientRequestToken: str, **_: Any) -> None:
        self.tokens.append(ClientRequestToken)
        if len(self.tokens) <= self.meetings:
            reasons = [{"Code": "None"}, {"Code": self.reason}]
            response = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(cast(Any, response), "TransactWriteItems")


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError"])
def test_a_transaction_that_meets_others_is_tried_again_as_the_same(reason: str) -> None:
    busy = Busy(2, reason)
    Tables(cast(Any, busy)).transact([Put(TABLE, KEY, "task_id")], "token")
    assert len(busy.tokens) == 3
    assert len(set(busy.tokens)) == 1


def test_a_transaction_that_meets_others_for_ever_fails() -> None:
    busy = Busy(1_000)
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        Tables(cast(Any, busy)).transact([Put(TABLE, KEY, "task_id")], "token")
    assert len(busy.tokens) < 10


def test_writes_that_rest_on_versions_are_not_tried_again_as_the_same() -> None:
    """Whoever they met has changed the version: the caller reads anew."""
    busy = Busy(1)
    with pytest.raises(ConditionFailed):
        Tables(cast(Any, busy)).transact([Put(TABLE, KEY, "task_id")], "token", versioned=True)
    assert len(busy.tokens) == 1


def test_items_of_several_tables_come_in_the_order_asked_for(tables: Tables) -> None:
    other = table_name("LedgerAccounts")
    for number in (1, 2, 150):
        tables.write(Put(TABLE, {"task_id": f"t-{number}"}, "task_id"))
    tables.write(Put(other, {"book": "b", "place": "p"}, "book"))
    wanted = [Ref(TABLE, {"task_id": f"t-{number}"}) for number in range(151)]
    found = tables.get_each(*wanted, Ref(other, {"place": "p", "book": "b"}), Ref(other, {"book": "b", "place": "q"}))
    assert [(place, item) for place, item in enumerate(found) if item] == [
        (1, {"task_id": "t-1"}), (2, {"task_id": "t-2"}), (150, {"task_id": "t-150"}),
        (151, {"book": "b", "place": "p"}),
    ]  # fmt: skip
    assert tables.get_each() == []


@pytest.mark.parametrize("pause", [0.0, 0.001])
def test_what_meets_others_is_done_again_so_often(pause: float) -> None:
    calls: list[int] = []

    def act() -> str:
        calls.append(len(calls))
        if len(calls) < 8:
            raise ConditionFailed("changed")
        return "done"

    assert again(act, 8, pause) == "done"
    calls.clear()
    with pytest.raises(ConditionFailed):
        again(act, 7, pause)
    assert len(calls) == 7


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
