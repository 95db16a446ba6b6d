"""The fakes in memory, moto and the embedded cloud do the same, and what AWS does (issue 10)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from creditmesh.kernel.errors import NotFound
from creditmesh.platform.objects import ObjectChanged, Objects, ObjectTooLarge
from creditmesh.platform.tables import Absent, ConditionFailed, Delete, Put, Ref, Tables, Update
from tests.support.aws import IN_MEMORY

from .clouds import REGION, refused

PLACES = ("memory", "moto", "embedded")
KEY = {"task_id": "t-1"}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Gives clients."""
    if request.param == "memory":
        yield lambda service: next(one for one in IN_MEMORY if one.name == service)(REGION).client
    elif request.param == "moto":
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        with mock_aws():
            yield lambda service: boto3.client(service, region_name=REGION, **keys)
    else:
        yield request.getfixturevalue("mended").client


class Place(Tables):
    """The tables `tasks` and `parts`; a part's key is its owner and number."""

    def __init__(self, client: Any, name: str) -> None:
        super().__init__(client)
        self.client, self.tasks, self.parts = client, f"{name}-tasks", f"{name}-parts"
        strings = ("task_id", "queue", "created_at", "owner")
        client.create_table(
            TableName=self.tasks,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=_schema("task_id"),
            AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in strings],
            GlobalSecondaryIndexes=[
                _index("by-queue", {"ProjectionType": "KEYS_ONLY"}, "queue", "created_at"),
                _index("by-owner", {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]}, "owner"),
                _index("by-age", {"ProjectionType": "ALL"}, "owner", "created_at"),
            ],
        )
        client.create_table(
            TableName=self.parts,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=_schema("owner", "number"),
            AttributeDefinitions=[
                {"AttributeName": "owner", "AttributeType": "S"},
                {"AttributeName": "number", "AttributeType": "N"},
            ],
        )

    def put(self, task_id: str = "t-1", **attributes: Any) -> None:
        self.write(Put(self.tasks, {"task_id": task_id, **attributes}, "task_id"))

    def change(self, **change: Any) -> dict[str, Any]:
        return self.update(Update(self.tasks, KEY, **change))

    @property
    def stored(self) -> dict[str, Any] | None:
        return self.get(self.tasks, KEY)


def _schema(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": one, "KeyType": kind} for one, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def _index(name: str, projection: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": _schema(*keys), "Projection": projection}


@pytest.fixture
def tables(place: Any, name: str) -> Place:
    return Place(place("dynamodb"), name)


def test_a_new_item_must_be_new(tables: Place) -> None:
    tables.put(a=1)
    with pytest.raises(ConditionFailed):
        tables.put(a=2)
    assert tables.put_or_find(Put(tables.tasks, {**KEY, "a": 2}, "task_id")) == {**KEY, "a": 1}
    assert tables.put_or_find(Put(tables.tasks, {"task_id": "t-2"}, "task_id")) is None
    tables.write(Put(tables.tasks, {**KEY, "a": 2}, "task_id", replace=True))
    assert tables.stored == {**KEY, "a": 2}


def test_what_is_not_there(tables: Place) -> None:
    assert tables.stored is None
    assert tables.delete(tables.tasks, KEY) is None
    with pytest.raises(ConditionFailed):
        tables.change(set={"a": 1})
    assert tables.stored is None
    assert tables.change(set={"a": 1}, creates=True) == {**KEY, "a": 1}
    assert tables.delete(tables.tasks, KEY) == {**KEY, "a": 1}


def test_a_change_sets_removes_and_appends(tables: Place) -> None:
    tables.put(status="open", queue="q", log=[1], waiting={"token": "t"})
    change: dict[str, Any] = {
        "set": {"status": "done", "kept": None}, "remove": ("queue", "never_there"),
        "append": {"log": [2, 3], "more": ["x"]}, "where": {"status": ("open", "claimed"), "waiting.token": "t"},
    }  # fmt: skip
    after = {**KEY, "status": "done", "log": [1, 2, 3], "more": ["x"], "waiting": {"token": "t"}}
    assert tables.change(**change) == after
    with pytest.raises(ConditionFailed):
        tables.change(**change)
    assert tables.stored == after


def test_counters_and_sets_grow(tables: Place) -> None:
    tables.put(count=1)
    for _ in range(2):
        tables.change(add={"count": 2, "other": -1, "names": frozenset({"a", "b"})})
    assert tables.stored == {**KEY, "count": 5, "other": -2, "names": {"a", "b"}}
    tables.change(add={"names": frozenset({"c"})}, lacks={"names": "c"})
    with pytest.raises(ConditionFailed):
        tables.change(add={"names": frozenset({"c"})}, lacks={"names": "c"})


