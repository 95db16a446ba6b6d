"""DynamoDB as stores use it: plain dictionaries, conditional writes, transactions."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from creditmesh.kernel.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
T = TypeVar("T")
_BATCH = 100
_PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Seconds before each try to read what DynamoDB left of a batch."""
_MEETINGS = 6
"""How often a transaction is tried that meets others on the same item."""


class _Serializer(TypeSerializer):
    """Writes a set in one order, so that equal writes are equal requests."""

    def _serialize_ss(self, value: Any) -> list[str]:
        return sorted(value)


class _Deserializer(TypeDeserializer):
    """Reads numbers as integers: we store no others."""

    def _deserialize_n(self, value: str) -> int:
        return int(value)


encoded = _Serializer().serialize
decoded = _Deserializer().deserialize


class ConditionFailed(Conflict):
    """The item is no longer in the state this write expects."""

    code = "state_changed"


def encode(item: Mapping[str, Any]) -> dict[str, Any]:
    """A plain dictionary in DynamoDB's wire form; attributes that are None stay away."""
    return {name: encoded(value) for name, value in item.items() if value is not None}


def decode(item: Mapping[str, Any]) -> Item:
    """The inverse of `encode`, also for a stream record's image."""
    return {name: decoded(value) for name, value in item.items()}


@dataclass(frozen=True)
class Ref:
    """Where an item lies."""

    table: str
    key: Mapping[str, str]


@dataclass(frozen=True)
class Update:
    """One conditional change of one item."""

    table: str
    key: Mapping[str, str]
    set: Mapping[str, Any] = field(default_factory=dict)
    """Attributes to set."""
    remove: Sequence[str] = ()
    """Attributes to take away."""
    append: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """List attribute -> entries to add at its end."""
    add: Mapping[str, int | frozenset[str]] = field(default_factory=dict)
    """Counter or set -> number, or members, to add; without the attribute, to nothing."""
    where: Mapping[str, Any] = field(default_factory=dict)
    """Attribute, or path with dots into maps -> value or tuple of allowed values."""
    absent: Sequence[str] = ()
    """Attributes that must not be there yet."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Set -> a member that it must not have yet."""
    creates: bool = False
    """Whether the item is made where it does not exist; otherwise it must exist."""

    def request(self) -> dict[str, Any]:
        """The arguments of UpdateItem, or of an Update inside a transaction."""
        names: dict[str, str] = {}
        values: dict[str, Any] = {}

        def name(attribute: str) -> str:
            placeholder = f"#{len(names)}"
            names[placeholder] = attribute
            return placeholder

        def value(content: Any) -> str:
            placeholder = f":{len(values)}"
            values[placeholder] = encoded(content)
            return placeholder

        sets = [f"{name(a)} = {value(v)}" for a, v in self.set.items() if v is not None]
        for attribute, entries in self.append.items():
            column = name(attribute)
            sets.append(f"{column} = list_append(if_not_exists({column}, {value([])}), {value(list(entries))})")
        expression = f"SET {', '.join(sets)}" if sets else ""
        if self.remove:
            expression += " REMOVE " + ", ".join(name(a) for a in self.remove)
        if self.add:
            expression += " ADD " + ", ".join(f"{name(a)} {value(amount)}" for a, amount in self.add.items())
        conditions = [] if self.creates else [f"attribute_exists({name(next(iter(self.key)))})"]
        for attribute, allowed in self.where.items():
            options = allowed if isinstance(allowed, tuple) else (allowed,)
            path = ".".join(map(name, attribute.split(".")))
            conditions.append(f"{path} IN ({', '.join(value(option) for option in options)})")
        conditions += [f"attribute_not_exists({name(a)})" for a in self.absent]
        conditions += [f"NOT contains({name(a)}, {value(member)})" for a, member in self.lacks.items()]
        arguments: dict[str, Any] = {
            "TableName": self.table,
            "Key": encode(self.key),
            "UpdateExpression": expression.strip(),
            "ExpressionAttributeNames": names,
        }
        if conditions:
            arguments["ConditionExpression"] = " AND ".join(conditions)
        if values:
            arguments["ExpressionAttributeValues"] = values
        return {"Update": arguments}


@dataclass(frozen=True)
class Put:
    """One new item; it must not exist yet unless `replace` is set."""

    table: str
    item: Mapping[str, Any]
    key: str
    replace: bool = False

    def request(self) -> dict[str, Any]:
        """The arguments of PutItem, or of a Put inside a transaction."""
        arguments: dict[str, Any] = {"TableName": self.table, "Item": encode(self.item)}
        if not self.replace:
            arguments["ConditionExpression"] = "attribute_not_exists(#0)"
            arguments["ExpressionAttributeNames"] = {"#0": self.key}
        return {"Put": arguments}


