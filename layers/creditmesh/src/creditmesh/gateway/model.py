"""What a collection gives (C07, C09, C10)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class CollectionOutcome(StrEnum):
    """How a collection ended; the processes that need one go on by it."""

    COLLECTED = "collected"
    """Every required channel's part is done; what others lack is in the key data's record of sources."""
    AUTHORIZATION_REQUIRED = "authorization_required"
    UNAVAILABLE = "unavailable"
    CLOSED = "closed"
    """What it was for has ended in the meantime."""


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


class KeyDataDocument(BaseModel):
    """The key data of one collection as stored (docs/interfaces/key-data.md).

    Attributes:
        lineage: feature -> where in which source's third information it comes from; `sources` leads on to the raw
            answers and to the version of the channel that read them.
        rows_key: where the clean rows lie from which Spark computes the same features.
        screening: what the look-up in the lists found, of which state of theirs (docs/lists.md).
    """

    model_config = ConfigDict(frozen=True)

    schema_version: str = "2"
    application_id: str
    as_of: str
    sources: list[SourceRecord]
    features: dict[str, int | str | bool | None]
    quality: list[dict[str, Any]]
    lineage: dict[str, list[dict[str, Any]]] = {}
    rows_key: str | None = None
    screening: dict[str, Any] | None = None


class CollectionResult(BaseModel):
    """A collection's end, as its process answers it."""

    model_config = ConfigDict(frozen=True)

    outcome: CollectionOutcome
    reason: str | None = None
    scope: str | None = None
    """The consent that is lacking."""
    key_data_key: str | None = None
    """Where the key data lies that was written."""
