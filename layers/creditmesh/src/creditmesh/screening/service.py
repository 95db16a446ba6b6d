"""Look-ups in the lists: in memory, after one query for changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import InvalidInput
from creditmesh.platform.blind_index import BlindIndex, IndexKey
from creditmesh.platform.crypto import FieldCipher
from creditmesh.screening.model import (
    MIN_SCORE_BPS,
    EntryKey,
    Hit,
    Kind,
    ListsOutdated,
    Origin,
    Screening,
    Subject,
    features_of,
    strongest,
)
from creditmesh.screening.normalise import NORMAL_FORM, normalise
from creditmesh.screening.segment import MAX_COMPARED, NEVER, Found, IndexSegment
from creditmesh.screening.similarity import FULL, keys, score_bps
from creditmesh.screening.state import Keeper, ListState, LiveEntry


def fingerprint(index: BlindIndex | IndexKey, kind: Kind, normalised: str) -> str:
    """Sixteen hex digits that identify a subject; two subjects share them about once in 10^19."""
    return index.of(f"list:{kind}", normalised)[:16]


def fingerprints(index: BlindIndex, kind: Kind, normalised: str) -> list[str]:
    """The fingerprint under each index key in use, newest key first."""
    return [one[:16] for one in index.each(f"list:{kind}", normalised)]


def index_name(key: IndexKey) -> str:
    """What an import's index was made with: the index key and the normal forms."""
    return f"{key.key_id}-{NORMAL_FORM}"


def blind_name_keys(index: BlindIndex, normalised: str) -> list[str]:
    """Keyed hashes of a name's keys, by which manual entries are found."""
    return [index.of("list:name-key", key)[:12] for key in keys(normalised)]


class Lists:
    """Screens subjects against all lists.

    Args:
        journal_table: name of the journal's table, which is part of the context that names are sealed with.
    """

    def __init__(
        self, keeper: Keeper, index: BlindIndex, cipher: FieldCipher, journal_table: str, clock: Clock
    ) -> None:
        self._keeper, self._index, self._cipher = keeper, index, cipher
        self._journal_table, self._clock = journal_table, clock

    def screen(self, subjects: Sequence[Subject], *, max_age_seconds: float = 0.0) -> Screening:
        """Look subjects up on every list.

        Args:
            max_age_seconds: maximum age of the lists in memory; 0 queries the journal, so that no change is missed.

        Raises:
            ListsOutdated: entries have to be indexed anew first.
        """
        state, segments = self._keeper.current(max_age_seconds)
        if state.outdated:
            raise ListsOutdated("the lists are indexed by an earlier release; index them anew")
        now = self._clock.now()
        found: dict[tuple[int, str], Hit] = {}
        unreadable, incomplete = [], []
        for number, subject in enumerate(subjects):
            try:
                value = normalise(subject.kind, subject.value)
            except InvalidInput:
                unreadable.append(number)
                continue
            search = _Search(self, state, segments, number, now)
            for hit in search.hits(subject.kind, value):
                known = found.get((number, hit.entry_id))
                if known is None or known.score_bps < hit.score_bps:
                    found[number, hit.entry_id] = hit
            if not search.complete:
                incomplete.append(number)
        hits = list(found.values())
        return Screening(
            at=iso(now),
            hits=strongest(hits),
            features=features_of(hits),
            change_number=state.number,
            imports=dict(state.imports),
            unreadable=unreadable,
            incomplete=incomplete,
        )

    def name_of(self, entry: LiveEntry) -> str:
        """Decrypt an entry's normalised name; only for the few that share a key with the name looked up."""
        return self._cipher.open(entry.sealed_name or "", self._journal_table, entry.entry_id, "name")

    def fingerprints(self, kind: Kind, value: str) -> list[str]:
        return fingerprints(self._index, kind, value)

    def name_keys(self, value: str) -> list[str]:
        return [one[:12] for key in keys(value) for one in self._index.each("list:name-key", key)]


class _Search:
    """Search for one subject in manual and imported entries."""

    def __init__(
        self, lists: Lists, state: ListState, segments: dict[str, IndexSegment], subject: int, now: datetime
    ) -> None:
        self._lists, self._state, self._segments, self._subject = lists, state, segments, subject
        self._now, self._seconds = iso(now), int(now.timestamp())
        self.complete = True

    def hits(self, kind: Kind, value: str) -> Iterator[Hit]:
        """Entries in force for the subject or a similar one."""
        yield from self._similar(value) if kind is Kind.NAME else self._exact(kind, value)

    def _exact(self, kind: Kind, value: str) -> Iterator[Hit]:
        marks = self._lists.fingerprints(kind, value)
        for mark in marks:
            for entry in self._state.exact(kind, int(mark, 16)):
                yield from self._entered(entry, FULL)
            for source, segment in self._segments.items():
                for found in segment.exact(kind, int(mark, 16)):
                    yield from self._imported(source, found, FULL, marks)

    def _similar(self, name: str) -> Iterator[Hit]:
        entered = self._state.by_name_keys(self._lists.name_keys(name)) if self._state.has_names else []
        self.complete = len(entered) <= MAX_COMPARED
        for entry in entered[:MAX_COMPARED]:
            if (score := score_bps(name, self._lists.name_of(entry))) >= MIN_SCORE_BPS:
                yield from self._entered(entry, score)
        for source, segment in self._segments.items():
            several, complete = segment.similar(name)
            self.complete = self.complete and complete
            for score, found in several:
                yield from self._imported(source, found, score, self._lists.fingerprints(Kind.NAME, found.name or ""))

    def _entered(self, entry: LiveEntry, score: int) -> Iterator[Hit]:
        if (entry.valid_from or "") <= self._now and (entry.valid_until is None or self._now < entry.valid_until):
            yield Hit(
                subject=self._subject, list_name=entry.list_name, kind=entry.kind, match=_match(score), score_bps=score,
                entry_id=entry.entry_id, source=entry.source, reason_code=entry.reason_code,
                valid_until=entry.valid_until, origin=Origin.ENTERED,
            )  # fmt: skip

    def _imported(self, source: str, found: Found, score: int, marks: Sequence[str]) -> Iterator[Hit]:
        """A manual entry or removal of the same source and subject takes precedence over an import."""
        entry_id = EntryKey.of(found.list_name, found.kind, f"{found.fingerprint:016x}", source).entry_id
        if not found.begins <= self._seconds < found.ends:
            return
        known = (EntryKey.of(found.list_name, found.kind, mark, source).entry_id for mark in marks)
        if any(one in self._state.removed or one in self._state.entries for one in known):
            return
        until = None if found.ends == NEVER else iso(datetime.fromtimestamp(found.ends, tz=UTC))
        yield Hit(
            subject=self._subject, list_name=found.list_name, kind=found.kind, match=_match(score), score_bps=score,
            entry_id=entry_id, source=source, reason_code=found.reason_code, valid_until=until, origin=Origin.IMPORTED,
        )  # fmt: skip


def _match(score: int) -> str:
    return "exact" if score == FULL else "similar"
