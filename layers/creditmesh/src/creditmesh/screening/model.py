"""Entries, subjects and hits of lists."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.errors import Conflict, NotFound, Parameter, Unavailable

MIN_SCORE_BPS = 8_000
"""Names less similar than this are no hits; below it, the most similar one might not be found."""
MAX_HITS = 50
MAX_VALUE = 400
_HEX = re.compile("[0-9a-f]{24}")


class NoSuchEntry(NotFound):
    """No list has that entry."""


class ListsOutdated(Unavailable):
    """Entries are indexed by an earlier release's normal forms; until they are indexed anew, some are not found."""


class EntryStateConflict(Conflict):
    """The entry is not in a state that allows this."""

    code = "entry_state"


class ListName(StrEnum):
    """The three lists; the model's rules say what follows from a hit."""

    BLACK = "black"
    GREY = "grey"
    WHITE = "white"


class Kind(StrEnum):
    """What an entry identifies."""

    TAXPAYER_ID = "taxpayer_id"
    PERSON = "person"
    """A resident id."""
    DEVICE = "device"
    ACCOUNT = "account"
    """A bank account."""
    PHONE = "phone"
    ADDRESS = "address"
    NAME = "name"


class State(StrEnum):
    """State of an entry; it stays in force while its removal is only proposed."""

    ACTIVE = "active"
    REMOVAL_PROPOSED = "removal_proposed"
    REMOVED = "removed"


class Origin(StrEnum):
    """How an entry was added."""

    ENTERED = "entered"
    IMPORTED = "imported"


class Subject(BaseModel):
    """One value to look up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    value: str = Field(max_length=MAX_VALUE, repr=False)


class EntryKey(NamedTuple):
    """The identity of an entry; its id consists of these parts, with the source hashed."""

    list_name: ListName
    kind: Kind
    fingerprint: str
    source_hash: str

    @property
    def entry_id(self) -> str:
        """Id of the entry; the same in later imports."""
        return f"{self.list_name}.{self.kind}.{self.fingerprint}.{self.source_hash}"

    @classmethod
    def of(cls, list_name: ListName, kind: Kind, fingerprint: str, source: str) -> EntryKey:
        return cls(list_name, kind, fingerprint, hash_of(source))

    @classmethod
    def parse(cls, entry_id: str) -> EntryKey:
        """Parse an entry's id.

        Raises:
            NoSuchEntry: not an entry's id.
        """
        try:
            name, kind, fingerprint, source_hash = entry_id.split(".")
            if _HEX.fullmatch(fingerprint + source_hash) and len(source_hash) == 8:
                return cls(ListName(name), Kind(kind), fingerprint, source_hash)
        except ValueError:
            pass
        raise NoSuchEntry("no such entry", field="entry_id")


def hash_of(source: str) -> str:
    """Eight hex digits that identify a source in entries' ids."""
    return hashlib.sha256(source.encode()).hexdigest()[:8]


class Change(BaseModel):
    """One recorded change of an entry."""

    model_config = ConfigDict(frozen=True)

    at: str
    by: str
    act: str
    note: str | None = Field(default=None, description="what a person wrote")
    parameters: dict[str, Parameter] = Field(default={}, description="of `act`, where the platform knows more")


class Entry(BaseModel):
    """One stored entry; there is one per source, list and subject."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry_id: str
    list_name: ListName
    kind: Kind
    fingerprint: str
    """Sixteen hex digits of the subject's blind index, for exact look-ups."""
    normal_form: int = 1
    """Version of the normal form that the fingerprint was made of."""
    value: str = Field(repr=False)
    """The subject as given; sealed at rest."""
    source: str
    reason_code: str
    """The source's or our own code of the reason."""
    text: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    """Exclusive; None: until removed."""
    origin: Origin
    added_by: str
    added_at: str
    state: State = State.ACTIVE
    proposed_by: str | None = None
    """Proposer of the pending removal."""
    proposed_at: str | None = None
    version: int = 1
    """Incremented by each change."""
    history: list[Change] = []


class Hit(BaseModel):
    """An entry that matches a subject, without its value."""

    model_config = ConfigDict(frozen=True)

    subject: int
    """Index of the subject in the request."""
    list_name: ListName
    kind: Kind
    match: str
    score_bps: int
    """10,000 for an exact match, else the similarity of the names."""
    entry_id: str
    source: str
    reason_code: str
    valid_until: str | None = None
    origin: Origin


class Screening(BaseModel):
    """The result of a look-up and the state of the lists used, so that it can be explained later."""

    model_config = ConfigDict(frozen=True)

    at: str
    hits: list[Hit]
    """Strongest first, at most `MAX_HITS`."""
    features: dict[str, int]
    """Figures for key data; they count all hits."""
    change_number: int
    """Number of the last change known to the look-up."""
    imports: dict[str, str]
    """Source -> the import whose entries were in force."""
    unreadable: list[int] = []
    """Indexes of subjects that break their kind's rule and were not looked up."""
    incomplete: list[int] = []
    """Indexes of subjects with too many similar names to compare all."""


def features_of(hits: Sequence[Hit]) -> dict[str, int]:
    """The figures for key data: number of exact hits, and similarity of the most similar name.

    A name does not identify anybody for certain, so even an equal one counts by its score only.
    """
    found: dict[str, int] = {}
    for name in ListName:
        exact = {hit.entry_id for hit in hits if hit.list_name is name and hit.kind is not Kind.NAME}
        found[f"{name}list_hits"] = len(exact)
    for name in (ListName.BLACK, ListName.GREY):
        scores = [hit.score_bps for hit in hits if hit.list_name is name and hit.kind is Kind.NAME]
        found[f"{name}list_name_score_bps"] = max(scores, default=0)
    return found


def strongest(hits: Sequence[Hit]) -> list[Hit]:
    """Hits sorted: exact ones first, then by score, then black, grey, white."""
    order: dict[Any, int] = {name: rank for rank, name in enumerate(ListName)}
    ranked = sorted(hits, key=lambda hit: (-hit.score_bps, order[hit.list_name], hit.entry_id, hit.subject))
    return ranked[:MAX_HITS]
