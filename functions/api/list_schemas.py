"""What the routes of the lists take and give (docs/reference/lists.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas import In, Instant, Listed, Listing, Out
from creditmesh.kernel.text import TEXT
from creditmesh.screening.entries import NewEntry
from creditmesh.screening.import_model import SOURCE_PATTERN, Import, Rejected
from creditmesh.screening.model import Change, Entry, Kind, ListName, Origin, State, Subject

_SHOWN = 4


class EntryGiven(NewEntry):
    """A subject to be put on a list."""

    valid_from: Instant | None = None
    valid_until: Instant | None = Field(default=None, description="exclusive; none: until it is removed")


class EntryView(Out):
    """An entry of a list; its value masked."""

    entry_id: str
    list_name: ListName
    kind: Kind
    masked_value: str = Field(description="the ends of the value, dots between")
    source: str
    reason_code: str
    text: str | None
    valid_from: str | None
    valid_until: str | None
    origin: Origin
    state: State
    added_by: str
    added_at: str
    proposed_by: str | None
    proposed_at: str | None
    version: int
    history: list[Change]

    @classmethod
    def of(cls, entry: Entry) -> EntryView:
        own = entry.model_dump(exclude={"value", "fingerprint", "normal_form"})
        return cls(masked_value=masked(entry.value), **own)


def masked(value: str) -> str:
    """The first and last characters of a value: a quarter on each side, at most four."""
    shown = min(len(value) // 4, _SHOWN)
    return f"{value[:shown]}{'•' * (len(value) - 2 * shown)}{value[len(value) - shown :]}"


class EntryList(Listed):
    """Entries whose removal waits for a second person, oldest first."""

    entries: list[EntryView]


class RemovalProposed(In):
    """Why an entry should go."""

    note: Annotated[str, Field(min_length=2, max_length=200), TEXT]


class RemovalDecided(In):
    """The second person's decision."""

    action: Literal["confirm", "refuse"]
    note: Annotated[str, Field(min_length=2, max_length=200), TEXT]


class Screened(In):
    """The subjects to look up."""

    subjects: list[Subject] = Field(min_length=1, max_length=50)
    max_age_seconds: int = Field(
        default=0,
        ge=0,
        le=60,
        description="how old what is known of the lists may be; 0: what was entered just now counts",
    )


class ImportView(Out):
    """An import, with the upload address while it waits for its file."""

    import_id: str
    source: str
    format: Literal["csv", "jsonl"]
    state: str
    created_by: str
    run_by: str | None = Field(description="who had the file read last")
    created_at: str
    updated_at: str
    size_bytes: int | None
    read_bytes: int
    lines: int
    accepted: int
    rejected: int
    entries: int | None = Field(description="how many the index holds; a subject that comes twice counts once")
    replaces: str | None
    problem: dict[str, Any] | None = Field(description="why it is not in force: field, rule and perhaps line")
    upload_url: str | None = Field(description="takes the file by PUT within an hour; then run the import")

    @classmethod
    def of(cls, one: Import, upload_url: str | None = None) -> ImportView:
        names = set(cls.model_fields) - {"upload_url"}
        return cls(upload_url=upload_url, **one.model_dump(mode="json", include=names))


class ImportList(Listed):
    """A source's imports, newest first."""

    imports: list[ImportView]


class RejectedLines(Listed):
    """Rejected lines, in the order of the file."""

    rejected: list[Rejected]


class ListChange(Out):
    """One change of the lists; never a value."""

    number: int
    at: str
    by: str
    act: str
    entry_id: str | None
    import_id: str | None
    source: str | None
    note: str | None


class ListChanges(Listed):
    """Changes of the lists, newest first."""

    changes: list[ListChange]


class SourceQuery(Listing):
    """Whose imports."""

    source: str = Field(pattern=SOURCE_PATTERN)


class RejectedQuery(Listing):
    """Which rejected lines."""

    limit: int = Field(default=100, ge=1, le=1000)
