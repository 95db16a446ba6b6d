"""What a collection gives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from creditmesh.kernel.errors import Unavailable


class SourceUnavailable(Unavailable):
    """A required source gave nothing usable; the message names the channel and why."""

    code = "source_unavailable"


class AnswersPending(Unavailable):
    """Sources answer later, by webhook. The message is what the process waits for, as JSON."""

    code = "answers_pending"

    def __init__(self, numbers: Sequence[str], wait_seconds: int) -> None:
        super().__init__(json.dumps({"numbers": list(numbers), "wait_seconds": wait_seconds}))
        self.numbers, self.wait_seconds = numbers, wait_seconds


@dataclass(frozen=True)
class DataSubject:
    """Whose data is collected, and for what."""

    taxpayer_id: str = field(repr=False)
    taxpayer_index: str
    """The blind index of `taxpayer_id`."""
    fields: Mapping[str, Any] = field(repr=False)
    """What is known of the firm, by field name."""
    tenant: str
    """Whose rights are used: an authorisation serves the account that brought it, and no other."""
    by: str
    """Id of the application or monitoring run; raw answers lie under it."""
    purpose: str
    """As the consents name it."""


class SourceRecord(BaseModel):
    """What one channel gave, for the report and for replays: from here a feature leads back to the raw answer."""

    model_config = ConfigDict(frozen=True)

    source: str
    """Kind of data."""
    channel: str
    channel_version: int = 1
    """Whose rules made the third information; the raw keys name the version that asked, which may be an earlier one."""
    outcome: str = "complete"
    reason: str | None = None
    missing: list[str] = []
    cached: bool = False
    fetched_at: str | None = None
    raw_keys: list[str] = []
    sha256: str | None = None


class Collected(NamedTuple):
    """Key data that was written: where it lies, and the features."""

    key: str
    features: Mapping[str, int | str | bool | None]


class KeyDataDocument(BaseModel):
    """The key data of one collection as stored (docs/reference/key-data.md)."""

    model_config = ConfigDict(frozen=True)

    schema_version: str = "2"
    application_id: str
    as_of: str
    features_version: int | None = None
    """Version of the document of features; unknown for older key data."""
    sources: list[SourceRecord]
    features: dict[str, int | str | bool | None]
    quality: list[dict[str, Any]]
    lineage: dict[str, list[dict[str, Any]]] = {}
    """Feature -> where in which source's third information it comes from; `sources` leads on to the raw answers and to
    the version of the channel that read them."""
    row: dict[str, Any] = {}
    """The clean row that the features were computed from, in the form that Spark takes."""
    screening: dict[str, Any] | None = None
    """What the look-up in the lists found, of which state of theirs (docs/reference/lists.md)."""
