"""Collection plans: the channels that a flow asks, and which of them are required."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from creditmesh.gateway.channels.rules import Identifier

Accepted = Literal["complete", "filled", "incomplete", "no_data"]


class PlannedChannel(BaseModel):
    """One channel of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel_id: Identifier
    required: bool = False
    accepted: Annotated[list[Accepted], Field(min_length=1)] = ["complete", "filled"]
    """Outcomes that satisfy a required channel."""


class CollectionPlan(BaseModel):
    """A plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan_id: Identifier
    channels: Annotated[list[PlannedChannel], Field(min_length=1, max_length=40)]

    @field_validator("channels")
    @classmethod
    def _once(cls, channels: list[PlannedChannel]) -> list[PlannedChannel]:
        names = [channel.channel_id for channel in channels]
        if len(set(names)) != len(names):
            raise ValueError("must not name a channel twice")
        return channels