@pytest.mark.parametrize(
    "conditions",
    [{"where": {"status": "closed"}}, {"where": {"absent": "x"}}, {"absent": ("status",)},
     {"where": {"status": "open", "count": 2}}, {"where": {"count": "1"}}, {"where": {"status.inner": "x"}},
     {"lacks": {"names": "a"}}],
)  # fmt: skip
def test_a_change_that_does_not_meet_its_state_changes_nothing(tables: Place, conditions: dict[str, Any]) -> None:
    tables.put(status="open", count=1, names=frozenset({"a"}))
    with pytest.raises(ConditionFailed):
        tables.change(set={"count": 9}, **conditions)
    found = tables.stored
    assert found is not None
    assert found["count"] == 1


def test_words_dynamodb_reserves_may_be_attributes(tables: Place) -> None:
    tables.put(status="a")
    reserved = {"status": "b", "set": 1, "where": 2, "name": 3, "a.b": 4, "size": 5}
    tables.change(set=reserved, where={"status": "a"}, absent=("set", "a.b"))
    assert tables.stored == {**KEY, **reserved}


def test_a_transaction_is_carried_out_whole_or_not_at_all(tables: Place) -> None:
    tables.put(status="open")
    tables.put("t-3", status="open")
    part = {"owner": "o", "number": 1}
    rest = [
        Put(tables.parts, part, "owner"),
        Delete(tables.tasks, {"task_id": "t-3"}, where={"status": "open"}, absent=("lock",)),
        Absent(tables.tasks, {"task_id": "t-2"}),
    ]
    before = tables.stored
    with pytest.raises(ConditionFailed):
        tables.transact([Update(tables.tasks, KEY, set={"n": 1}, where={"status": "closed"}), *rest], "token")
    with pytest.raises(ConditionFailed):
        tables.transact([Absent(tables.tasks, {"task_id": "t-3"}), rest[0]], "token")
    assert (tables.stored, list(tables.scan(tables.parts))) == (before, [])
    tables.transact([Update(tables.tasks, KEY, set={"n": 1}, where={"status": "open"}), *rest], "token")
    assert tables.stored == {**KEY, "status": "open", "n": 1}
    assert list(tables.scan(tables.parts)) == [part]
    assert [one["task_id"] for one in tables.scan(tables.tasks)] == ["t-1"]


def test_a_partition_is_in_order_and_page_after_page(tables: Place) -> None:
    for number in (*range(9, 30), *range(9)):
        # Together more than the megabyte that one page holds.
        tables.put(f"t-{number}", owner="o", created_at=f"{number:02}", filler="x" * 60_000)
    tables.put("t-30", owner="other", created_at="30")
    tables.put("t-31", owner="o")

    def found(**options: Any) -> list[int]:
        return [int(item["created_at"]) for item in tables.query(tables.tasks, "owner", "o", index="by-age", **options)]

    assert found() == list(range(30))
    assert found(newest_first=True, limit=3) == [29, 28, 27]
    assert found(limit=25) == list(range(25))
    assert found(until=("created_at", "02")) == [0, 1, 2]
    assert found(after=("created_at", "27")) == [28, 29]
    assert found(between=("created_at", "05", "07")) == [5, 6, 7]
    assert list(tables.query(tables.tasks, "owner", "none", index="by-age")) == []
    assert len(list(tables.scan(tables.tasks))) == 32


def test_a_page_begins_after_its_place_whatever_became_of_the_item(tables: Place) -> None:
    """The item that the page before ended with may be gone, or elsewhere in the index."""
    for number in range(6):
        tables.put(f"t-{number}", owner="o", created_at="1" if number < 4 else "2")
    last = {"owner": "o", "created_at": "1", "task_id": "t-2"}

    def rest(**options: Any) -> list[str]:
        found = tables.query(tables.tasks, "owner", "o", index="by-age", start=last, **options)
        return [item["task_id"] for item in found]

    every = [item["task_id"] for item in tables.query(tables.tasks, "owner", "o", index="by-age")]
    after = every[every.index("t-2") + 1 :]
    assert rest() == after
    assert rest(newest_first=True) == every[every.index("t-2") - 1 :: -1] if every.index("t-2") else True
    tables.write(Update(tables.tasks, {"task_id": "t-2"}, {"owner": "other"}))
    assert rest() == after
    tables.delete(tables.tasks, {"task_id": "t-2"})
    assert rest() == after
    assert rest(between=("created_at", "1", "1")) == [one for one in after if one not in ("t-4", "t-5")]


def test_numbers_are_ordered_as_numbers(tables: Place) -> None:
    for number in (10, 9, 100, -1):
        tables.write(Put(tables.parts, {"owner": "o", "number": number}, "owner"))
    found = tables.query(tables.parts, "owner", "o", consistent=True, fields=("number",))
    assert list(found) == [{"number": number} for number in (-1, 9, 10, 100)]


