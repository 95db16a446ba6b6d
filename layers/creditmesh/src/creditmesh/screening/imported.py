"""Single entries of the current imports, for staff who examine a hit."""

from __future__ import annotations

from datetime import UTC, datetime

from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import Parameter
from creditmesh.screening.generations import Generations
from creditmesh.screening.import_lines import Taken
from creditmesh.screening.import_model import Import
from creditmesh.screening.import_store import ImportStore
from creditmesh.screening.model import Change, Entry, EntryKey, Origin, hash_of
from creditmesh.screening.segment import NEVER
from creditmesh.screening.state import Keeper


class ImportedEntries:
    """Finds an entry by its id: first its position in the index, then its line."""

    def __init__(self, store: ImportStore, generations: Generations, keeper: Keeper) -> None:
        self._store, self._generations, self._keeper = store, generations, keeper

    def get(self, entry_id: str) -> Entry | None:
        """An entry of a current import, in the form of a manual entry; None if there is none."""
        key = EntryKey.parse(entry_id)
        state, segments = self._keeper.current()
        source = next((one for one in state.imports if hash_of(one) == key.source_hash), None)
        if source is None:
            return None
        for found in segments[source].exact(key.kind, int(key.fingerprint, 16)):
            if found.list_name is key.list_name:
                one = self._store.get(state.imports[source])
                taken = self._generations.line(one.import_id, found.line)
                return _as_entry(key, one, taken) if taken else None
        return None


def _as_entry(key: EntryKey, one: Import, taken: Taken) -> Entry:
    row = taken.row

    def instant(seconds: int, none: int) -> str | None:
        return None if seconds == none else iso(datetime.fromtimestamp(seconds, tz=UTC))

    told: dict[str, Parameter] = {"import_id": one.import_id, "line": row.line}
    return Entry(
        entry_id=key.entry_id, list_name=key.list_name, kind=key.kind, fingerprint=key.fingerprint, value=taken.value,
        source=one.source, reason_code=row.reason_code, text=taken.text, valid_from=instant(row.begins, 0),
        valid_until=instant(row.ends, NEVER), origin=Origin.IMPORTED, added_by=one.created_by, added_at=one.created_at,
        history=[Change(at=one.created_at, by=one.created_by, act="imported", parameters=told)],
    )  # fmt: skip
