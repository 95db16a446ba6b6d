"""The numbered sequence of all changes of the lists, without gaps: updates for look-ups, and the audit trail.

A change, the items it affects and the last number are written in one transaction. So changes become visible in order,
and one query after the last known number returns all new ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Unavailable
from creditmesh.platform.paging import FIRST, Page, Partition, Window, read
from creditmesh.platform.tables import ConditionFailed, Item, Put, Step, Tables, Update

_LOG, _HEAD = "lists", {"journal": "head", "number": "0"}
_DIGITS = 12
_TRIES = 25


class Journal:
    """The sequence of changes."""

    def __init__(self, tables: Tables, table: str, clock: Clock) -> None:
        self._tables, self._table, self._clock = tables, table, clock

    def after(self, number: int) -> Iterator[Item]:
        """The changes after that number, in order; strongly consistent."""
        since = ("number", _written(number))
        for found in self._tables.query(self._table, "journal", _LOG, after=since, consistent=True):
            yield _read(found)

    def newest(self, window: Window = FIRST) -> Page[Item]:
        """Changes, newest first."""
        partition = Partition(
            self._table, ("journal", "number"), "journal", _LOG, sort="number", newest_first=True
        )  # fmt: skip
        return read(self._tables, [partition], window).map(_read)

    def append(self, act: str, by: str, record: Mapping[str, Any], writes: Sequence[Step]) -> int:
        """Append a change in one transaction with ``writes``; returns its number.

        Raises:
            ConditionFailed: a condition of ``writes`` failed.
            Unavailable: too many concurrent writes.
        """
        last = self._last()
        for _ in range(_TRIES):
            try:
                self._tables.transact([*writes, *self._own(last, act, by, record)], f"list-change-{last + 1}")
            except ConditionFailed:
                if (now := self._last()) == last:
                    raise  # the number is unchanged, so a condition of `writes` failed
                last = now
            else:
                return last + 1
        raise Unavailable("too many concurrent changes of the lists; try again")

    def _own(self, last: int, act: str, by: str, record: Mapping[str, Any]) -> list[Step]:
        head: Step = Update(self._table, _HEAD, set={"last": last + 1}, where={"last": last})
        if not last:
            head = Put(self._table, {**_HEAD, "last": 1}, "journal")
        change = {
            "journal": _LOG, "number": _written(last + 1), "at": iso(self._clock.now()), "by": by, "act": act, **record
        }  # fmt: skip
        return [head, Put(self._table, change, "journal")]

    def _last(self) -> int:
        return int((self._tables.get(self._table, _HEAD) or {}).get("last", 0))


def _written(number: int) -> str:
    return f"{number:0{_DIGITS}d}"


def _read(item: Item) -> Item:
    return {**item, "number": int(item["number"])}
