"""Stored records that fill missing fields of requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.tables import ConditionFailed, Delete, Item, Put, Tables

if TYPE_CHECKING:
    from creditmesh.platform.blind_index import BlindIndex
    from creditmesh.platform.crypto import FieldCipher


class ReferenceRecords:
    """Records by collection and key; the key is stored as blind index, the document encrypted."""

    def __init__(self, tables: Tables, table: str, cipher: FieldCipher, index: BlindIndex, clock: Clock) -> None:
        self._tables, self._table, self._cipher, self._index, self._clock = tables, table, cipher, index, clock

    def get(self, record: str, key: str) -> Any:
        for place in self._places(record, key):
            if item := self._tables.get(self._table, place):
                return self._opened(item)["document"]
        return None

    def put(self, record: str, key: str, document: dict[str, Any], by: str) -> None:
        place = self._place(record, key)
        item = {**self._sealed(place, key, document), "written_at": iso(self._clock.now()), "written_by": by}
        self._tables.write(Put(self._table, item, "record", replace=True))
        for other in self._places(record, key):
            if other != place:
                self._tables.delete(self._table, other)

    def rekey(self) -> int:
        """Move records under an earlier index key to the current one; returns their number."""
        return sum(map(self._rekeyed, self._tables.scan(self._table)))

    def _rekeyed(self, item: Item) -> bool:
        opened = self._opened(item)
        place = self._place(item["record"], opened["key"])
        if place["key_index"] == item["key_index"]:
            return False
        old = {name: item[name] for name in place}
        put = Put(self._table, {**item, **self._sealed(place, opened["key"], opened["document"])}, "record")
        try:
            self._tables.transact([put, Delete(self._table, old, {"document": item["document"]})], item["document"])
        except ConditionFailed:  # rewritten meanwhile, under the current key or again under this one
            if self._tables.get(self._table, place):
                self._tables.delete(self._table, old)
        return True

    def _sealed(self, place: dict[str, str], key: str, document: dict[str, Any]) -> Item:
        """An item; the key is encrypted with the document, since its index could not be recomputed otherwise."""
        text = json.dumps({"key": key, "document": document}, ensure_ascii=False)
        return {**place, "document": self._cipher.seal(text, self._table, *place.values(), "document")}

    def _opened(self, item: Item) -> Any:
        place = item["record"], item["key_index"]
        return json.loads(self._cipher.open(item["document"], self._table, *place, "document"))

    def _place(self, record: str, key: str) -> dict[str, str]:
        return {"record": record, "key_index": self._index.of(f"record:{record}", key)}

    def _places(self, record: str, key: str) -> list[dict[str, str]]:
        return [{"record": record, "key_index": index} for index in self._index.each(f"record:{record}", key)]
