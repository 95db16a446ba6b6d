"""The result of a collection from one channel."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.gateway.channels.calls import CallRecord, CallState
from creditmesh.gateway.channels.document import Channel, Outcome
from creditmesh.gateway.channels.reasons import CallReason


class CallResult(BaseModel):
    """How the collection from one channel ended."""

    model_config = ConfigDict(frozen=True)

    channel_id: str
    channel_version: int
    """The version whose rules made the third information; raw keys name the version that made the call."""
    kind: str
    scope: str | None = None
    """The right that the channel needs."""
    outcome: Outcome
    cause: CallReason | None = None
    missing: list[str] = []
    call_key: str | None = None
    request_id: str | None = None
    fetched_at: str | None = None
    raw_keys: list[str] = []
    sha256: str | None = None
    third_key: str | None = None
    third: dict[str, Any] | None = Field(default=None, repr=False)
    """Set if this collection has just made it; else it is stored under `third_key`."""
    cached: bool = False
    asked_by: str | None = None
    """The collection that made the call."""
    wait_seconds: int | None = None
    """For a pending answer: how long it may take."""
    awaited: str | None = None
    """For a pending answer: its number in the collection's wait."""
    fallback_channel: str | None = None
    """The channel to call instead of an unavailable one."""

    @property
    def reason(self) -> str | None:
        return self.cause.text if self.cause else None


def plain_result(channel: Channel, version: int, outcome: Outcome, cause: CallReason, **more: Any) -> CallResult:
    return CallResult(
        channel_id=channel.channel_id, channel_version=version, kind=channel.kind, scope=channel.consent_scope,
        outcome=outcome, cause=cause,
        fallback_channel=_instead(channel, outcome), **more,
    )  # fmt: skip


def result_of(channel: Channel, record: CallRecord, *, cached: bool = False) -> CallResult:
    pending = record.state is CallState.PENDING
    outcome = Outcome.PENDING if pending else record.outcome or Outcome.UNAVAILABLE
    return CallResult(
        channel_id=channel.channel_id,
        channel_version=record.channel_version,
        kind=channel.kind,
        scope=channel.consent_scope,
        outcome=outcome,
        cause=record.cause,
        missing=record.missing,
        call_key=record.call_key,
        request_id=record.request_id,
        fetched_at=record.fetched_at,
        raw_keys=record.raw_keys,
        sha256=record.sha256,
        third_key=record.third_key,
        cached=cached,
        wait_seconds=channel.callback.seconds if pending and channel.callback else None,
        awaited=record.holder if pending else None,
        asked_by=record.by,
        fallback_channel=_instead(channel, outcome),
    )


def _instead(channel: Channel, outcome: Outcome) -> str | None:
    return channel.fallback_channel if outcome is Outcome.UNAVAILABLE else None
