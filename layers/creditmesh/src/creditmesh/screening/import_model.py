"""The import of a source's list, and its states."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.errors import Conflict
from creditmesh.screening.model import ListName

INCOMING = "lists/incoming/"
MAX_BYTES = 2 * 1024**3
SOURCE_PATTERN = r"^[a-z0-9][a-z0-9-]{1,39}$"


class ImportState(StrEnum):
    """State of an import. Its entries become visible to look-ups at once, when it is published."""

    AWAITING_FILE = "awaiting_file"
    READING = "reading"
    READ = "read"
    """All lines are read; the index is being built."""
    PUBLISHED = "published"
    REFUSED = "refused"
    """The file was rejected for the reason in `problem`; the source's earlier import stays in force."""
    FAILED = "failed"
    """Any other error; running the import again resumes it."""


class ImportStateConflict(Conflict):
    """The import is not in a state that allows this."""

    code = "import_state"


class NewImport(BaseModel):
    """A file to import. It is the source's whole list and replaces its earlier one."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    source: str = Field(pattern=SOURCE_PATTERN)
    format: Literal["csv", "jsonl"]
    encoding: Literal["utf-8", "gb18030"] = "utf-8"
    list_name: ListName | None = None
    """List of the lines that do not name one."""
    object_key: str | None = Field(default=None, max_length=300, pattern=rf"^{INCOMING}[A-Za-z0-9._/-]+$")
    """The file in the data bucket, below ``lists/incoming/``; None: it will be uploaded."""
    max_rejected_bps: int = Field(default=100, ge=0, le=10_000)
    """Largest accepted share of rejected lines; above it the whole file is rejected."""
    allow_shrink: bool = False
    """Accept less than half as many entries as the import it replaces."""


class ImportProblem(BaseModel):
    """Why an import was not published."""

    model_config = ConfigDict(frozen=True)

    field: str
    rule: str
    line: int | None = None
    """Line of the file, if one is the cause."""


class Rejected(BaseModel):
    """A rejected line: the rule it breaks, never its value."""

    model_config = ConfigDict(frozen=True)

    line: int
    field: str
    rule: str


class Import(BaseModel):
    """An import as stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    import_id: str
    source: str
    format: Literal["csv", "jsonl"]
    encoding: Literal["utf-8", "gb18030"]
    list_name: ListName | None = None
    object_key: str
    max_rejected_bps: int
    allow_shrink: bool
    state: ImportState
    created_by: str
    run_by: str | None = None
    """Who had the file read last."""
    created_at: str
    updated_at: str
    normal_form: int = 1
    """Version of the normal forms of the lines that were read."""
    etag: str | None = None
    """ETag of the file when reading began; a changed file needs another import."""
    size_bytes: int | None = None
    columns: list[str] | None = None
    """Names in the first line of a CSV file."""
    read_bytes: int = 0
    lines: int = 0
    accepted: int = 0
    rejected: int = 0
    entries: int | None = None
    """Size of the published index; a subject that comes twice counts once."""
    replaces: str | None = None
    """The source's previous import."""
    attempt: int = 0
    """How often it was run."""
    problem: ImportProblem | None = None
