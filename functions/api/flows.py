"""Loan flows: their documents, and which one an application takes."""

from __future__ import annotations

from chalice.app import Blueprint

from api.channel_schemas import ETAG
from api.cursors import following, window
from api.flow_schemas import FlowAssignment, FlowList, FlowView
from api.roles import MANAGERS, RISK_OFFICERS
from api.routing import Call, Headed, Key, route, version_number
from api.schemas import ApplicationView, Listing, Nothing
from creditmesh.intake.bootstrap import flow_assignments, flows
from creditmesh.intake.flow_document import LoanFlow
from creditmesh.intake.model import ApplicationClosed, FlowUnknown, NotAwaited
from creditmesh.kernel.caller import STAFF
from creditmesh.kernel.errors import InvalidInput, SamePerson
from creditmesh.platform.documents import VersionConflict
from creditmesh.platform.paging import cut
from creditmesh.platform.web import JSON

blueprint = Blueprint(__name__)


@route(blueprint, "GET", "/v1/flows", roles=STAFF)
def list_flows(call: Call, query: Listing) -> FlowList:
    """List the loan flows in force, by id."""
    found = cut(list(flows().listed()), window(call, query), lambda one: one.document_id)
    return FlowList(flows=[FlowView.of(one) for one in found], next=following(call, query, found))


@route(blueprint, "GET", "/v1/flows/{flow_id}", roles=STAFF, produces={JSON: FlowView}, headers=ETAG)
def read_flow(call: Call, flow_id: str) -> Headed:
    """Read a loan flow as it is in force."""
    return FlowView.of(flows().stored(flow_id)).tagged()


@route(blueprint, "GET", "/v1/flows/{flow_id}/versions", roles=STAFF)
def list_flow_versions(call: Call, flow_id: str, query: Listing) -> FlowList:
    """List the versions of a loan flow, newest first, approved or not."""
    found = cut(list(flows().versions(flow_id)), window(call, query), lambda one: [-one.version])
    return FlowList(flows=[FlowView.of(one) for one in found], next=following(call, query, found))


@route(
    blueprint,
    "GET",
    "/v1/flows/{flow_id}/versions/{version}",
    roles=STAFF,
    produces={JSON: FlowView},
    headers=ETAG,
)
def read_flow_version(call: Call, flow_id: str, version: str) -> Headed:
    """Read a version of a loan flow."""
    return FlowView.of(flows().stored(flow_id, version_number(version))).tagged()


@route(
    blueprint,
    "PUT",
    "/v1/flows/{flow_id}",
    roles=MANAGERS,
    produces={JSON: FlowView},
    headers=ETAG,
    raises=[VersionConflict],
    based_on=True,
)
def register_flow(call: Call, flow_id: str, body: LoanFlow) -> Headed:
    """Register a loan flow's next version; `If-Match` names the newest version, 0 for a new flow."""
    if body.flow_id != flow_id:
        raise InvalidInput("must be the one in the path", field="flow_id", fault="not_as_in_path")
    return FlowView.of(flows().register(call.caller, body, call.based_on)).tagged()


@route(
    blueprint,
    "POST",
    "/v1/flows/{flow_id}/versions/{version}/approval",
    roles=MANAGERS | RISK_OFFICERS,
    key=Key.NEEDLESS,
    raises=[SamePerson, VersionConflict],
)
def approve_flow(call: Call, flow_id: str, version: str, body: Nothing) -> FlowView:
    """Put a version of a loan flow in force, as another person than the one who registered it."""
    return FlowView.of(flows().approve(call.caller, flow_id, version_number(version)))


@route(
    blueprint,
    "POST",
    "/v1/applications/{application_id}/flow",
    roles=MANAGERS,
    key=Key.NEEDLESS,
    raises=[ApplicationClosed, FlowUnknown, NotAwaited],
)
def assign_flow(call: Call, application_id: str, body: FlowAssignment) -> ApplicationView:
    """Assign a loan flow to an application whose request named none."""
    flow = flows().taken(body.flow_id, call.caller.subject)
    return ApplicationView.of(flow_assignments().assign(call.caller, application_id, flow, body.version))
