"""What the API takes and gives about channels."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.schemas import In, Listed, Listing, Out
from creditmesh.gateway.channels.document import Channel
from creditmesh.gateway.channels.dry_run import Sample
from creditmesh.gateway.channels.health import ChannelHealth
from creditmesh.platform.documents import Stored

ETAG = {"ETag": "the document's version, as `If-Match` takes it"}


class DocumentVersion(Out):
    """A version of a stored document."""

    version: int
    written_at: str
    written_by: str
    document: dict[str, Any]


class ChannelView(DocumentVersion):
    """A version of a channel's document."""

    channel_id: str


class ChannelList(Listed):
    """The channels in force."""

    channels: list[ChannelView]


class PlanView(DocumentVersion):
    """A version of a collection plan."""

    plan_id: str


class PlanList(Listed):
    """The collection plans in force."""

    plans: list[PlanView]


class HealthQuery(Listing):
    """How far back to look."""

    minutes: int = Field(default=60, ge=5, le=7 * 24 * 60)


class ChannelHealthList(Listed):
    """How each channel did."""

    channels: list[ChannelHealth]


class DryRunRequest(In):
    """A channel document and the sample to try it on."""

    channel: Channel
    sample: Sample


def channel_view(stored: Stored) -> ChannelView:
    return ChannelView(channel_id=stored.document_id, **_version(stored))


def plan_view(stored: Stored) -> PlanView:
    return PlanView(plan_id=stored.document_id, **_version(stored))


def _version(stored: Stored) -> dict[str, Any]:
    return {name: getattr(stored, name) for name in DocumentVersion.model_fields}
