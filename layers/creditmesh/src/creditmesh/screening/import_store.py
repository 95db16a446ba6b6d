"""Imports in DynamoDB, one item each; every change is conditional on the state that was read."""

from __future__ import annotations

from typing import Any

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import NotFound
from creditmesh.platform.paging import Page, Partition, Window, read
from creditmesh.platform.tables import Item, Put, Tables, Update
from creditmesh.screening.import_model import Import, ImportState

BY_SOURCE = "by-source"


class ImportStore:
    """Stores imports, each with its wrapped data key."""

    def __init__(self, tables: Tables, table: str, clock: Clock) -> None:
        self._tables, self._table, self._clock = tables, table, clock

    def put(self, one: Import, data_key: str) -> None:
        """Store a new import.

        Raises:
            ConditionFailed: the id exists.
        """
        item = {**one.model_dump(mode="json", exclude_none=True), "data_key": data_key}
        self._tables.write(Put(self._table, item, "import_id"))

    def get(self, import_id: str) -> Import:
        return self.with_key(import_id)[0]

    def with_key(self, import_id: str) -> tuple[Import, str]:
        found = self._tables.get(self._table, {"import_id": import_id})
        if found is None:
            raise NotFound("no such import", field="import_id")
        return _read(found), found["data_key"]

    def of_source(self, source: str, window: Window) -> Page[Import]:
        """A source's imports, newest first."""
        partition = Partition(
            self._table, ("import_id",), "source", source, sort="created_at", index=BY_SOURCE, newest_first=True
        )
        return read(self._tables, [partition], window).map(_read)

    def change(self, one: Import, to: ImportState, **values: Any) -> Update:
        """The write that changes an import, conditional on the state that was read."""
        plain = {name: getattr(value, "model_dump", lambda value=value: value)() for name, value in values.items()}
        return Update(
            self._table,
            {"import_id": one.import_id},
            set={"state": str(to), "updated_at": iso(self._clock.now()), **plain},
            remove=[name for name, value in values.items() if value is None],
            where={"state": str(one.state), "read_bytes": one.read_bytes, "attempt": one.attempt},
        )

    def apply(self, change: Update) -> Import:
        """Apply a change.

        Raises:
            ConditionFailed: the import was changed concurrently.
        """
        return _read(self._tables.update(change))


def _read(item: Item) -> Import:
    return Import.model_validate({name: value for name, value in item.items() if name != "data_key"})
