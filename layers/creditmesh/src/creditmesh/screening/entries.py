"""Manual list entries: one person adds, two persons remove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import InvalidInput, SamePerson
from creditmesh.kernel.text import LINE, TEXT
from creditmesh.platform.paging import FIRST, Page, Partition, Window, read
from creditmesh.platform.tables import Absent, ConditionFailed, Delete, Item, Put, Step, Tables, Update
from creditmesh.screening.journal import Journal
from creditmesh.screening.model import (
    Change,
    Entry,
    EntryKey,
    EntryStateConflict,
    Kind,
    ListName,
    NoSuchEntry,
    Origin,
    State,
)
from creditmesh.screening.normalise import NORMAL_FORM, normalise
from creditmesh.screening.service import blind_name_keys, fingerprint, fingerprints

if TYPE_CHECKING:
    from creditmesh.platform.blind_index import BlindIndex
    from creditmesh.platform.crypto import FieldCipher

BY_REMOVAL = "by-removal"
MOST_CHANGES = 100
"""Changes kept with an entry; the journal has all."""
_QUEUE = "proposed"
_PLATFORM = "platform"
_CONTENT = ("value", "reason_code", "text", "valid_from", "valid_until")


class NewEntry(BaseModel):
    """A new entry as a person submits it."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    list_name: ListName
    kind: Kind
    value: Annotated[str, Field(min_length=1, max_length=400, repr=False), LINE]
    source: Annotated[str, Field(min_length=2, max_length=80), LINE]
    reason_code: Annotated[str, Field(min_length=1, max_length=60), LINE]
    text: Annotated[str, Field(max_length=400), TEXT] | None = None
    valid_from: str | None = None
    valid_until: str | None = None


