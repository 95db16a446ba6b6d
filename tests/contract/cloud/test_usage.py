"""Contract of ``mends/usage``: calls with their callers, and the items that DynamoDB bills (issue 9 part 3)."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from .clouds import REGION, Cloud


def ask(cloud: Cloud, method: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(f"{cloud.endpoint}/_usage", method=method)) as answer:
        return json.loads(answer.read())


@pytest.fixture
def recording(mended: Cloud) -> Iterator[Cloud]:
    """An emulator that records."""
    ask(mended, "POST")
    yield mended
    ask(mended, "DELETE")


@pytest.fixture
def table(mended: Cloud, name: str) -> tuple[Any, str]:
    """A client that calls by a name, and a table with an index."""
    client = boto3.client(
        "dynamodb", endpoint_url=mended.endpoint, region_name=REGION, aws_access_key_id="test",
        aws_secret_access_key="test", aws_session_token="probe-function",
    )  # fmt: skip
    client.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("k", "place")],
        GlobalSecondaryIndexes=[{
            "IndexName": "by-place", "KeySchema": [{"AttributeName": "place", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }],
    )  # fmt: skip
    return client, name


def item(key: str, note: str = "x") -> dict[str, Any]:
    return {"k": {"S": key}, "place": {"S": "here"}, "note": {"S": note}}


def test_writes_carry_the_items_before_and_after(recording: Cloud, table: tuple[Any, str]) -> None:
    """Also those that a condition stopped, and each of a transaction."""
    client, name = table
    client.put_item(TableName=name, Item=item("a"))
    client.update_item(
        TableName=name, Key={"k": {"S": "a"}}, UpdateExpression="SET note = :n",
        ExpressionAttributeValues={":n": {"S": "y"}},
    )  # fmt: skip
    with pytest.raises(ClientError):
        client.put_item(TableName=name, Item=item("a", "z"), ConditionExpression="attribute_not_exists(k)")
    client.transact_write_items(TransactItems=[
        {"Put": {"TableName": name, "Item": item("b")}}, {"Delete": {"TableName": name, "Key": {"k": {"S": "a"}}}},
    ])  # fmt: skip
    seen = [(one["action"], one["ok"], one["caller"], one["items"]) for one in ask(recording, "GET")]
    assert seen == [
        ("PutItem", True, "probe-function", [{"table": name, "before": None, "after": item("a")}]),
        ("UpdateItem", True, "probe-function", [{"table": name, "before": item("a"), "after": item("a", "y")}]),
        ("PutItem", False, "probe-function", [{"table": name, "before": item("a", "y"), "after": item("a", "y")}]),
        (
            "TransactWriteItems", True, "probe-function",
            [
                {"table": name, "before": None, "after": item("b")},
                {"table": name, "before": item("a", "y"), "after": None},
            ],
        ),
    ]  # fmt: skip


def test_reads_carry_what_they_look_at(recording: Cloud, table: tuple[Any, str]) -> None:
    """Whole items, whatever a projection or a filter leaves of them; nothing where there is nothing."""
    client, name = table
    client.put_item(TableName=name, Item=item("a"))
    client.get_item(TableName=name, Key={"k": {"S": "none"}}, ConsistentRead=True)
    client.batch_get_item(RequestItems={name: {"Keys": [{"k": {"S": "a"}}]}})
    found = client.scan(
        TableName=name, FilterExpression="#n = :n", ProjectionExpression="k", ExpressionAttributeNames={"#n": "note"},
        ExpressionAttributeValues={":n": {"S": "other"}},
    )  # fmt: skip
    client.query(
        TableName=name, IndexName="by-place", KeyConditionExpression="#p = :p", ProjectionExpression="#k",
        ExpressionAttributeNames={"#p": "place", "#k": "k"}, ExpressionAttributeValues={":p": {"S": "here"}},
    )  # fmt: skip
    assert found["Items"] == []
    _, get, batch, scan, query = ask(recording, "GET")
    assert (get["items"], get["consistent"]) == ([{"table": name, "before": None, "after": None}], True)
    whole = [{"table": name, "before": item("a"), "after": item("a")}]
    assert (batch["items"], scan["items"]) == (whole, whole)
    entry = {"k": {"S": "a"}, "place": {"S": "here"}}
    assert (query["index"], query["items"]) == ("by-place", [{"table": name, "before": entry, "after": entry}])


def test_other_services_and_functions_are_recorded(recording: Cloud, name: str) -> None:
    """A call with its size, an invocation with its time, memory and log."""
    recording.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    recording.client("s3").put_object(Bucket=name, Key="a", Body=b"12345")
    function = recording.function(name, "def handler(event, context):\n    print('hello')\n    return {}\n")
    recording.client("lambda").invoke(FunctionName=function, Payload=b"{}")
    found = ask(recording, "GET")
    (put,) = (one for one in found if one["service"] == "s3" and one["path"] == f"/{name}/a")
    assert (put["action"], put["bytes"]) == ("PUT", 5)
    (invoked,) = (one for one in found if one["action"] == "Invocation")
    assert (invoked["caller"], invoked["log_bytes"]) == (name, 6)
    assert 0 < invoked["cpu_ms"] <= invoked["wall_ms"] + 50


def test_nothing_is_kept_unless_asked(mended: Cloud, table: tuple[Any, str]) -> None:
    """By default, and once it has ended."""
    client, name = table
    client.put_item(TableName=name, Item=item("a"))
    assert ask(mended, "GET") == []
    ask(mended, "POST")
    client.put_item(TableName=name, Item=item("b"))
    assert len(ask(mended, "DELETE")) == 1
    client.put_item(TableName=name, Item=item("c"))
    assert ask(mended, "GET") == []