@dataclass(frozen=True)
class Delete:
    """One item taken away; it must be as it was read."""

    table: str
    key: Mapping[str, str]
    where: Mapping[str, Any] = field(default_factory=dict)
    """Attribute -> the value it must have."""
    absent: Sequence[str] = ()
    """Attributes that must not be there."""

    def request(self) -> dict[str, Any]:
        """The arguments of a Delete inside a transaction."""
        names = {f"#{n}": name for n, name in enumerate([next(iter(self.key)), *self.where, *self.absent])}
        values = {f":{n}": encoded(value) for n, value in enumerate(self.where.values(), 1)}
        conditions = ["attribute_exists(#0)", *(f"#{n} = :{n}" for n in range(1, len(values) + 1))]
        conditions += [f"attribute_not_exists(#{n})" for n in range(len(values) + 1, len(names))]
        arguments: dict[str, Any] = {
            "TableName": self.table, "Key": encode(self.key), "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": names,
        }  # fmt: skip
        if values:
            arguments["ExpressionAttributeValues"] = values
        return {"Delete": arguments}


@dataclass(frozen=True)
class Absent:
    """Demands inside a transaction that there is no such item."""

    table: str
    key: Mapping[str, str]

    def request(self) -> dict[str, Any]:
        """The arguments of a ConditionCheck."""
        names = {"#0": next(iter(self.key))}
        return {
            "ConditionCheck": {
                "TableName": self.table, "Key": encode(self.key), "ConditionExpression": "attribute_not_exists(#0)",
                "ExpressionAttributeNames": names,
            }
        }  # fmt: skip


Write = Update | Put
"""What can be written alone."""
Step = Write | Delete | Absent
"""What a transaction consists of."""


_TRIES = 5


def again(act: Callable[[], T]) -> T:
    """What `act` comes to: it reads, checks and writes, and begins again where another's write came between.

    Raises:
        ConditionFailed: it was overtaken every time.
    """
    for _ in range(_TRIES - 1):
        with suppress(ConditionFailed):
            return act()
    return act()


