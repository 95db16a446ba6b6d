"""Stored records from which missing fields of requests are filled."""

from __future__ import annotations

import json
from typing import Any

from creditmesh.kernel.clock import Clock, iso
from creditmesh.platform.crypto import BlindIndex, FieldCipher
from creditmesh.platform.tables import Put, Tables


class ReferenceRecords:
    """Records by collection and key; the key is found by its blind index, the document sealed."""

    def __init__(self, tables: Tables, table: str, cipher: FieldCipher, index: BlindIndex, clock: Clock) -> None:
        self._tables, self._table, self._cipher, self._index, self._clock = tables, table, cipher, index, clock

    def get(self, record: str, key: str) -> Any:
        place = self._place(record, key)
        item = self._tables.get(self._table, place)
        if item is None:
            return None
        return json.loads(self._cipher.open(item["document"], self._table, *place.values(), "document"))

    def put(self, record: str, key: str, document: dict[str, Any], by: str) -> None:
        place = self._place(record, key)
        sealed = self._cipher.seal(json.dumps(document, ensure_ascii=False), self._table, *place.values(), "document")
        item = {**place, "document": sealed, "written_at": iso(self._clock.now()), "written_by": by}
        self._tables.write(Put(self._table, item, "record", replace=True))

    def _place(self, record: str, key: str) -> dict[str, str]:
        return {"record": record, "key_index": self._index.of(f"record:{record}", key)}
