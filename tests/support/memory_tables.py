"""DynamoDB in memory.

What the platform asks of DynamoDB behaves as there: conditions, updates, transactions, pages, what indexes hold, and
the errors' names. `tests/contract/cloud/test_dynamodb.py` holds it to moto and to the embedded cloud.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.expressions import Given, Item, changed, condition, invalid, named, paths, picked, update
from tests.support.memory import Refused, Service

Key = tuple[str, ...]
_PAGE, _LARGEST, _TOGETHER = 1_048_576, 409_600, 100
_FAILED = "ConditionalCheckFailedException"


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        key: the key's attributes.
        types: attribute of the key or of an index -> its type.
        indexes: name -> the index's key attributes.
        projected: name -> the attributes that an index holds; all where there is no entry.
        items: by key, in the order of writing.
    """

    name: str
    key: Key
    types: Mapping[str, str]
    indexes: Mapping[str, Key]
    projected: Mapping[str, frozenset[str]]
    items: dict[Key, Item] = field(default_factory=dict)

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Table:
        """The table that CreateTable describes."""
        key = _key_names(arguments)
        indexes = {one["IndexName"]: one for one in arguments.get("GlobalSecondaryIndexes", ())}
        projected = {
            name: frozenset((*key, *_key_names(one), *one["Projection"].get("NonKeyAttributes", ())))
            for name, one in indexes.items()
            if one["Projection"]["ProjectionType"] != "ALL"
        }
        types = {one["AttributeName"]: one["AttributeType"] for one in arguments["AttributeDefinitions"]}
        own = {name: _key_names(one) for name, one in indexes.items()}
        return cls(arguments["TableName"], key, types, own, projected)

    def key_of(self, given: Item) -> Key:
        """The key that a request names."""
        if set(given) != set(self.key):
            raise invalid("The provided key element does not match the schema")
        return self.key_in(given)

    def key_in(self, item: Item) -> Key:
        """The key of an item; attributes of keys and indexes must be of their type and not empty."""
        for name in self.key:
            if name not in item:
                raise invalid(f"One or more parameter values were invalid: Missing the key {name} in the item")
        for name, kind in self.types.items():
            if name in item and not item[name].get(kind):
                raise invalid(f"One or more parameter values were invalid: {name} is empty or of another type")
        return tuple(item[name][self.types[name]] for name in self.key)

    def storable(self, item: Item) -> Item:
        """The item, if it may be stored."""
        self.key_in(item)
        for name, value in item.items():
            if any(value.get(kind) == [] for kind in ("SS", "NS", "BS")):
                raise invalid(f"One or more parameter values were invalid: the set {name} may not be empty")
        if _size(item) > _LARGEST:
            raise invalid("Item size has exceeded the maximum allowed size")
        return dict(item)

    def listed(self, index: str | None) -> list[Item]:
        """The items that the table, or one of its indexes, holds, as it holds them."""
        if index is None:
            return list(self.items.values())
        if index not in self.indexes:
            raise invalid(f"The table does not have the specified index: {index}")
        needed, held = self.indexes[index], self.projected.get(index)
        found = [item for item in self.items.values() if all(name in item for name in needed)]
        return [{name: item[name] for name in item if name in held} for item in found] if held else found


