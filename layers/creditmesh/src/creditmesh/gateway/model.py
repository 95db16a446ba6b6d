"""Sources of credit data and what they answer (C07, C09)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.errors import DomainError, Unavailable


class AuthorizationRejected(DomainError):
    """The source refused the code, or has no data under it (C08); `message` holds its reason code."""

    code = "authorization_rejected"


class SourceUnavailable(Unavailable):
    """A source gave no usable answer, or does not know the firm."""

    code = "source_unavailable"


class RawAnswer(BaseModel):
    """A source's answer as received, before anything is read into it."""

    model_config = ConfigDict(frozen=True)

    source: str
    channel: str
    fetched_at: str
    body: bytes = Field(repr=False)


class SourceRecord(BaseModel):
    """Where a raw answer lies, for the report and for replays."""

    model_config = ConfigDict(frozen=True)

    source: str
    channel: str
    fetched_at: str
    raw_key: str
    sha256: str


class KeyDataDocument(BaseModel):
    """The key data of one application as stored (docs/interfaces/key-data.md)."""

    model_config = ConfigDict(frozen=True)

    schema_version: str = "1"
    application_id: str
    as_of: str
    sources: list[SourceRecord]
    features: dict[str, int | str | bool | None]
    quality: list[dict[str, Any]]
