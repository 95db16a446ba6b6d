"""Applications: apply, follow, withdraw."""

from __future__ import annotations

from chalice.app import Blueprint

from api.cursors import following, window
from api.negotiation import language, wants_html
from api.report_schemas import Report
from api.roles import APPLICANTS
from api.routing import Call, Headed, Key, route
from api.schemas import (
    ApplicationList,
    ApplicationListing,
    ApplicationView,
    GuestApplication,
    Listing,
    Nothing,
    ReportQuery,
    Timeline,
)
from api.views import shown
from creditmesh.decisions.bootstrap import assessment
from creditmesh.intake.bootstrap import application_counts, application_lists, intake
from creditmesh.intake.counts import StatusCounts
from creditmesh.intake.model import Application, ApplicationClosed, FlowUnknown, LoanRequest, NotAwaited
from creditmesh.intake.search import Search
from creditmesh.kernel.caller import STAFF, Caller, Role
from creditmesh.kernel.clock import parse_instant
from creditmesh.kernel.errors import Conflict, Forbidden
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.paging import numbered
from creditmesh.platform.tokens import GUEST_PREFIX, GUEST_VALIDITY, guest_tenant, guest_token
from creditmesh.platform.web import HTML, JSON, Reply
from creditmesh.risk.report import render_html

blueprint = Blueprint(__name__)


class AccessExpired(Conflict):
    """A guest's token has run out, and repeating his request gives no new one."""

    code = "access_expired"


@route(blueprint, "POST", "/v1/applications", roles=APPLICANTS, status=202, key=Key.DERIVED, raises=[FlowUnknown])
def apply(call: Call, body: LoanRequest) -> ApplicationView:
    """Apply for a loan. A repeat of the key shows the application as it stands by then."""
    key = call.required_key
    if call.caller.tenant.startswith(GUEST_PREFIX):
        raise Forbidden("a guest's token is for one application only")
    return ApplicationView.of(intake().apply(call.caller, body, key))


@route(
    blueprint,
    "POST",
    "/v1/guest/applications",
    roles=None,
    status=202,
    key=Key.GUEST,
    raises=[AccessExpired, FlowUnknown],
)
def apply_as_guest(call: Call, body: LoanRequest) -> GuestApplication:
    """Apply for a loan without an account. The Idempotency-Key stands for the guest: 22 or more random characters."""
    key = call.guest_key
    tenant = guest_tenant(platform().guest_keys.current, key)
    # A body that differs in any field is refused here, before a token is issued.
    application = intake().apply(Caller(subject=tenant, role=Role.BORROWER, tenant=tenant), body, key)
    issued_at = parse_instant(application.created_at)
    if platform().clock.now() >= issued_at + GUEST_VALIDITY:
        raise AccessExpired("the token of this application has expired")
    token = guest_token(
        platform().guest_keys.current, tenant=tenant, application_id=application.application_id, issued_at=issued_at
    )
    return GuestApplication(application=ApplicationView.of(application), access_token=token)


@route(blueprint, "GET", "/v1/applications")
def list_applications(call: Call, query: ApplicationListing) -> ApplicationList:
    """List one's own applications, newest first; staff see all, the latest changes first."""
    search = Search(query.status, query.waiting_since, query.lender_id, query.taxpayer_id, query.text)
    found = application_lists().find(call.caller, search, window(call, query))
    return ApplicationList(
        applications=[ApplicationView.of(one) for one in found], next=following(call, query, found)
    )  # fmt: skip


@route(blueprint, "GET", "/v1/application-counts", roles=STAFF)
def count_applications(call: Call) -> StatusCounts:
    """Read how many applications are in each status, as counted some minutes ago."""
    return application_counts().read()


@route(blueprint, "GET", "/v1/applications/{application_id}")
def read_application(call: Call, application_id: str) -> ApplicationView:
    """Read one application."""
    return ApplicationView.of(_read(call, application_id))


@route(blueprint, "GET", "/v1/applications/{application_id}/timeline")
def read_timeline(call: Call, application_id: str, query: Listing) -> Timeline:
    """Read what happened to an application, oldest first."""
    found = numbered(_read(call, application_id).timeline, window(call, query))
    return Timeline(timeline=found.items, next=following(call, query, found))


@route(
    blueprint,
    "GET",
    "/v1/applications/{application_id}/report",
    produces={JSON: Report, "text/html": None},
    headers={"Content-Language": "of the page", "Vary": "the headers that chose the format and language"},
)
def read_report(call: Call, application_id: str, query: ReportQuery) -> Headed | Reply:
    """Read the assessment report: JSON, or a page with `Accept: text/html`."""
    report = Report.model_validate(assessment().report_with_referral(_read(call, application_id)))
    if wants_html(call.header("accept")):
        chosen = query.language or language(call.header("accept-language"))
        page = render_html(shown(report, call.caller.role), chosen)
        return Reply(200, page, HTML, {"content-language": chosen, "vary": "accept, accept-language"})
    return Headed(report, {"vary": "accept, accept-language"})


@route(
    blueprint,
    "POST",
    "/v1/applications/{application_id}/withdrawal",
    roles=APPLICANTS,
    raises=[ApplicationClosed, NotAwaited],
)
def withdraw(call: Call, application_id: str, body: Nothing) -> ApplicationView:
    """Withdraw an application that waits for the borrower."""
    return ApplicationView.of(intake().withdraw(call.caller, application_id))


def _read(call: Call, application_id: str) -> Application:
    return intake().read(call.caller, application_id)
