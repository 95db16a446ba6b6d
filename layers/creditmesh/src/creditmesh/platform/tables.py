"""DynamoDB for stores: plain dictionaries, conditional writes, transactions."""

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
"""Seconds before each attempt to read a batch's unprocessed keys."""
_MEETINGS = 6
"""Attempts of a transaction that conflicts with others."""
PASSING_REASONS = frozenset({"TransactionConflict", "ThrottlingError"})
"""Why DynamoDB cancels a transaction that may be tried again as it is."""


class _Serializer(TypeSerializer):
    """Sorts sets, so that equal writes are equal requests."""

    def _serialize_ss(self, value: Any) -> list[str]:
        return sorted(value)


class _Deserializer(TypeDeserializer):
    """Reads numbers as integers; we store no others."""

    def _deserialize_n(self, value: str) -> int:
        return int(value)


encoded = _Serializer().serialize
decoded = _Deserializer().deserialize


class ConditionFailed(Conflict):
    """The item is not in the state that this write expects."""

    code = "state_changed"


def encode(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a dictionary to DynamoDB's wire format, without attributes that are None."""
    return {name: encoded(value) for name, value in item.items() if value is not None}


def decode(item: Mapping[str, Any]) -> Item:
    """The inverse of `encode`; also for images of stream records."""
    return {name: decoded(value) for name, value in item.items()}


@dataclass(frozen=True)
class Ref:
    """Table and key of an item."""

    table: str
    key: Mapping[str, str]


@dataclass(frozen=True)
class Update:
    """A conditional update of one item."""

    table: str
    key: Mapping[str, str]
    set: Mapping[str, Any] = field(default_factory=dict)
    remove: Sequence[str] = ()
    append: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """List attribute -> entries to append."""
    add: Mapping[str, int | frozenset[str]] = field(default_factory=dict)
    """Counter or set -> number or members to add; a missing attribute counts as empty."""
    where: Mapping[str, Any] = field(default_factory=dict)
    """Attribute, or dotted path into maps -> value or tuple of allowed values."""
    absent: Sequence[str] = ()
    """Attributes that must not exist."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Set -> a member that it must not contain."""
    at_most: Mapping[str, int] = field(default_factory=dict)
    """Counter -> the most it may be before the update; a missing one is zero."""
    creates: bool = False
    """Create the item if it does not exist; otherwise it must exist."""

    def request(self) -> dict[str, Any]:
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
        for attribute, most in self.at_most.items():
            column = name(attribute)
            missing = f"attribute_not_exists({column}) OR " if most >= 0 else ""
            conditions.append(f"({missing}{column} <= {value(most)})")
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
    """A new item; it must not exist unless `replace` is set."""

    table: str
    item: Mapping[str, Any]
    key: str
    replace: bool = False

    def request(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {"TableName": self.table, "Item": encode(self.item)}
        if not self.replace:
            arguments["ConditionExpression"] = "attribute_not_exists(#0)"
            arguments["ExpressionAttributeNames"] = {"#0": self.key}
        return {"Put": arguments}


@dataclass(frozen=True)
class Delete:
    """Deletion of an item that must be unchanged."""

    table: str
    key: Mapping[str, str]
    where: Mapping[str, Any] = field(default_factory=dict)
    """Attribute -> required value."""
    absent: Sequence[str] = ()
    """Attributes that must not exist."""

    def request(self) -> dict[str, Any]:
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
    """A condition in a transaction: the item does not exist."""

    table: str
    key: Mapping[str, str]

    def request(self) -> dict[str, Any]:
        names = {"#0": next(iter(self.key))}
        return {
            "ConditionCheck": {
                "TableName": self.table, "Key": encode(self.key), "ConditionExpression": "attribute_not_exists(#0)",
                "ExpressionAttributeNames": names,
            }
        }  # fmt: skip


Write = Update | Put
"""A single write."""
Step = Write | Delete | Absent
"""A step of a transaction."""


_TRIES = 5
_LONGEST_PAUSE = 12.0


def again(act: Callable[[], T], tries: int = _TRIES, pause_seconds: float = 0.0) -> T:
    """Run `act`, which reads, checks and writes, and retry it after concurrent changes.

    Args:
        pause_seconds: the longest pause after the first attempt, for items that many change; four times as long after
            each further one, up to `_LONGEST_PAUSE`, so that a crowd soon leaves room for one of it.

    Raises:
        ConditionFailed: every attempt conflicted.
    """
    for _ in range(tries - 1):
        with suppress(ConditionFailed):
            return act()
        if pause_seconds:
            time.sleep(random.uniform(0, pause_seconds))
            pause_seconds = min(4 * pause_seconds, _LONGEST_PAUSE)
    return act()


class Tables:
    """Reads and writes through one DynamoDB client."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def get(self, table: str, key: Mapping[str, str]) -> Item | None:
        """The item under `key`, or None; strongly consistent."""
        found = self._client.get_item(TableName=table, Key=encode(key), ConsistentRead=True).get("Item")
        return decode(found) if found else None

    def batch_get(self, table: str, keys: Sequence[Mapping[str, str]], fields: Sequence[str] = ()) -> list[Item]:
        """The existing items of many keys, in the order of the keys; eventually consistent.

        Args:
            keys: without repetition.
            fields: attributes to read, including the key; all by default.

        Raises:
            Unavailable: DynamoDB did not return all.
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
        """Items of several tables, strongly consistent, by one call for a hundred; None for missing ones.

        Raises:
            Unavailable: DynamoDB did not return all.
        """
        found: dict[tuple[str, ...], Item] = {}
        parts = {one.table: sorted(one.key) for one in wanted}
        for start in range(0, len(wanted), _BATCH):
            asked: dict[str, Any] = {}
            for one in wanted[start : start + _BATCH]:
                asked.setdefault(one.table, {"Keys": [], "ConsistentRead": True})["Keys"].append(encode(one.key))
            for table, item in self._batch(asked):
                found[table, *(item[part] for part in parts[table])] = item
        return [found.get((one.table, *(one.key[part] for part in parts[one.table]))) for one in wanted]

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
        raise Unavailable("DynamoDB returned only a part of the requested items")

    def write(self, write: Write) -> None:
        """Execute one write.

        Raises:
            ConditionFailed: the item is not as expected.
        """
        (kind, arguments), *_ = write.request().items()
        self._conditional(self._client.put_item if kind == "Put" else self._client.update_item, arguments)

    def put_or_find(self, put: Put) -> Item | None:
        """Store a new item; returns None, or the existing item."""
        arguments = {**put.request()["Put"], "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        try:
            self._client.put_item(**arguments)
        except self._client.exceptions.ConditionalCheckFailedException as error:
            return decode(error.response["Item"])  # type: ignore[typeddict-item]
        return None

    def update(self, update: Update) -> Item:
        """Execute one update; returns the updated item.

        Raises:
            ConditionFailed: the item is not as expected.
        """
        arguments = {**update.request()["Update"], "ReturnValues": "ALL_NEW"}
        return decode(self._conditional(self._client.update_item, arguments)["Attributes"])

    def _conditional(self, call: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        try:
            return call(**arguments)
        except self._client.exceptions.ConditionalCheckFailedException:
            raise ConditionFailed("the item changed in the meantime") from None

    def transact(self, writes: Sequence[Step], token: str, *, versioned: bool = False) -> None:
        """Execute all writes or none; idempotent for equal writes and token within ten minutes.

        A later attempt with other time stamps is a new request for DynamoDB; then the writes' conditions decide.
        Conflicts with other transactions are retried.

        Args:
            versioned: the conditions are versions that were read, so after a conflict equal writes would fail, too.

        Raises:
            ConditionFailed: an item is not as expected; if `versioned`, also: another transaction changes it.
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
                if "ConditionalCheckFailed" in reasons or (versioned and "TransactionConflict" in reasons):
                    raise ConditionFailed("an item of the transaction changed in the meantime") from None
                if not reasons & PASSING_REASONS or attempt == _MEETINGS - 1:
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
        beyond: tuple[str, str, str] | None = None,
        start: Mapping[str, Any] | None = None,
        fields: Sequence[str] = (),
        consistent: bool = False,
    ) -> Iterator[Item]:
        """Items of one partition in sort-key order, all pages.

        Args:
            until: sort attribute and its highest value.
            after: sort attribute and its exclusive lower bound.
            between: sort attribute with lowest and highest value.
            beyond: sort attribute, comparison and bound; one of these four at most.
            start: keys, of the index too, of the item to begin after; it need not exist any more.
            fields: attributes to read; all by default.
            consistent: strongly consistent; not for an index.
        """
        names = {"#0": attribute}
        values = {":0": encoded(equals)}
        condition = "#0 = :0"
        if until:
            beyond = (until[0], "<=", until[1])
        elif after:
            beyond = (after[0], ">", after[1])
        if beyond:
            names["#1"], values[":1"] = beyond[0], encoded(beyond[2])
            condition += f" AND #1 {beyond[1]} :1"
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
        if start:
            arguments["ExclusiveStartKey"] = encode(start)
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

    def count(
        self, table: str, attribute: str, equals: str, *, index: str, between: tuple[str, str, str] | None = None
    ) -> int:
        """How many items an index has of one partition, all pages; see `query`."""
        names, values = {"#0": attribute}, {":0": encoded(equals)}
        condition = "#0 = :0"
        if between:
            names["#1"], values[":1"], values[":2"] = between[0], encoded(between[1]), encoded(between[2])
            condition += " AND #1 BETWEEN :1 AND :2"
        pages = self._client.get_paginator("query").paginate(
            TableName=table, IndexName=index, Select="COUNT", KeyConditionExpression=condition,
            ExpressionAttributeNames=names, ExpressionAttributeValues=values,
        )  # fmt: skip
        return sum(page["Count"] for page in pages)

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
        """Items listed by a keys-only index, read from the table.

        Items that have changed meanwhile and no longer match are left out.

        Args:
            key: the table's key attributes.
            fields: attributes to read, including `key` and `attribute`; all by default.
        """
        entries = self.query(
            table, attribute, equals, index=index, limit=limit, newest_first=newest_first, until=until, fields=key
        )
        while page := list(islice(entries, _BATCH)):
            for item in self.batch_get(table, page, fields):
                if item.get(attribute) == equals:
                    yield item

    def scan(self, table: str, filtered: str = "", **values: Any) -> Iterator[Item]:
        """All items, all pages, strongly consistent.

        Args:
            filtered: a filter expression; `:name` stands for the value of that name.
        """
        arguments: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
        if filtered:
            arguments["FilterExpression"] = filtered
        if values:
            arguments["ExpressionAttributeValues"] = {f":{name}": encoded(value) for name, value in values.items()}
        for page in self._client.get_paginator("scan").paginate(**arguments):
            yield from map(decode, page["Items"])

    def delete(self, table: str, key: Mapping[str, str]) -> Item | None:
        """Delete an item; returns its last state, or None if it did not exist."""
        found = self._client.delete_item(TableName=table, Key=encode(key), ReturnValues="ALL_OLD").get("Attributes")
        return decode(found) if found else None