class ListEntries:
    """Adds and removes entries.

    Args:
        imported: finds an entry of the current imports by its id.
    """

    def __init__(
        self,
        tables: Tables,
        table: str,
        journal: Journal,
        journal_table: str,
        cipher: FieldCipher,
        index: BlindIndex,
        clock: Clock,
        imported: Callable[[str], Entry | None],
    ) -> None:
        self._tables, self._table, self._journal, self._journal_table = tables, table, journal, journal_table
        self._cipher, self._index, self._clock, self._imported = cipher, index, clock, imported

    def enter(self, new: NewEntry, by: str) -> Entry:
        """Add a subject to a list, replacing an earlier entry of the same source and subject.

        Idempotent. Adding a removed entry restores it.

        Raises:
            InvalidInput: the value is invalid for its kind, or valid_until is not after valid_from.
            EntryStateConflict: its removal has been proposed.
        """
        normalised = normalise(new.kind, new.value)
        if new.valid_until is not None and (new.valid_from or "") >= new.valid_until:
            raise InvalidInput("does not lie after {other}", field="valid_until", fault="not_after", other="valid_from")
        mark = fingerprint(self._index, new.kind, normalised)
        key = EntryKey.of(new.list_name, new.kind, mark, new.source)
        ids = [
            EntryKey.of(new.list_name, new.kind, fingerprint, new.source).entry_id
            for fingerprint in fingerprints(self._index, new.kind, normalised)
        ]
        now = iso(self._clock.now())
        entry = Entry(
            entry_id=key.entry_id, fingerprint=mark, normal_form=NORMAL_FORM, origin=Origin.ENTERED, added_by=by,
            added_at=now, history=[Change(at=now, by=by, act="entered")], **new.model_dump(),
        )  # fmt: skip
        while (old := next(filter(None, map(self._get, ids)), None)) is not None:
            if old.state is State.REMOVAL_PROPOSED:
                raise EntryStateConflict("the entry's removal is proposed; decide on the proposal first", field="value")
            same = all(getattr(old, name) == getattr(entry, name) for name in _CONTENT)
            if same and old.state is State.ACTIVE and old.origin is Origin.ENTERED:
                return old
            kept = {"entry_id": old.entry_id, "fingerprint": old.fingerprint, "version": old.version + 1}
            changed = entry.model_copy(update={**kept, "history": _newest(old.history, entry.history)})
            if self._append("entered", by, changed, self._replacing(changed, old), self._live(changed, normalised)):
                return changed
        put = Put(self._table, self._stored(entry), "entry_id")
        nowhere = [Absent(self._table, {"entry_id": one}) for one in ids if one != entry.entry_id]
        if self._append("entered", by, entry, put, self._live(entry, normalised), *nowhere):
            return entry
        return self.enter(new, by)

    def get(self, entry_id: str) -> Entry:
        """Return an entry in any state, or one of a current import.

        Raises:
            NoSuchEntry: unknown id.
        """
        EntryKey.parse(entry_id)
        found = self._get(entry_id)
        if found is None or (found.origin is Origin.IMPORTED and found.state is State.ACTIVE):
            imported = self._imported(entry_id)
            if imported is None:
                raise NoSuchEntry("no such entry", field="entry_id")
            found = found or imported
        return found

    def proposals(self, window: Window = FIRST) -> Page[Entry]:
        """Entries whose proposed removal waits for a second person, oldest first."""
        partition = Partition(
            self._table, ("entry_id",), "removal", _QUEUE, sort="proposed_at", index=BY_REMOVAL
        )  # fmt: skip
        return read(self._tables, [partition], window).map(self._opened)

    def propose_removal(self, entry_id: str, by: str, note: str) -> Entry:
        """Propose to remove an entry; it stays in force until a second person confirms.

        Raises:
            NoSuchEntry: unknown id.
            EntryStateConflict: already removed or proposed.
        """
        old = self.get(entry_id)
        if old.state is not State.ACTIVE:
            raise EntryStateConflict("the entry is {state}", field="entry_id", state=str(old.state))
        now = iso(self._clock.now())
        values = {"state": State.REMOVAL_PROPOSED, "proposed_by": by, "proposed_at": now}
        return self._moved(old, "removal_proposed", by, note, values)

    def decide_removal(self, entry_id: str, by: str, *, confirm: bool, note: str) -> Entry:
        """Confirm or reject a proposed removal (four eyes); a removed entry is kept as history.

        Raises:
            NoSuchEntry: unknown id.
            EntryStateConflict: no removal is proposed.
            SamePerson: the proposer cannot confirm.
        """
        old = self.get(entry_id)
        if old.state is not State.REMOVAL_PROPOSED:
            raise EntryStateConflict("no removal is proposed", field="entry_id")
        if confirm and old.proposed_by == by:
            raise SamePerson("another person must confirm your proposal")
        state = State.REMOVED if confirm else State.ACTIVE
        values = {"state": state, "proposed_by": None, "proposed_at": None}
        return self._moved(old, "removed" if confirm else "removal_refused", by, note, values)

    def _moved(self, old: Entry, act: str, by: str, note: str, values: dict[str, Any]) -> Entry:
        change = Change(at=iso(self._clock.now()), by=by, act=act, note=note)
        new = old.model_copy(update={**values, "version": old.version + 1, "history": _newest(old.history, [change])})
        kept = self._get(old.entry_id) is not None
        write = self._replacing(new, old) if kept else Put(self._table, self._stored(new), "entry_id")
        record = {
            "entry_id": new.entry_id,
            "list_name": new.list_name,
            "kind": new.kind,
            "source": new.source,
            "note": note,
        }
        if not self._append(act, by, new, write, record):
            raise EntryStateConflict("the entry was changed concurrently", field="entry_id")
        return new

    def rekey(self) -> int:
        """Index entries anew that were indexed by an earlier key or normal form; returns their number."""
        return sum(self._rekeyed(self._opened(item)) for item in self._tables.scan(self._table))

    def _rekeyed(self, old: Entry) -> bool:
        """Two entries of which the normal form has become one are merged; the one in force remains."""
        try:
            normalised = normalise(old.kind, old.value)
        except InvalidInput:
            return old.state is not State.REMOVED and self._ended(old)
        mark = fingerprint(self._index, old.kind, normalised)
        if (mark, NORMAL_FORM) == (old.fingerprint, old.normal_form):
            return False
        entry_id = EntryKey.of(old.list_name, old.kind, mark, old.source).entry_id
        there = old if entry_id == old.entry_id else self._get(entry_id)
        stays = old if there is None or there.state is State.REMOVED else there
        merged = [*there.history, *old.history] if there and there is not old else old.history
        change = Change(at=iso(self._clock.now()), by=_PLATFORM, act="rekeyed", parameters={"entry_id": old.entry_id})
        new = stays.model_copy(
            update={
                "entry_id": entry_id, "fingerprint": mark, "normal_form": NORMAL_FORM,
                "history": _newest(merged, [change]),
                "version": (there or old).version + 1,
            }
        )  # fmt: skip
        removed = new.state is State.REMOVED
        live = self._live(new, normalised) if new.origin is Origin.ENTERED and not removed else {}
        record = {"entry_id": new.entry_id, "was": old.entry_id, "removed": removed, **live}
        write = self._replacing(new, there) if there else Put(self._table, self._stored(new), "entry_id")
        away = Delete(self._table, {"entry_id": old.entry_id}, {"version": old.version, "state": str(old.state)})
        return self._append("rekeyed", _PLATFORM, new, write, record, *([] if there is old else [away]))

    def _ended(self, old: Entry) -> bool:
        """Remove an entry whose value is not valid any more, so that no look-up can ask for it."""
        values = {"state": State.REMOVED, "proposed_by": None, "proposed_at": None}
        self._moved(old, "removed", _PLATFORM, "the value is not valid any more", values)
        return True

    def _append(
        self, act: str, by: str, entry: Entry, write: Put | Update, record: dict[str, Any], *also: Step
    ) -> bool:
        try:
            self._journal.append(act, by, record, [write, *also])
        except ConditionFailed:
            return False
        return True

    def _replacing(self, new: Entry, old: Entry) -> Update:
        stored = self._stored(new)
        del stored["entry_id"]
        gone = [name for name in (*Entry.model_fields, "removal") if name != "entry_id" and stored.get(name) is None]
        where = {"version": old.version, "state": str(old.state)}
        return Update(self._table, {"entry_id": new.entry_id}, set=stored, remove=gone, where=where)

    def _stored(self, entry: Entry) -> Item:
        document = entry.model_dump(mode="json", exclude_none=True)
        document["value"] = self._cipher.seal(entry.value, self._table, entry.entry_id, "value")
        if entry.state is State.REMOVAL_PROPOSED:
            document["removal"] = _QUEUE
        return document

    def _live(self, entry: Entry, normalised: str) -> dict[str, Any]:
        """The fields of an entry that look-ups use."""
        wanted = {
            "entry_id", "list_name", "kind", "fingerprint", "normal_form", "source", "reason_code", "valid_from",
            "valid_until",
        }  # fmt: skip
        record = entry.model_dump(mode="json", include=wanted)
        if entry.kind is Kind.NAME:
            sealed = self._cipher.seal(normalised, self._journal_table, entry.entry_id, "name")
            record |= {"sealed_name": sealed, "name_keys": blind_name_keys(self._index, normalised)}
        return record

    def _get(self, entry_id: str) -> Entry | None:
        found = self._tables.get(self._table, {"entry_id": entry_id})
        return self._opened(found) if found else None

    def _opened(self, item: Item) -> Entry:
        document = {name: value for name, value in item.items() if name != "removal"}
        document["value"] = self._cipher.open(item["value"], self._table, item["entry_id"], "value")
        return Entry.model_validate(document)


def _newest(earlier: Sequence[Change], latest: Sequence[Change]) -> list[Change]:
    return [*earlier, *latest][-MOST_CHANGES:]
