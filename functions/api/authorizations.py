"""Authorisations: to the tax bureau and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from chalice.app import Blueprint

from api import pages
from api.negotiation import language
from api.roles import APPLICANTS
from api.routing import Call, Headed, Key, route
from api.schemas import ApplicationView, BroughtAuthorization, Link, ReturnQuery
from creditmesh.authorization.bootstrap import authorizations
from creditmesh.authorization.flow import FLOW_SECONDS, flow_id_of
from creditmesh.authorization.model import RedirectUsed
from creditmesh.authorization.redirects import OtherBrowser
from creditmesh.gateway.bootstrap import consent_fields
from creditmesh.intake.bootstrap import intake
from creditmesh.intake.model import ApplicationClosed, NotAwaited
from creditmesh.kernel.errors import Forbidden, InvalidInput, NotFound
from creditmesh.platform.tables import ConditionFailed
from creditmesh.platform.web import JSON, Reply

blueprint = Blueprint(__name__)

_COOKIE = "creditmesh-flow-{flow_id}"
_COOKIE_RULES = f"Max-Age={FLOW_SECONDS}; Path=/; Secure; HttpOnly; SameSite=Lax"


class AccessDenied(Forbidden):
    """The firm did not grant access at the tax bureau."""

    code = "access_denied"


def _problem_page(problem: Reply, call: Call) -> Reply:
    code = json.loads(problem.body).get("code")
    return pages.authorization_page(problem.status, language(call.header("accept-language")), problem.headers, code)


@route(
    blueprint,
    "GET",
    "/v1/applications/{application_id}/authorization-link",
    roles=APPLICANTS,
    produces={JSON: Link},
    headers={"Set-Cookie": "ties the way back to this browser"},
    raises=[ApplicationClosed, NotAwaited],
)
def read_link(call: Call, application_id: str) -> Headed:
    """Get the address of the tax bureau's login page; a cookie ties the way back to this browser."""
    link = intake().login_link(call.caller, application_id)
    headers = {}
    if link.nonce:
        headers["set-cookie"] = f"{_COOKIE.format(flow_id=link.flow_id)}={link.nonce}; {_COOKIE_RULES}"
    return Headed(Link(url=link.url), headers)


@route(
    blueprint,
    "POST",
    "/v1/applications/{application_id}/authorization",
    roles=APPLICANTS,
    status=202,
    key=Key.NEEDLESS,
    raises=[ApplicationClosed, NotAwaited, RedirectUsed],
)
def bring_authorization(call: Call, application_id: str, body: BroughtAuthorization) -> ApplicationView:
    """Bring the authorisation code of the tax bureau."""
    application = intake().authorize(
        call.caller, application_id, body.authorization_code, body.expires_at, body.state, body.fields
    )  # fmt: skip
    return ApplicationView.of(application)


@route(
    blueprint,
    "GET",
    "/v1/authorizations/return",
    roles=None,
    produces={"text/html": None},
    on_problem=_problem_page,
    headers={"Content-Language": "of the page"},
    raises=[AccessDenied, OtherBrowser, NotFound, RedirectUsed, ApplicationClosed, NotAwaited, ConditionFailed],
)
def return_from_bureau(call: Call, query: ReturnQuery) -> Reply:
    """Come back from the tax bureau with a code, or with the reason why there is none."""
    redirects = authorizations().redirects
    flow = redirects.named_by(query.state, issuer=query.iss)
    redirects.require_browser(flow, _nonce(call, query.state))
    if query.error:
        redirects.use(flow)
        raise AccessDenied("access was not granted")
    if not query.code or not query.expires_at or not query.taxpayer_id:
        raise InvalidInput("code, expires_at and taxpayer_id are required", field="code", fault="required")
    given: Mapping[str, str] = call.request.query_params or {}
    wanted = {field.name for field in consent_fields().declared(flow.scope)}
    fields = {name: given[name] for name in wanted if name in given}
    intake().authorize_on_return(flow, query.taxpayer_id, query.code, query.expires_at, fields)
    return pages.authorization_page(200, language(call.header("accept-language")), {})


def _nonce(call: Call, state: str) -> str | None:
    """The nonce in the cookie of this redirect."""
    try:
        cookies = SimpleCookie(call.header("cookie") or "")
    except CookieError:
        return None
    held = cookies.get(_COOKIE.format(flow_id=flow_id_of(state, 0)))
    return held.value if held else None
