"""The lists in memory: the replayed journal and the segments of current imports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

from creditmesh.platform.tables import Item
from creditmesh.screening.journal import Journal
from creditmesh.screening.model import Kind, ListName
from creditmesh.screening.normalise import NORMAL_FORM
from creditmesh.screening.segment import IndexSegment

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class LiveEntry:
    """A manual entry with the fields for look-ups."""

    entry_id: str
    list_name: ListName
    kind: Kind
    fingerprint: int
    source: str
    reason_code: str
    valid_from: str | None
    valid_until: str | None
    sealed_name: str | None
    """The sealed normalised form, for names."""
    name_keys: tuple[str, ...]
    """Blind indexes of the name's keys."""
    normal_form: int

    @classmethod
    def of(cls, change: Item) -> LiveEntry:
        """The entry that a change added."""
        return cls(
            entry_id=change["entry_id"],
            list_name=ListName(change["list_name"]),
            kind=Kind(change["kind"]),
            fingerprint=int(change["fingerprint"], 16),
            source=change["source"],
            reason_code=change["reason_code"],
            valid_from=change.get("valid_from"),
            valid_until=change.get("valid_until"),
            sealed_name=change.get("sealed_name"),
            name_keys=tuple(change.get("name_keys", ())),
            normal_form=int(change.get("normal_form", 1)),
        )


@dataclass
class ListState:
    """The journal replayed up to `number`."""

    number: int = 0
    entries: dict[str, LiveEntry] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    """Ids of removed entries; also of imported ones, in later imports too."""
    imports: dict[str, str] = field(default_factory=dict)
    """Source -> current import."""
    index_keys: dict[str, str] = field(default_factory=dict)
    """Source -> name of its index: the index key, and the normal forms unless they are the first ones."""
    _of_earlier_forms: set[str] = field(default_factory=set)
    _by_fingerprint: dict[int, dict[str, LiveEntry]] = field(default_factory=dict)
    _by_name_key: dict[str, dict[str, LiveEntry]] = field(default_factory=dict)

    @property
    def has_names(self) -> bool:
        return bool(self._by_name_key)

    @property
    def outdated(self) -> bool:
        """Some entries are indexed by earlier normal forms than look-ups use."""
        current = f"-{NORMAL_FORM}"
        return bool(self._of_earlier_forms) or not all(name.endswith(current) for name in self.index_keys.values())

    def apply(self, change: Item) -> None:
        match change["act"]:
            case "entered":
                self._forget(change["entry_id"])
                self.removed.discard(change["entry_id"])
                self._take(LiveEntry.of(change))
            case "removed":
                self._forget(change["entry_id"])
                self.removed.add(change["entry_id"])
            case "rekeyed":
                self._rekeyed(change)
            case "import_published":
                self.imports[change["source"]] = change["import_id"]
                self.index_keys[change["source"]] = change["index_key"]
            case "import_rekeyed" if self.imports[change["source"]] == change["import_id"]:
                self.index_keys[change["source"]] = change["index_key"]
        self.number = change["number"]

    def exact(self, kind: Kind, fingerprint: int) -> Iterator[LiveEntry]:
        found = self._by_fingerprint.get(fingerprint, {}).values()
        return (one for one in found if one.kind is kind)

    def by_name_keys(self, name_keys: list[str]) -> list[LiveEntry]:
        found: dict[str, LiveEntry] = {}
        for key in name_keys:
            found |= self._by_name_key.get(key, {})
        return list(found.values())

    def _rekeyed(self, change: Item) -> None:
        """Give an entry its new id; another entry may have it already."""
        removed = change.get("removed", change["was"] in self.removed)
        for entry_id in (change["was"], change["entry_id"]):
            self._forget(entry_id)
            self.removed.discard(entry_id)
        if removed:
            self.removed.add(change["entry_id"])
        elif "fingerprint" in change:
            self._take(LiveEntry.of(change))

    def _take(self, entry: LiveEntry) -> None:
        self.entries[entry.entry_id] = entry
        if entry.normal_form != NORMAL_FORM:
            self._of_earlier_forms.add(entry.entry_id)
        self._by_fingerprint.setdefault(entry.fingerprint, {})[entry.entry_id] = entry
        for key in entry.name_keys:
            self._by_name_key.setdefault(key, {})[entry.entry_id] = entry

    def _forget(self, entry_id: str) -> None:
        entry = self.entries.pop(entry_id, None)
        if entry is None:
            return
        self._of_earlier_forms.discard(entry_id)
        _take_out(self._by_fingerprint, entry.fingerprint, entry_id)
        for key in entry.name_keys:
            _take_out(self._by_name_key, key, entry_id)


def _take_out(index: dict[K, dict[str, LiveEntry]], key: K, entry_id: str) -> None:
    del index[key][entry_id]
    if not index[key]:
        del index[key]


class Keeper:
    """Keeps the lists in a process's memory up to date.

    Args:
        segment: reads the segment of an import whose fingerprints were made with the given index key.
        monotonic: clock in seconds, for the age of the state.
    """

    def __init__(
        self,
        journal: Journal,
        segment: Callable[[str, str], IndexSegment],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal, self._segment, self._monotonic = journal, segment, monotonic
        self._state, self._segments = ListState(), dict[tuple[str, str], IndexSegment]()
        self._seen_at: float | None = None
        self._lock = Lock()

    def current(self, max_age_seconds: float = 0.0) -> tuple[ListState, dict[str, IndexSegment]]:
        """The state, and source -> segment.

        Args:
            max_age_seconds: maximum age of the state; 0 queries the journal.
        """
        with self._lock:
            now = self._monotonic()
            if self._seen_at is None or now - self._seen_at >= max_age_seconds:
                self._seen_at = None  # an incomplete update must not be used
                for change in self._journal.after(self._state.number):
                    self._state.apply(change)
                self._load()
                self._seen_at = now
            return self._state, {source: self._segments[name] for source, name in self._wanted().items()}

    def _wanted(self) -> dict[str, tuple[str, str]]:
        state = self._state
        return {source: (import_id, state.index_keys[source]) for source, import_id in state.imports.items()}

    def _load(self) -> None:
        wanted = set(self._wanted().values())
        for gone in set(self._segments) - wanted:
            del self._segments[gone]
        for name in sorted(wanted - set(self._segments)):
            self._segments[name] = self._segment(*name)