class MemoryTables(Service):
    """The tables.

    Attributes:
        tables: by name.
    """

    name = "dynamodb"

    def __init__(self, region: str) -> None:
        super().__init__(region)
        self.tables: dict[str, Table] = {}
        self._transactions: dict[str, Any] = {}

    def empty(self, *tables: str) -> None:
        """Take every item of these tables away, and forget which transactions were carried out."""
        self._transactions.clear()
        for name in tables:
            self.tables[name].items.clear()

    def _CreateTable(self, **arguments: Any) -> dict[str, Any]:
        table = self.tables[arguments["TableName"]] = Table.of(arguments)
        self._transactions.clear()  # what was carried out on the table before it is gone
        arn = f"arn:aws:dynamodb:{self.client.meta.region_name}:123456789012:table/{table.name}"
        stream = {"LatestStreamArn": f"{arn}/stream/1"} if "StreamSpecification" in arguments else {}
        return {"TableDescription": {"TableName": table.name, "TableArn": arn, **stream}}

    def _GetItem(self, **asked: Any) -> dict[str, Any]:
        table = self._table(asked)
        found = table.items.get(table.key_of(asked["Key"]))
        return {} if found is None else {"Item": _shown(asked, found)}

    def _PutItem(self, **asked: Any) -> dict[str, Any]:
        return self._written("Put", asked)

    def _UpdateItem(self, **asked: Any) -> dict[str, Any]:
        return self._written("Update", asked)

    def _DeleteItem(self, **asked: Any) -> dict[str, Any]:
        return self._written("Delete", asked)

    def _written(self, kind: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        table = self._table(asked)
        key, before = self._found(table, asked)
        if not _met(asked, before):
            wanted = asked.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before is not None
            raise Refused(_FAILED, "The conditional request failed", **({"Item": before} if wanted else {}))
        after = _result(table, kind, asked, before)
        _store(table, key, after)
        returned = {"ALL_OLD": before, "ALL_NEW": after}.get(asked.get("ReturnValues", "NONE"))
        return {"Attributes": returned} if returned else {}

    def _BatchGetItem(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        if sum(len(asked["Keys"]) for asked in RequestItems.values()) > _TOGETHER:
            raise invalid("Too many items requested for the BatchGetItem call")
        found = {}
        for name, asked in RequestItems.items():
            table = self._table({"TableName": name})
            keys = [table.key_of(key) for key in asked["Keys"]]
            if len(set(keys)) < len(keys):
                raise invalid("Provided list of item keys contains duplicates")
            found[name] = [_shown(asked, table.items[key]) for key in keys if key in table.items]
        return {"Responses": found, "UnprocessedKeys": {}}

    def _BatchWriteItem(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        for name, requests in RequestItems.items():
            for request in requests:
                ((kind, asked),) = request.items()
                self._written(kind.removesuffix("Request"), {"TableName": name, **asked})
        return {"UnprocessedItems": {}}

    def _TransactWriteItems(self, TransactItems: Sequence[Any], ClientRequestToken: str = "") -> dict[str, Any]:
        if ClientRequestToken and ClientRequestToken in self._transactions:
            if self._transactions[ClientRequestToken] != TransactItems:
                raise Refused("IdempotentParameterMismatchException", "The token was used for another request")
            return {}
        steps = [(kind, asked, self._table(asked)) for item in TransactItems for kind, asked in item.items()]
        places = [(table.name, *self._found(table, asked)) for _, asked, table in steps]
        if len({place[:2] for place in places}) < len(steps):
            raise invalid("Transaction request cannot include multiple operations on one item")
        met = [_met(asked, before) for (_, asked, _), (*_, before) in zip(steps, places, strict=True)]
        if not all(met):
            reasons = [{"Code": "None" if one else "ConditionalCheckFailed"} for one in met]
            raise Refused("TransactionCanceledException", "Transaction cancelled", CancellationReasons=reasons)
        results = [
            _result(table, kind, asked, before)
            for (kind, asked, table), (*_, before) in zip(steps, places, strict=True)
        ]
        for (_, _, table), (_, key, _), after in zip(steps, places, results, strict=True):
            _store(table, key, after)
        self._transactions[ClientRequestToken] = TransactItems
        return {}

    def _Query(self, **asked: Any) -> dict[str, Any]:
        table, index = self._table(asked), asked.get("IndexName")
        if index and asked.get("ConsistentRead"):
            raise invalid("Consistent reads are not supported on global secondary indexes")
        key = table.indexes.get(index, table.key) if index else table.key
        _keys_only(asked, key)
        wanted = condition(asked["KeyConditionExpression"]).holds
        found = [item for item in table.listed(index) if wanted(_given(asked, item))]
        found.sort(key=lambda item: _place(table, key, item), reverse=not asked.get("ScanIndexForward", True))
        return _page(table, asked, found, (*key, *table.key))

    def _Scan(self, **asked: Any) -> dict[str, Any]:
        table = self._table(asked)
        return _page(table, asked, table.listed(asked.get("IndexName")), table.key)

    def _table(self, asked: Mapping[str, Any]) -> Table:
        if asked["TableName"] not in self.tables:
            raise Refused("ResourceNotFoundException", "Requested resource not found")
        return self.tables[asked["TableName"]]

    def _found(self, table: Table, asked: Mapping[str, Any]) -> tuple[Key, Item | None]:
        """Which item a write is about, and the item as it is."""
        key = table.key_in(asked["Item"]) if "Item" in asked else table.key_of(asked["Key"])
        return key, table.items.get(key)


def _key_names(arguments: Mapping[str, Any]) -> Key:
    return tuple(one["AttributeName"] for one in sorted(arguments["KeySchema"], key=lambda one: one["KeyType"]))


def _given(asked: Mapping[str, Any], item: Item | None) -> Given:
    names, values = asked.get("ExpressionAttributeNames", {}), asked.get("ExpressionAttributeValues", {})
    return Given(item or {}, names, values)


def _met(asked: Mapping[str, Any], before: Item | None) -> bool:
    """Whether a write's condition holds; every placeholder must be used."""
    texts = [(condition, asked.get("ConditionExpression")), (update, asked.get("UpdateExpression"))]
    used = [read(text).words for read, text in texts if text]
    _all_used(asked, used)
    text = asked.get("ConditionExpression")
    return not text or condition(text).holds(_given(asked, before))


def _all_used(asked: Mapping[str, Any], used: Iterable[frozenset[str]]) -> None:
    words = frozenset[str]().union(*used)
    for kind in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        if asked.get(kind) == {}:
            raise invalid(f"{kind} must not be empty")
        if unused := set(asked.get(kind, ())) - words:
            raise invalid(f"Value provided in {kind} unused in expressions: {sorted(unused)}")


def _result(table: Table, kind: str, asked: Mapping[str, Any], before: Item | None) -> Item | None:
    """The item after a write."""
    if kind in ("Delete", "ConditionCheck"):
        return before if kind == "ConditionCheck" else None
    if kind == "Put":
        return table.storable(asked["Item"])
    text, given = asked.get("UpdateExpression"), _given(asked, before)
    item = {**asked["Key"], **(before or {})}
    if text:
        for change in update(text).changes:
            if (name := named(change.path, given.names)[0]) in table.key:
                raise invalid(f"Cannot update attribute {name}. This attribute is part of the key")
        item = dict(changed(item, text, given))
    return table.storable(item)


def _store(table: Table, key: Key, item: Item | None) -> None:
    if item is None:
        table.items.pop(key, None)
    else:
        table.items[key] = item


def _shown(asked: Mapping[str, Any], item: Item) -> Item:
    text = asked.get("ProjectionExpression")
    return picked(item, paths(text), asked.get("ExpressionAttributeNames", {})) if text else item


def _keys_only(asked: Mapping[str, Any], key: Key) -> None:
    """Refuse a condition on the key that leaves the partition open or names other attributes."""
    names = asked.get("ExpressionAttributeNames", {})
    read = condition(asked["KeyConditionExpression"])
    attributes = {named(path, names)[0] for path in read.paths}
    if key[0] not in attributes:
        raise invalid(f"Query condition missed key schema element: {key[0]}")
    if attributes - set(key):
        raise invalid("Query key condition not supported")


def _place(table: Table, key: Key, item: Item) -> tuple[Any, ...]:
    """Where an item stands in its partition; of equals the one with the lower key first."""
    return tuple(
        int(item[name]["N"]) if table.types[name] == "N" else item[name]["S"].encode()
        for name in (*key[1:], *table.key)
    )


def _page(table: Table, asked: Mapping[str, Any], found: list[Item], key: Iterable[str]) -> dict[str, Any]:
    """What one call gives of the items found: so many, or as many as one page holds."""
    read = [condition(asked[name]).words for name in _CONDITIONS if name in asked]
    shown = [frozenset(map(str, (step for path in paths(asked[_SHOWN]) for step in path)))] if _SHOWN in asked else []
    _all_used(asked, read + shown)
    if start := asked.get("ExclusiveStartKey"):
        found = found[_after(table, asked, found, start) :]
    wanted = condition(asked["FilterExpression"]).holds if "FilterExpression" in asked else lambda given: True
    limit, size, last = asked.get("Limit", len(found) + 1), 0, 0
    for last, item in enumerate(found, 1):
        size += _size(item)
        if last == limit or size > _PAGE:
            break
    items = [_shown(asked, item) for item in found[:last] if wanted(_given(asked, item))]
    page: dict[str, Any] = {"Count": len(items), "ScannedCount": last}
    if asked.get("Select") != "COUNT":
        page["Items"] = items
    if last == limit or size > _PAGE:
        page["LastEvaluatedKey"] = {name: found[last - 1][name] for name in key}
    return page


def _after(table: Table, asked: Mapping[str, Any], found: Sequence[Item], start: Item) -> int:
    """How many of the items come before a page; the one that it begins after may be gone."""
    if "KeyConditionExpression" not in asked:
        keys = [table.key_in(item) for item in found]
        return keys.index(tuple(start[name][table.types[name]] for name in table.key)) + 1
    index = asked.get("IndexName")
    key = table.indexes[index] if index else table.key
    if set(start) != {*key, *table.key}:
        raise invalid("The provided starting key is invalid")
    last, newest_first = _place(table, key, start), not asked.get("ScanIndexForward", True)
    places = (_place(table, key, item) for item in found)
    return sum(place >= last if newest_first else place <= last for place in places)


_CONDITIONS, _SHOWN = ("KeyConditionExpression", "FilterExpression"), "ProjectionExpression"


def _size(item: Item) -> int:
    """About what DynamoDB counts."""
    return sum(len(name) + _weight(value) for name, value in item.items())


def _weight(value: Any) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "M":
        return _size(content) + 3
    if kind == "L":
        return sum(map(_weight, content)) + 3
    return sum(map(len, content)) if kind in ("SS", "NS", "BS") else len(content) if kind in ("N", "B") else 1