class Tables:
    """Reads and writes over one DynamoDB client."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def get(self, table: str, key: Mapping[str, str]) -> Item | None:
        """The item under `key`, read consistently, or None."""
        found = self._client.get_item(TableName=table, Key=encode(key), ConsistentRead=True).get("Item")
        return decode(found) if found else None

    def batch_get(self, table: str, keys: Sequence[Mapping[str, str]], fields: Sequence[str] = ()) -> list[Item]:
        """The items under so many keys, in the keys' order, without those that are not there; not read consistently.

        Args:
            keys: each once.
            fields: the attributes to read, the keys' among them; all by default.

        Raises:
            Unavailable: DynamoDB did not give them all.
        """
        found: list[Item] = []
        for start in range(0, len(keys), _BATCH):
            asked: dict[str, Any] = {"Keys": [encode(key) for key in keys[start : start + _BATCH]]}
            if fields:
                names = {f"#f{number}": name for number, name in enumerate(fields)}
                asked |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
            found += [item for _, item in self._batch({table: asked})]
        parts = list(keys[0]) if keys else []
        by_key = {tuple(item[part] for part in parts): item for item in found}
        return [by_key[value] for key in keys if (value := tuple(key[part] for part in parts)) in by_key]

    def get_each(self, *wanted: Ref) -> list[Item | None]:
        """Items of several tables, one of each, read consistently by one call; None in the place of none.

        Raises:
            Unavailable: DynamoDB did not give them all.
        """
        found = dict(self._batch({one.table: {"Keys": [encode(one.key)], "ConsistentRead": True} for one in wanted}))
        return [found.get(one.table) for one in wanted]

    def _batch(self, asked: Any) -> Iterator[tuple[str, Item]]:
        for pause in _PAUSES:
            if pause:
                time.sleep(pause)
            page = self._client.batch_get_item(RequestItems=asked)
            for table, items in page["Responses"].items():
                yield from ((table, decode(item)) for item in items)
            asked = page.get("UnprocessedKeys") or {}
            if not asked:
                return
        raise Unavailable("DynamoDB gives only a part of what was asked for")

    def write(self, write: Write) -> None:
        """Carry out one write.

        Raises:
            ConditionFailed: the item is not as the write expects it.
        """
        (kind, arguments), *_ = write.request().items()
        self._conditional(self._client.put_item if kind == "Put" else self._client.update_item, arguments)

    def put_or_find(self, put: Put) -> Item | None:
        """Store a new item; None, or the item that is there already."""
        arguments = {**put.request()["Put"], "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        try:
            self._client.put_item(**arguments)
        except self._client.exceptions.ConditionalCheckFailedException as error:
            return decode(error.response["Item"])  # type: ignore[typeddict-item]
        return None

    def update(self, update: Update) -> Item:
        """Carry out one change; the item as it is then.

        Raises:
            ConditionFailed: the item is not as the change expects it.
        """
        arguments = {**update.request()["Update"], "ReturnValues": "ALL_NEW"}
        return decode(self._conditional(self._client.update_item, arguments)["Attributes"])

    def _conditional(self, call: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        try:
            return call(**arguments)
        except self._client.exceptions.ConditionalCheckFailedException:
            raise ConditionFailed("the item changed in the meantime") from None

    def transact(self, writes: Sequence[Step], token: str) -> None:
        """Carry out all writes or none; exactly the same writes under the same token within ten minutes change nothing.

        A later try, whose time stamps differ, is another request to DynamoDB; there the writes' own conditions decide.

        A transaction that meets another on the same item is tried again.

        Raises:
            ConditionFailed: one of the items is not as its write expects it.
        """
        items = [write.request() for write in writes]
        digest = hashlib.sha256(f"{token}\x1f{items!r}".encode()).hexdigest()
        for attempt in range(_MEETINGS):
            try:
                self._client.transact_write_items(
                    TransactItems=items,  # type: ignore[arg-type]
                    ClientRequestToken=digest[:36],
                )
                return
            except ClientError as error:
                reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
                if "ConditionalCheckFailed" in reasons:
                    raise ConditionFailed("an item of the transaction changed in the meantime") from None
                if "TransactionConflict" not in reasons or attempt == _MEETINGS - 1:
                    raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))

    def query(
        self,
        table: str,
        attribute: str,
        equals: str,
        *,
        index: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        until: tuple[str, str] | None = None,
        after: tuple[str, str] | None = None,
        between: tuple[str, str, str] | None = None,
        fields: Sequence[str] = (),
        consistent: bool = False,
    ) -> Iterator[Item]:
        """Items of one partition, in sort-key order, page after page.

        Args:
            until: sort attribute and its highest value.
            after: sort attribute and the value that those wanted lie above; not with `until`.
            between: sort attribute, its lowest and its highest value; instead of the two.
            fields: the attributes to read; all by default.
            consistent: whether what was just written must be among them; not with an index.
        """
        names = {"#0": attribute}
        values = {":0": encoded(equals)}
        condition = "#0 = :0"
        if until:
            names["#1"], values[":1"] = until[0], encoded(until[1])
            condition += " AND #1 <= :1"
        elif after:
            names["#1"], values[":1"] = after[0], encoded(after[1])
            condition += " AND #1 > :1"
        elif between:
            names["#1"], values[":1"], values[":2"] = between[0], encoded(between[1]), encoded(between[2])
            condition += " AND #1 BETWEEN :1 AND :2"
        arguments: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": not newest_first,
        }
        if index:
            arguments["IndexName"] = index
        if consistent:
            arguments["ConsistentRead"] = True
        if fields:
            names.update({f"#f{number}": name for number, name in enumerate(fields)})
            arguments["ProjectionExpression"] = ", ".join(f"#f{number}" for number in range(len(fields)))
        left = limit
        while True:
            if left is not None:
                arguments["Limit"] = left
            page = self._client.query(**arguments)
            for found in page["Items"]:
                yield decode(found)
            if left is not None:
                left -= len(page["Items"])
            if "LastEvaluatedKey" not in page or left == 0:
                return
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def listed(
        self,
        table: str,
        key: Sequence[str],
        attribute: str,
        equals: str,
        *,
        index: str,
        limit: int | None = None,
        newest_first: bool = False,
        until: tuple[str, str] | None = None,
        fields: Sequence[str] = (),
    ) -> Iterator[Item]:
        """Items that an index of keys only lists, read from the table.

        An item that has changed meanwhile and does not belong into the list any more is left out.

        Args:
            key: the table's key attributes.
            fields: the attributes to read, `key` and `attribute` among them; all by default.
        """
        entries = self.query(
            table, attribute, equals, index=index, limit=limit, newest_first=newest_first, until=until, fields=key
        )
        while page := list(islice(entries, _BATCH)):
            for item in self.batch_get(table, page, fields):
                if item.get(attribute) == equals:
                    yield item

    def scan(self, table: str, filtered: str = "", **values: Any) -> Iterator[Item]:
        """All items, page after page, read consistently.

        Args:
            filtered: a condition over attributes, in which `:name` stands for the value of that name.
        """
        arguments: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
        if filtered:
            arguments["FilterExpression"] = filtered
        if values:
            arguments["ExpressionAttributeValues"] = {f":{name}": encoded(value) for name, value in values.items()}
        for page in self._client.get_paginator("scan").paginate(**arguments):
            yield from map(decode, page["Items"])

    def delete(self, table: str, key: Mapping[str, str]) -> Item | None:
        """Remove an item; the item as it was, or None if there was none."""
        found = self._client.delete_item(TableName=table, Key=encode(key), ReturnValues="ALL_OLD").get("Attributes")
        return decode(found) if found else None
