"""Authorisations: to the tax bureau and back (C04-C06, C08)."""

from __future__ import annotations

from chalice.app import Blueprint

from api import pages
from api.negotiation import language
from api.routing import APPLICANTS, Call, route
from api.schemas import ApplicationView, BroughtAuthorization, Link, ReturnQuery
from creditmesh.kernel.errors import Forbidden, InvalidInput
from creditmesh.platform import wiring
from creditmesh.platform.web import Reply

blueprint = Blueprint(__name__)


class AccessDenied(Forbidden):
    """The firm did not grant access at the tax bureau."""

    code = "access_denied"


def _problem_page(problem: Reply, call: Call) -> Reply:
    return pages.authorization_page(problem.status, language(call.header("accept-language")), problem.headers)


@route(blueprint, "GET", "/v1/applications/{application_id}/authorization-link", roles=APPLICANTS)
def read_link(call: Call, application_id: str) -> Link:
    """Get the address of the tax bureau's login page (C05)."""
    return Link(url=wiring.intake().login_link(call.caller, application_id))


@route(blueprint, "POST", "/v1/applications/{application_id}/authorization", roles=APPLICANTS, status=202)
def bring_authorization(call: Call, application_id: str, body: BroughtAuthorization) -> ApplicationView:
    """Bring the authorisation code of the tax bureau (C04, C06, C08)."""
    application = wiring.intake().authorize(call.caller, application_id, body.authorization_code, body.expires_at)
    return ApplicationView.of(application)


@route(
    blueprint, "GET", "/v1/authorizations/return", roles=None, produces={"text/html": None}, on_problem=_problem_page
)
def return_from_bureau(call: Call, query: ReturnQuery) -> Reply:
    """Come back from the tax bureau with a code, or with the reason why there is none (C06)."""
    if query.error:
        wiring.authorizations().returning(query.state)
        raise AccessDenied("access was not granted")
    if not query.code or not query.expires_at or not query.taxpayer_id:
        raise InvalidInput("code, expires_at and taxpayer_id are required", field="code")
    wiring.intake().authorize_on_return(query.state, query.taxpayer_id, query.code, query.expires_at)
    return pages.authorization_page(200, language(call.header("accept-language")), {})
