"""Channels: their documents, plans, dry runs and health."""

from __future__ import annotations

import json

from chalice.app import Blueprint
from pydantic import JsonValue, RootModel

from api.channel_schemas import (
    ETAG,
    ChannelHealthList,
    ChannelList,
    ChannelView,
    DocumentVersion,
    DryRunRequest,
    HealthQuery,
    PlanList,
    PlanView,
    channel_view,
    plan_view,
)
from api.cursors import following, window
from api.roles import OPERATORS
from api.routing import Call, Headed, Key, route, version_number
from api.schemas import Listing
from creditmesh.gateway.bootstrap import answers, channels, guards, health, reference_records, source
from creditmesh.gateway.channels.document import Channel, schema
from creditmesh.gateway.channels.dry_run import DryRun, dry_run
from creditmesh.gateway.channels.plans import CollectionPlan
from creditmesh.kernel.caller import STAFF
from creditmesh.kernel.errors import InvalidInput
from creditmesh.platform.documents import VersionConflict
from creditmesh.platform.paging import cut
from creditmesh.platform.web import JSON, Reply

blueprint = Blueprint(__name__)
SCHEMA_JSON = "application/schema+json"


class Record(RootModel[dict[str, JsonValue]]):
    """A stored record from which missing fields are filled: any JSON object."""


@route(blueprint, "GET", "/v1/channels", roles=STAFF)
def list_channels(call: Call, query: Listing) -> ChannelList:
    """List the channels in force, by id."""
    found = cut(channels().listed(), window(call, query), lambda one: one.document_id)
    return ChannelList(channels=[channel_view(one) for one in found], next=following(call, query, found))


@route(blueprint, "GET", "/v1/channels-health", roles=STAFF)
def channel_health(call: Call, query: HealthQuery) -> ChannelHealthList:
    """Read the channels' health: calls, success, latency, cost, cache hits, breaker."""
    known = sorted((one.channel for one in channels().all()), key=lambda one: one.channel_id)
    found = cut(known, window(call, query), lambda one: one.channel_id)
    breakers = [(one, guards().breaker(one).state) for one in found]
    return ChannelHealthList(channels=health().read(breakers, query.minutes), next=following(call, query, found))


@route(
    blueprint,
    "GET",
    "/v1/channels/{channel_id}",
    roles=STAFF,
    produces={JSON: ChannelView},
    headers=ETAG,
)
def read_channel(call: Call, channel_id: str) -> Headed:
    """Read a channel's document in force."""
    return _tagged(channel_view(channels().stored(channel_id)))


@route(
    blueprint,
    "GET",
    "/v1/channels/{channel_id}/versions/{version}",
    roles=STAFF,
    produces={JSON: ChannelView},
    headers=ETAG,
)
def read_version(call: Call, channel_id: str, version: str) -> Headed:
    """Read an earlier version of a channel's document."""
    return _tagged(channel_view(channels().stored(channel_id, version_number(version))))


@route(
    blueprint,
    "PUT",
    "/v1/channels/{channel_id}",
    roles=OPERATORS,
    produces={JSON: ChannelView},
    headers=ETAG,
    raises=[VersionConflict],
    based_on=True,
)
def write_channel(call: Call, channel_id: str, body: Channel) -> Headed:
    """Write a channel's next version; `If-Match` names the version it is based on, 0 for a new channel."""
    if body.channel_id != channel_id:
        raise InvalidInput("must be the one in the path", field="channel_id", fault="not_as_in_path")
    return _tagged(channel_view(channels().put(body, call.caller.subject, call.based_on)))


@route(blueprint, "POST", "/v1/channel-dry-runs", roles=STAFF, key=Key.NEEDLESS)
def try_channel(call: Call, body: DryRunRequest) -> DryRun:
    """Try a document on a sample, step by step, without calling the source."""
    origin = source().origin(body.channel)
    return dry_run(body.channel, body.sample, origin, answers())


@route(blueprint, "GET", "/v1/schemas/channel.json", roles=None, produces={SCHEMA_JSON: None})
def channel_schema(call: Call) -> Reply:
    """Read the JSON Schema of channel documents."""
    return Reply(200, json.dumps(schema(), ensure_ascii=False), content_type=SCHEMA_JSON)


@route(blueprint, "GET", "/v1/collection-plans", roles=STAFF)
def list_plans(call: Call, query: Listing) -> PlanList:
    """List the collection plans in force, by id."""
    found = cut(channels().listed_plans(), window(call, query), lambda one: one.document_id)
    return PlanList(plans=[plan_view(one) for one in found], next=following(call, query, found))


@route(
    blueprint,
    "GET",
    "/v1/collection-plans/{plan_id}",
    roles=STAFF,
    produces={JSON: PlanView},
    headers=ETAG,
)
def read_plan(call: Call, plan_id: str) -> Headed:
    """Read a collection plan."""
    return _tagged(plan_view(channels().stored_plan(plan_id)))


@route(
    blueprint,
    "PUT",
    "/v1/collection-plans/{plan_id}",
    roles=OPERATORS,
    produces={JSON: PlanView},
    headers=ETAG,
    raises=[VersionConflict],
    based_on=True,
)
def write_plan(call: Call, plan_id: str, body: CollectionPlan) -> Headed:
    """Write a plan's next version; `If-Match` as for channels."""
    if body.plan_id != plan_id:
        raise InvalidInput("must be the one in the path", field="plan_id", fault="not_as_in_path")
    return _tagged(plan_view(channels().put_plan(body, call.caller.subject, call.based_on)))


@route(blueprint, "PUT", "/v1/reference-records/{record}/{key}", roles=OPERATORS, status=204)
def write_record(call: Call, record: str, key: str, body: Record) -> None:
    """Store a record from which missing fields of requests are filled."""
    reference_records().put(record, key, body.root, call.caller.subject)


def _tagged(view: DocumentVersion) -> Headed:
    return Headed(view, {"etag": f'"{view.version}"'})