def test_an_index_holds_what_it_projects_of_items_with_its_keys(tables: Place) -> None:
    tables.put(queue="q", created_at="1", owner="o", note="n", more="m")
    tables.put("t-2", queue="q")
    assert list(tables.query(tables.tasks, "queue", "q", index="by-queue")) == [
        {**KEY, "queue": "q", "created_at": "1"}
    ]
    assert list(tables.query(tables.tasks, "owner", "o", index="by-owner")) == [{**KEY, "owner": "o", "note": "n"}]
    (listed,) = tables.listed(tables.tasks, ("task_id",), "queue", "q", index="by-queue")
    assert listed == tables.stored


def test_many_items_come_in_the_order_asked_for(tables: Place) -> None:
    """Also beyond the hundred keys of one call; what is not there is left out."""
    for number in range(105):
        tables.put(f"t-{number}", n=number, more="x")
    keys = [{"task_id": f"t-{number}"} for number in range(104, -1, -1)]
    found = tables.batch_get(tables.tasks, [*keys, {"task_id": "none"}], ("task_id", "n"))
    assert found == [{"task_id": f"t-{number}", "n": number} for number in range(104, -1, -1)]
    assert tables.batch_get(tables.tasks, []) == []
    each = tables.get_each(Ref(tables.parts, {"owner": "o", "number": 1}), Ref(tables.tasks, {"task_id": "t-0"}))  # type: ignore[dict-item]
    assert each == [None, {"task_id": "t-0", "n": 0, "more": "x"}]


def test_a_scan_filters(tables: Place) -> None:
    for number in range(4):
        tables.put(f"t-{number}", n=number, code=f"code-{number}", **({"gone": 1} if number == 3 else {}))
    wanted = "begins_with(code, :start) AND (n <= :low OR n = :three) AND NOT attribute_exists(gone)"
    found = tables.scan(tables.tasks, wanted, start="code-", low=1, three=3)
    assert sorted(item["n"] for item in found) == [0, 1]
    assert sorted(item["n"] for item in tables.scan(tables.tasks, "n <> :one", one=1)) == [0, 2, 3]


def test_a_condition_sees_the_item_as_it_was(tables: Place) -> None:
    """The condition of a lease, as the queue of scoring requests and Powertools write it."""
    tables.put(state="claimed", lease_until=5)
    asked: dict[str, Any] = {
        "TableName": tables.tasks,
        "Key": {"task_id": {"S": "t-1"}},
        "UpdateExpression": "SET #state = :claimed, lease_until = :until, n = if_not_exists(n, :none) + :one",
        "ConditionExpression": "#state = :open OR (#state = :claimed AND lease_until <= :now)",
        "ExpressionAttributeNames": {"#state": "state"},
        "ReturnValues": "ALL_NEW",
    }
    values = {":claimed": {"S": "claimed"}, ":open": {"S": "open"}, ":until": {"N": "9"}, ":none": {"N": "0"}}

    def claim(now: int) -> Any:
        given = {**values, ":one": {"N": "1"}, ":now": {"N": str(now)}}
        return tables.client.update_item(**asked, ExpressionAttributeValues=given)

    assert refused(lambda: claim(4))[0] == "ConditionalCheckFailedException"
    assert claim(5)["Attributes"]["n"] == {"N": "1"}
    assert refused(lambda: claim(5))[0] == "ConditionalCheckFailedException"
    assert claim(9)["Attributes"]["n"] == {"N": "2"}


def put(tables: Place, **item: Any) -> Any:
    return tables.client.put_item(TableName=tables.tasks, Item={"task_id": {"S": "t-1"}, **item})


def update(tables: Place, expression: str, **values: Any) -> Any:
    given = {f":{name}": value for name, value in values.items()}
    more = {"ExpressionAttributeValues": given} if given else {}
    key = {"task_id": {"S": "t-1"}}
    return tables.client.update_item(TableName=tables.tasks, Key=key, UpdateExpression=expression, **more)


