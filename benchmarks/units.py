"""DynamoDB's read and write request units, as its Developer Guide counts them. Pure.

Sources: "DynamoDB item sizes and formats", "DynamoDB read and write operations", "Write considerations for global
secondary indexes". The guide does not say what a transaction's index writes cost; they are replicated after the commit
and counted once here.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Item = Mapping[str, Any]
_KIB = 1024


@dataclass(frozen=True)
class Index:
    """A global secondary index."""

    name: str
    keys: tuple[str, ...]
    """Its key attributes."""
    projected: frozenset[str] | None
    """The attributes it holds, keys of table and index included; None: all."""

    def entry(self, item: Item | None) -> Item | None:
        """What the index holds of an item; None where the item lacks one of the index's keys."""
        if item is None or not all(key in item for key in self.keys):
            return None
        if self.projected is None:
            return item
        return {name: value for name, value in item.items() if name in self.projected}


@dataclass(frozen=True)
class Table:
    """A table's indexes."""

    name: str
    indexes: tuple[Index, ...] = ()

    @classmethod
    def described(cls, description: Mapping[str, Any]) -> Table:
        """From DescribeTable, or the properties of a template's table."""
        own = [part["AttributeName"] for part in description["KeySchema"]]
        indexes = []
        for one in description.get("GlobalSecondaryIndexes", []):
            keys = tuple(part["AttributeName"] for part in one["KeySchema"])
            kind = one["Projection"]["ProjectionType"]
            held = frozenset([*own, *keys, *one["Projection"].get("NonKeyAttributes", [])])
            indexes.append(Index(one["IndexName"], keys, None if kind == "ALL" else held))
        return cls(str(description.get("TableName", "")), tuple(indexes))

    def index(self, name: str) -> Index:
        """The index of that name."""
        return next(one for one in self.indexes if one.name == name)

    def written(self, before: Item | None, after: Item | None, *, transaction: bool = False) -> dict[str, int]:
        """Units of one write, by index, and of the table itself under the empty name.

        Args:
            before: the item as it was; None if it was not there.
            after: the item as it is then; as before where a condition failed, which is billed all the same.
        """
        found = {"": write_units(max(item_size(before), item_size(after))) * (2 if transaction else 1)}
        for index in self.indexes:
            if units := index_units(index, before, after):
                found[index.name] = units
        return found


def write_units(size: int) -> int:
    """Units of a standard write: one per started KB, and at least one."""
    return max(1, -(-size // _KIB))


def read_units(size: int, *, consistent: bool = True, transaction: bool = False) -> float:
    """Units of reading so much: one per started 4 KB, half of it if eventually consistent, twice in a transaction."""
    whole = max(1, -(-size // (4 * _KIB)))
    return whole * (2 if transaction else 1 if consistent else 0.5)


def search_units(sizes: Sequence[int], *, consistent: bool = False) -> float:
    """Units of a query or scan: all items looked at count as one."""
    return read_units(sum(sizes), consistent=consistent)


def index_units(index: Index, before: Item | None, after: Item | None) -> int:
    """Units that an item's write costs one index.

    One write where an entry comes, goes or changes, two where its key changes, none where what it holds stays.
    """
    old, new = index.entry(before), index.entry(after)
    if old == new:
        return 0
    if old is None or new is None:
        return write_units(item_size(old or new))
    if any(old[key] != new[key] for key in index.keys):
        return write_units(item_size(old)) + write_units(item_size(new))
    return write_units(max(item_size(old), item_size(new)))


def item_size(item: Item | None) -> int:
    """Bytes of an item: its attributes' names and values."""
    return sum(len(name.encode()) + value_size(value) for name, value in (item or {}).items())


def value_size(value: Mapping[str, Any]) -> int:
    """Bytes of one value in wire form."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return _number_size(content)
    if kind == "B":
        return len(base64.b64decode(content))
    if kind in ("BOOL", "NULL"):
        return 1
    if kind in ("SS", "NS", "BS"):
        return sum(value_size({kind[0]: one}) for one in content)
    if kind == "L":
        return 3 + sum(1 + value_size(one) for one in content)
    return 3 + sum(1 + len(name.encode()) + value_size(one) for name, one in content.items())


def _number_size(text: str) -> int:
    """About one byte for each two significant digits, and one more; one more below zero."""
    digits = text.lstrip("-").replace(".", "").strip("0")
    return -(-len(digits) // 2) + 1 + text.startswith("-")
