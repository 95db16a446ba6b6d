"""Contract of ``mends/dynamodb_pace``: the same as upstream, only quicker (docs/reference/embedded-cloud.md)."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .clouds import PYTHON, ROOT, Cloud

ITEM = {"k": {"S": "one"}, "list": {"L": [{"M": {"n": {"N": "1"}}}]}, "set": {"SS": ["a", "b"]}, "flag": {"BOOL": True}}
COPIES = """
from collections import defaultdict
from decimal import Decimal
from cloud.mends.dynamodb_pace import plain_copy
item = {"k": {"S": "one"}, "t": {"L": [{"M": {"at": {"S": "2026"}, "by": {"S": "me"}}}] * 12}, "b": {"B": b"x"}}
made = plain_copy(item)
assert made == item and made["t"]["L"][0] is not item["t"]["L"][0]
odd = {"d": defaultdict(list, a=[1]), "n": Decimal("1.5")}
other = plain_copy(odd)
assert other == odd and other["d"]["a"] is not odd["d"]["a"] and other["d"]["new"] == []
"""


@pytest.fixture
def table(mended: Cloud, name: str) -> tuple[Any, str]:
    """A table with one item."""
    tables = mended.client("dynamodb")
    tables.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )  # fmt: skip
    tables.put_item(TableName=name, Item=ITEM)
    return tables, name


def update(tables: Any, table: str, condition: str, **more: Any) -> Any:
    return tables.update_item(
        TableName=table, Key={"k": {"S": "one"}}, UpdateExpression="SET #l = list_append(#l, :more)",
        ConditionExpression=condition, ExpressionAttributeNames={"#l": "list"},
        ExpressionAttributeValues={":more": {"L": [{"N": "2"}]}}, **more,
    )  # fmt: skip


def test_what_a_write_gives_back_is_no_part_of_what_is_stored(table: tuple[Any, str]) -> None:
    tables, name = table
    old = update(tables, name, "attribute_exists(k)", ReturnValues="ALL_OLD")["Attributes"]
    new = update(tables, name, "attribute_exists(k)", ReturnValues="ALL_NEW")["Attributes"]
    assert old == ITEM
    assert new["list"]["L"] == [*ITEM["list"]["L"], {"N": "2"}, {"N": "2"}]
    assert tables.get_item(TableName=name, Key={"k": {"S": "one"}})["Item"] == new


def test_a_refused_write_changes_nothing(table: tuple[Any, str]) -> None:
    tables, name = table
    for _ in range(2):  # the second time from what is remembered of the condition
        with pytest.raises(ClientError, match="conditional request failed"):
            update(tables, name, "attribute_not_exists(k)")
    assert tables.get_item(TableName=name, Key={"k": {"S": "one"}})["Item"] == ITEM


def test_a_wrong_condition_is_refused_each_time(table: tuple[Any, str]) -> None:
    tables, name = table
    for _ in range(2):
        with pytest.raises(ClientError, match="Syntax error"):
            update(tables, name, "attribute_exists(k) AND AND")


def test_copies_are_whole_and_independent() -> None:
    """Of what is not of JSON's types, too."""
    environment = {"PYTHONPATH": str(ROOT / "local"), "PATH": "/usr/bin:/bin"}
    command = [str(PYTHON), "-c", COPIES]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


SIZES = """
from cloud.upstream import dynamodb
from cloud.mends.dynamodb_pace import _value_size
size = _value_size(dynamodb._attribute_value_size)
for value in (
    {"S": "plain"}, {"S": "公司"}, {"N": "-12.50"}, {"BOOL": True}, {"NULL": True}, {"SS": ["a", "字"]}, {},
    None, {"S": 1},
    {"M": {}}, {"M": {"名": {"S": "值"}, "n": {"M": {"x": {"N": "1"}}}}}, {"L": [{"S": "a"}, {"M": {"k": {"S": "é"}}}]},
):
    assert size(value) == dynamodb._attribute_value_size(value), value
"""


def test_sizes_are_upstreams() -> None:
    environment = {"PYTHONPATH": str(ROOT / "local"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [str(PYTHON), "-c", SIZES], env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_transaction_tells_its_capacity_where_it_is_asked_for(cloud: Cloud, name: str) -> None:
    """As upstream does; of an index, too."""
    tables = cloud.client("dynamodb")
    key, index = {"AttributeName": "k", "KeyType": "HASH"}, {"AttributeName": "i", "KeyType": "HASH"}
    tables.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[key],
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in "ki"],
        GlobalSecondaryIndexes=[{"IndexName": "by-i", "KeySchema": [index], "Projection": {"ProjectionType": "ALL"}}],
    )  # fmt: skip
    put = {"Put": {"TableName": name, "Item": {"k": {"S": "one"}, "i": {"S": "x"}}}}
    assert "ConsumedCapacity" not in tables.transact_write_items(TransactItems=[put])
    (told,) = tables.transact_write_items(
        TransactItems=[{"Put": {"TableName": name, "Item": {"k": {"S": "two"}, "i": {"S": "x"}}}}],
        ReturnConsumedCapacity="INDEXES",
    )["ConsumedCapacity"]  # fmt: skip
    assert told["GlobalSecondaryIndexes"]["by-i"]["WriteCapacityUnits"] == 1.0
