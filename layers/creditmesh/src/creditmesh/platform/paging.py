"""Pages of lists: a bounded number of items is read, and a mark tells where the next page begins."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Any, Generic, TypeVar

from creditmesh.platform.tables import Item, Tables

T = TypeVar("T")
U = TypeVar("U")
LOOKED_AT = 200
"""Items that a page with a filter reads at most, whatever it finds."""
_TOGETHER = 50
"""Items that a filter is applied to before more are read."""


@dataclass(frozen=True)
class Window:
    """Which page of a list is wanted."""

    limit: int = 100
    after: Any = None
    """`Page.mark` of the page before; None for the first."""


FIRST = Window()
"""The first hundred."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """Items of a list."""

    items: list[T]
    mark: Any = field(default=None, repr=False)
    """JSON; None after the last page. A page may be empty and have a mark: all that was read was filtered out."""

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def map(self, convert: Callable[[T], U]) -> Page[U]:
        return Page([convert(one) for one in self.items], self.mark)


@dataclass(frozen=True)
class Partition:
    """Items of a table, or of one of its keys-only indexes, under one value, in the order of an attribute."""

    table: str
    key: Sequence[str]
    """The table's key attributes."""
    attribute: str
    equals: str
    sort: str
    index: str | None = None
    newest_first: bool = False
    between: tuple[str, str] | None = None
    """Lowest and highest value of `sort`."""
    fields: Sequence[str] = ()
    """Attributes to read of an index's items, including the keys; all by default."""

    def entries(self, tables: Tables, most: int, reached: Any) -> list[Item]:
        """The next entries after a place in the merged order, as far as index or table hold them.

        Args:
            reached: a `place` of this partition or another of the list; None for the beginning.
        """
        names = [self.sort, *self.key]
        start = beyond = None
        if reached and reached[0] == self.equals:
            start = {self.attribute: self.equals, **dict(zip(names, reached[1:], strict=True))}
        elif reached:
            # Of entries with the same sort value, those of one partition come before those of the next.
            passed = (self.equals < reached[0]) is not self.newest_first
            beyond = (self.sort, ("<" if self.newest_first else ">") + ("" if passed else "="), reached[1])
        between = (self.sort, *self.between) if self.between and not beyond else None
        found = tables.query(
            self.table, self.attribute, self.equals, index=self.index, limit=most, between=between, beyond=beyond,
            start=start, newest_first=self.newest_first, fields=tuple(dict.fromkeys(names)) if self.index else (),
        )  # fmt: skip
        return list(takewhile(self._within, found))

    def place(self, entry: Item) -> list[Any]:
        """Where an entry stands in the merged order of the list's partitions."""
        return [self.equals, *(entry[name] for name in (self.sort, *self.key))]

    def _within(self, entry: Item) -> bool:
        return self.between is None or self.between[0] <= entry[self.sort] <= self.between[1]

    def items(self, tables: Tables, entries: Sequence[Item]) -> Iterator[Item | None]:
        """What the entries stand for; None for an item that has left the index meanwhile."""
        if self.index is None:
            yield from entries
            return
        keys = [{name: entry[name] for name in self.key} for entry in entries]
        found = {self._key(item): item for item in tables.batch_get(self.table, keys, self.fields)}
        for entry in entries:
            item = found.get(self._key(entry))
            yield item if item and item.get(self.attribute) == self.equals else None

    def _key(self, item: Item) -> tuple[Any, ...]:
        return tuple(item[name] for name in self.key)


def read(
    tables: Tables, partitions: Sequence[Partition], window: Window, wanted: Callable[[Item], bool] | None = None
) -> Page[Item]:
    """The next page of partitions of the same kind, merged by their order.

    Its mark is one place in that order, however many partitions there are; they may come and go between pages.

    Args:
        wanted: a filter that no index serves; the page then reads at most `LOOKED_AT` items.
    """
    most, together = (LOOKED_AT, _TOGETHER) if wanted else (window.limit, window.limit)
    read = [one.entries(tables, most + 1, window.after) for one in partitions]
    merged = islice(_merged(partitions, read), most)
    found: list[Item] = []
    reached, left = window.after, sum(map(len, read))
    while len(found) < window.limit and (part := list(islice(merged, together))):
        for (number, entry), item in zip(part, _items(tables, partitions, part), strict=True):
            reached = partitions[number].place(entry)
            left -= 1
            if item is not None and (wanted is None or wanted(item)):
                found.append(item)
                if len(found) == window.limit:
                    break
    return Page(found, reached if left else None)


def matching(equal: Mapping[str, Any]) -> Callable[[Item], bool] | None:
    """The filter for attributes with these values; None for a value that does not matter."""
    asked = {name: value for name, value in equal.items() if value is not None}
    if not asked:
        return None
    return lambda item: all(item.get(name) == value for name, value in asked.items())


def cut(items: Iterable[T], window: Window, key: Callable[[T], Any]) -> Page[T]:
    """The next page of a short list that is sorted by `key`, a value that JSON can hold."""
    rest = [one for one in items if window.after is None or key(one) > window.after]
    part = rest[: window.limit]
    return Page(part, key(part[-1]) if len(rest) > len(part) else None)


def numbered(items: Sequence[T], window: Window, *, newest_first: bool = False) -> Page[T]:
    """The next page of a short list that only grows, at its end or, newest first, at its beginning."""
    found = cut(enumerate(items, -len(items) if newest_first else 0), window, lambda pair: pair[0])
    return found.map(lambda pair: pair[1])


def _merged(partitions: Sequence[Partition], read: Sequence[Sequence[Item]]) -> Iterator[tuple[int, Item]]:
    pairs = [[(number, entry) for entry in entries] for number, entries in enumerate(read)]
    if len(pairs) == 1:
        return iter(pairs[0])
    sort, reverse = partitions[0].sort, partitions[0].newest_first
    return heapq.merge(*pairs, key=lambda pair: (pair[1][sort], partitions[pair[0]].equals), reverse=reverse)


def _items(
    tables: Tables, partitions: Sequence[Partition], part: Sequence[tuple[int, Item]]
) -> Iterator[Item | None]:  # fmt: skip
    """The items of entries of several partitions, in their order."""
    by_number: dict[int, Iterator[Item | None]] = {}
    for number in {number for number, _ in part}:
        entries = [entry for of, entry in part if of == number]
        by_number[number] = partitions[number].items(tables, entries)
    for number, _ in part:
        yield next(by_number[number])
