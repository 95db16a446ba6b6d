"""Consents: read, grant, withdraw, erase; blind spots."""

from __future__ import annotations

from chalice.app import Blueprint

from api.consent_schemas import (
    BlindSpot,
    BlindSpots,
    ConsentEntry,
    ConsentGiven,
    ConsentHistory,
    Consents,
    ConsentScopes,
    ConsentStanding,
    ConsentUses,
    Erased,
    KeptData,
    ScopeView,
    UseEntry,
)
from api.cursors import following, window
from api.negotiation import language
from api.roles import APPLICANTS
from api.routing import Call, route
from api.schemas import Listing, Nothing
from creditmesh.authorization.bootstrap import authorizations, watches
from creditmesh.authorization.scopes import SCOPES
from creditmesh.gateway.bootstrap import channels, consent_fields
from creditmesh.intake.bootstrap import intake
from creditmesh.intake.model import Application
from creditmesh.kernel.caller import STAFF, Role
from creditmesh.kernel.errors import InvalidInput
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.country import country_of
from creditmesh.platform.paging import numbered
from creditmesh.platform.settings import settings
from creditmesh.retention.model import kept_after_erasure

blueprint = Blueprint(__name__)

READERS = APPLICANTS | STAFF
ENDERS = APPLICANTS | {Role.OPERATOR}
WATCHERS = STAFF | {Role.LENDER}


@route(blueprint, "GET", "/v1/consent-scopes")
def list_scopes(call: Call, query: Listing) -> ConsentScopes:
    """List the rights a firm may grant, with the texts in force."""
    chosen = language(call.header("accept-language"))
    declared = consent_fields().declared
    found = numbered(list(SCOPES.values()), window(call, query))
    shown = [ScopeView.of(scope, chosen, declared(scope.name)) for scope in found]
    return ConsentScopes(scopes=shown, next=following(call, query, found))


@route(blueprint, "GET", "/v1/applications/{application_id}/consents", roles=READERS)
def read_consents(call: Call, application_id: str, query: Listing) -> Consents:
    """Read how every right of the application's firm stands, and where it is granted or renewed."""
    found = numbered(_standing(_read(call, application_id)), window(call, query))
    return Consents(consents=found.items, next=following(call, query, found))


@route(blueprint, "POST", "/v1/applications/{application_id}/consents", roles=APPLICANTS, status=201)
def give_consent(call: Call, application_id: str, body: ConsentGiven) -> Consents:
    """Consent to a right that is granted on the platform, or renew it, for a chosen time."""
    application = _read(call, application_id)
    authorizations().consent(
        application.taxpayer_id,
        body.scope,
        _who(call),
        tenant=application.tenant,
        text_version=body.text_version,
        language=body.language,
        valid_days=body.valid_days,
        until=body.until,
        fields=body.fields,
    )
    intake().consented(call.caller, application_id)
    return Consents(consents=_standing(application))


@route(
    blueprint,
    "DELETE",
    "/v1/applications/{application_id}/consents/{scope}",
    roles=ENDERS,
    status=204,
    raises=[InvalidInput],
)
def withdraw_consent(call: Call, application_id: str, scope: str) -> None:
    """Withdraw a right at once: collection stops, its code and the data read are erased, the code is revoked."""
    application = _read(call, application_id)
    authorizations().withdraw(application.taxpayer_id, scope, _who(call), tenant=application.tenant)


@route(blueprint, "POST", "/v1/applications/{application_id}/consents/erasure", roles=ENDERS)
def erase_consents(call: Call, application_id: str, body: Nothing) -> Erased:
    """Withdraw every right and erase what was read under them, as far as the law allows."""
    application = _read(call, application_id)
    withdrawn = authorizations().erase(application.taxpayer_id, _who(call), tenant=application.tenant)
    kept = kept_after_erasure(application, country_of(settings().country), platform().clock)
    chosen = language(call.header("accept-language"))
    return Erased(withdrawn=withdrawn, kept=[KeptData.of(one, chosen) for one in kept])


@route(blueprint, "GET", "/v1/applications/{application_id}/consents/history", roles=READERS)
def read_history(call: Call, application_id: str, query: Listing) -> ConsentHistory:
    """Read what was consented, when, for what and until when, and what became of it; newest first."""
    application = _read(call, application_id)
    found = authorizations().history(
        application.taxpayer_id, tenant=application.tenant, window=window(call, query)
    )  # fmt: skip
    return ConsentHistory(history=[ConsentEntry.of(one) for one in found], next=following(call, query, found))


@route(blueprint, "GET", "/v1/applications/{application_id}/consents/uses", roles=READERS)
def read_uses(call: Call, application_id: str, query: Listing) -> ConsentUses:
    """Read what the firm's rights were used for, newest first."""
    application = _read(call, application_id)
    found = authorizations().uses(application.taxpayer_id, tenant=application.tenant, window=window(call, query))
    return ConsentUses(uses=[UseEntry.of(one) for one in found], next=following(call, query, found))


@route(blueprint, "GET", "/v1/blind-spots", roles=WATCHERS)
def list_blind_spots(call: Call, query: Listing) -> BlindSpots:
    """List loans that cannot be monitored because a right is missing, longest first; lenders see their own."""
    found = watches().blind_spots(call.caller, window(call, query))
    return BlindSpots(blind_spots=[BlindSpot.of(one) for one in found], next=following(call, query, found))


def _standing(application: Application) -> list[ConsentStanding]:
    held = authorizations()
    blind = held.blind_of(application.taxpayer_id, tenant=application.tenant)
    standing = held.standing_of(application.taxpayer_id, tenant=application.tenant)
    flow = application.flow

    def requires(scope: str) -> bool:
        return flow is not None and channels().requires(flow.collection_plan, scope)

    return [ConsentStanding.of(one, application.application_id, blind, requires) for one in standing]


def _read(call: Call, application_id: str) -> Application:
    return intake().read(call.caller, application_id)


def _who(call: Call) -> str:
    return f"{call.caller.role}:{call.caller.subject}"