TEXT = {"S": "x"}
REFUSALS: dict[str, Any] = {
    "another key": lambda tables: tables.get(tables.tasks, {"name": "t-1"}),
    "half a key": lambda tables: tables.get(tables.parts, {"owner": "o"}),
    "an item without its key": lambda tables: tables.client.put_item(TableName=tables.tasks, Item={"a": TEXT}),
    "an empty key": lambda tables: put(tables, task_id={"S": ""}),
    "an index's key of another type": lambda tables: put(tables, queue={"N": "1"}),
    "an index's empty key": lambda tables: put(tables, queue={"S": ""}),
    "an item above 400 KB": lambda tables: put(tables, a={"S": "x" * 410_000}),
    "a change of the key": lambda tables: update(tables, "SET task_id = :x", x=TEXT),
    "a value nobody uses": lambda tables: update(tables, "SET a = :x", x=TEXT, y=TEXT),
    "a value nobody gives": lambda tables: update(tables, "SET a = :x"),
    "a reserved word": lambda tables: update(tables, "SET status = :x", x=TEXT),
    "a path into nothing": lambda tables: update(tables, "SET a.b = :x", x=TEXT),
    "one path twice": lambda tables: update(tables, "SET a = :x, a = :x", x=TEXT),
    "a sum of texts": lambda tables: update(tables, "ADD kind :x", x=TEXT),
    "no expression": lambda tables: update(tables, "SET"),
    "keys asked for twice": lambda tables: tables.batch_get(tables.tasks, [KEY, KEY]),
    "two writes to one item": lambda tables: tables.transact(
        [Absent(tables.tasks, KEY), Absent(tables.tasks, KEY)], "t"
    ),
    "another index": lambda tables: list(tables.query(tables.tasks, "queue", "q", index="by-none")),
    "a consistent read of an index": lambda tables: list(
        tables.query(tables.tasks, "queue", "q", index="by-queue", consistent=True)
    ),
    "a partition without its key": lambda tables: list(tables.query(tables.tasks, "queue", "q")),
}


MILDER = {
    ("moto", "an index's key of another type"), ("moto", "another index"), ("embedded", "one path twice"),
    ("embedded", "no expression"),
}  # fmt: skip
"""What AWS refuses and they do not, or by another error."""


def test_what_is_invalid_is_refused(request: pytest.FixtureRequest, tables: Place) -> None:
    place = request.node.callspec.params["place"]
    tables.put(kind="k")
    before = tables.stored
    found = set()
    for what, act in REFUSALS.items():
        if refused(lambda act=act: act(tables))[0] == "ValidationException":
            found.add(what)
            assert tables.stored == before, what
        else:
            tables.write(Put(tables.tasks, before or {}, "task_id", replace=True))
    assert set(REFUSALS) - found == {what for where, what in MILDER if where == place}


def test_a_table_that_does_not_exist(tables: Place) -> None:
    assert refused(lambda: tables.get("none", KEY))[0] == "ResourceNotFoundException"
    with pytest.raises(ClientError) as fault:
        tables.transact([Put("none", KEY, "task_id")], "token")
    assert fault.value.response["Error"]["Code"] == "ResourceNotFoundException"


@pytest.mark.parametrize("place", ["memory", "embedded"], indirect=True)
def test_a_repeated_transaction_changes_nothing(tables: Place) -> None:
    """Moto forgets tokens."""
    once = [Put(tables.tasks, KEY, "task_id")]
    tables.transact(once, "token")
    tables.transact(once, "token")
    with pytest.raises(ConditionFailed):
        tables.transact(once, "another token")


@pytest.fixture
def bucket(place: Any, name: str) -> Objects:
    client = place("s3")
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return Objects(client, name)


def test_objects(bucket: Objects) -> None:
    bucket.put("a/2", b"0123456789", "text/plain")
    bucket.put("a/1", b"", "text/plain")
    bucket.put_json("b", {"b": 1, "a": "名"})
    assert (bucket.get("a/2", at_most=10), bucket.get("a/1")) == (b"0123456789", b"")
    assert bucket.get("b") == '{"a":"名","b":1}'.encode()
    with pytest.raises(ObjectTooLarge):
        bucket.get("a/2", at_most=9)
    assert bucket.keys("a/") == ["a/1", "a/2"]
    newest = bucket.newest("a/")
    assert newest is not None
    assert newest[0] == "a/2"
    bucket.delete_below("a/")
    bucket.delete("a/1")
    assert (bucket.keys(""), bucket.newest("a/")) == (["b"], None)
    for read in (bucket.get, bucket.stat):
        with pytest.raises(NotFound):
            read("a/1")


def test_an_object_piece_by_piece(bucket: Objects) -> None:
    bucket.put("a", b"0123456789", "text/plain")
    size, etag = bucket.stat("a")
    assert (size, bucket.get_range("a", 3, 4, etag), bucket.get_range("a", 8, 4, etag)) == (10, b"3456", b"89")
    bucket.put("a", b"9876543210", "text/plain")
    with pytest.raises(ObjectChanged):
        bucket.get_range("a", 3, 4, etag)
    bucket.delete("a")
    with pytest.raises(ObjectChanged):
        bucket.get_range("a", 3, 4, etag)


def test_parameters(place: Any, name: str) -> None:
    client = place("ssm")
    client.put_parameter(Name=f"/{name}/a", Value="text", Type="String")
    assert client.get_parameter(Name=f"/{name}/a")["Parameter"]["Value"] == "text"
    assert refused(lambda: client.get_parameter(Name=f"/{name}/b"))[0] == "ParameterNotFound"
