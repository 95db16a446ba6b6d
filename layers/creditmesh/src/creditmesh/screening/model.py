"""Lists that stop an application (C12)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ListEntry(BaseModel):
    """One entry of a list, found by the blind index of what it names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject_index: str
    list_name: Literal["blacklist"] = "blacklist"
    source: str = Field(max_length=80)
    reason: str = Field(max_length=200)
    added_at: str
    added_by: str
    valid_until: str | None = None
