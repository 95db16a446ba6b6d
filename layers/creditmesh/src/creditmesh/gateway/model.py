"""Subjects and results of collections."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from creditmesh.kernel.errors import Parameter, Unavailable


class SourceUnavailable(Unavailable):
    """A required source gave nothing usable; the message names channel and reason."""

    code = "source_unavailable"


class AnswersPending(Unavailable):
    """Sources answer later, by webhook. The message is the process's input as JSON."""

    code = "answers_pending"

    def __init__(self, numbers: Sequence[str], wait_seconds: int) -> None:
        super().__init__(json.dumps({"numbers": list(numbers), "wait_seconds": wait_seconds}))
        self.numbers, self.wait_seconds = numbers, wait_seconds


@dataclass(frozen=True)
class DataSubject:
    """The firm whose data is collected, and the purpose."""

    taxpayer_id: str = field(repr=False)
    taxpayer_index: str
    """The blind index of `taxpayer_id`."""
    fields: Mapping[str, Any] = field(repr=False)
    """Known data of the firm, by field name."""
    tenant: str
    """The tenant whose authorisations are used, and no other's."""
    by: str
    """Id of the application or monitoring run; prefix of the raw answers' keys."""
    purpose: str
    """As named in the consents."""


class SourceRecord(BaseModel):
    """The contribution of one channel, for the report and for replays: it leads from a feature to the raw answer."""

    model_config = ConfigDict(frozen=True)

    source: str
    """Kind of data."""
    channel: str
    channel_version: int = 1
    """The version whose rules made the third information; raw keys name the version that made the call."""
    outcome: str = "complete"
    reason: str | None = None
    """The sentence of `code`; older records have no code."""
    code: str | None = None
    parameters: dict[str, Parameter] = {}
    missing: list[str] = []
    cached: bool = False
    fetched_at: str | None = None
    raw_keys: list[str] = []
    sha256: str | None = None


class Screened(NamedTuple):
    """What the caller knows of the persons and firms that the sources name."""

    figures: Mapping[str, int]
    """Key data."""
    record: dict[str, Any]
    """Of the look-up in the lists."""
    findings: Sequence[dict[str, Any]] = ()
    """About the data, as `KeyDataDocument.quality` has them."""


class Collected(NamedTuple):
    """Key data as written: its key and the features."""

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
    unread: str | None = None
    """Features that are unknown because a source could not be read (`creditmesh.kernel.unread`)."""
    quality: list[dict[str, Any]]
    lineage: dict[str, list[dict[str, Any]]] = {}
    """Feature -> paths in the sources' third information; `sources` leads on to the raw answers and the channel
    version."""
    row: dict[str, Any] = {}
    """The clean row that the features were computed from, as Spark takes it."""
    screening: dict[str, Any] | None = None
    """Result of the look-up in the lists, with their state (docs/reference/lists.md)."""
