"""Decision models: proposals, approval by a second person, challengers, promotion, rollback."""

from __future__ import annotations

from chalice.app import Blueprint

from api.cursors import following, window
from api.model_schemas import (
    CHANGING,
    READING,
    CurrentView,
    ModelList,
    NewVersion,
    Note,
    Reason,
    VersionList,
    VersionSummary,
    VersionView,
)
from api.roles import REPLAYERS, RISK_OFFICERS
from api.routing import Call, route
from api.schemas import Listing, Nothing
from creditmesh.decisions.bootstrap import assessment
from creditmesh.decisions.replay import ModelGone, Replay
from creditmesh.governance.bootstrap import model_registry
from creditmesh.governance.model import Comparison, Current, GatesFailed, ModelKind, TestsFailed
from creditmesh.intake.bootstrap import intake
from creditmesh.kernel.caller import STAFF
from creditmesh.kernel.errors import InvalidInput, SamePerson
from creditmesh.platform.paging import cut, numbered
from creditmesh.platform.web import JSON, Reply

blueprint = Blueprint(__name__)

MAX_DOCUMENT_BYTES = 1024 * 1024
_MODEL = "/v1/models/{model_id}"
_VERSION = f"{_MODEL}/versions/{{content_hash}}"


@route(blueprint, "GET", "/v1/models", roles=STAFF, raises=READING)
def list_models(call: Call, query: Listing) -> ModelList:
    """List the decision models, by id."""
    found = cut(model_registry().models(), window(call, query), lambda one: one.model_id)
    return ModelList(models=[_view(one) for one in found], next=following(call, query, found))


@route(blueprint, "GET", _MODEL, roles=STAFF, raises=READING)
def read_model(call: Call, model_id: str) -> CurrentView:
    """Read which versions decide, and what waits for a second person."""
    return _view(model_registry().current(model_id))


@route(blueprint, "GET", f"{_MODEL}/versions", roles=STAFF, raises=READING)
def list_model_versions(call: Call, model_id: str, query: Listing) -> VersionList:
    """List a model's versions, the highest first."""
    found = numbered(model_registry().list(model_id), window(call, query), newest_first=True)
    return VersionList(versions=[VersionSummary.of(one) for one in found], next=following(call, query, found))


@route(
    blueprint,
    "POST",
    f"{_MODEL}/versions",
    roles=RISK_OFFICERS,
    status=201,
    max_bytes=MAX_DOCUMENT_BYTES,
    raises=CHANGING,
)
def propose_model(call: Call, model_id: str, body: NewVersion) -> VersionView:
    """Propose a version; proposing the same content again returns the existing version."""
    if body.document.get("model_id") != model_id:
        raise InvalidInput("must be the one in the path", field="document.model_id", fault="not_as_in_path")
    return VersionView.of(
        model_registry().propose(
            body.document,
            maker=call.caller.subject,
            kind=ModelKind(body.kind),
            note=body.note,
            evidence=body.evidence,
        )
    )


@route(blueprint, "GET", _VERSION, roles=STAFF, raises=READING)
def read_model_version(call: Call, model_id: str, content_hash: str) -> VersionView:
    """Read a version: its tests, gates, evidence and history."""
    return VersionView.of(model_registry().get(model_id, content_hash))


@route(blueprint, "GET", f"{_VERSION}/document", roles=STAFF, produces={JSON: None}, raises=READING)
def read_model_document(call: Call, model_id: str, content_hash: str) -> Reply:
    """Read a version's artefact as it is stored."""
    return Reply(200, model_registry().text_of(model_id, content_hash))


@route(
    blueprint,
    "POST",
    f"{_VERSION}/approval",
    roles=RISK_OFFICERS,
    raises=[*CHANGING, SamePerson, TestsFailed, GatesFailed],
)
def approve_model(call: Call, model_id: str, content_hash: str, body: Note) -> VersionView:
    """Approve and sign a version; the proposer cannot."""
    registry = model_registry()
    return VersionView.of(registry.approve(model_id, content_hash, checker=call.caller.subject, note=body.note))


@route(blueprint, "POST", f"{_VERSION}/rejection", roles=RISK_OFFICERS, raises=[*CHANGING, SamePerson])
def reject_model(call: Call, model_id: str, content_hash: str, body: Reason) -> VersionView:
    """Turn a proposed version down."""
    registry = model_registry()
    return VersionView.of(registry.reject(model_id, content_hash, checker=call.caller.subject, note=body.reason))


@route(
    blueprint,
    "POST",
    f"{_VERSION}/challenge",
    roles=RISK_OFFICERS,
    raises=CHANGING,
)
def challenge_champion(call: Call, model_id: str, content_hash: str, body: Nothing) -> CurrentView:
    """Make an approved version the challenger, which scores without deciding."""
    return _view(model_registry().challenge(model_id, content_hash, by=call.caller.subject))


@route(blueprint, "DELETE", f"{_MODEL}/challenger", roles=RISK_OFFICERS, raises=CHANGING)
def withdraw_challenger(call: Call, model_id: str) -> CurrentView:
    """Remove the challenger."""
    return _view(model_registry().withdraw_challenger(model_id, by=call.caller.subject))


@route(
    blueprint,
    "POST",
    f"{_VERSION}/promotion",
    roles=RISK_OFFICERS,
    raises=CHANGING,
)
def propose_promotion(call: Call, model_id: str, content_hash: str, body: Note) -> VersionView:
    """Propose that an approved version takes the champion's place."""
    registry = model_registry()
    made = registry.propose_promotion(model_id, content_hash, maker=call.caller.subject, note=body.note)
    return VersionView.of(made)


@route(
    blueprint,
    "POST",
    f"{_VERSION}/promotion/confirmation",
    roles=RISK_OFFICERS,
    raises=[*CHANGING, SamePerson],
)
def confirm_promotion(call: Call, model_id: str, content_hash: str, body: Nothing) -> CurrentView:
    """Confirm a promotion; the proposer cannot. It takes effect within seconds."""
    return _view(model_registry().confirm_promotion(model_id, content_hash, checker=call.caller.subject))


@route(blueprint, "POST", f"{_MODEL}/rollback", roles=RISK_OFFICERS, raises=CHANGING)
def roll_back(call: Call, model_id: str, body: Reason) -> CurrentView:
    """Make the previous champion decide again."""
    return _view(model_registry().rollback(model_id, by=call.caller.subject, reason=body.reason))


@route(blueprint, "GET", f"{_MODEL}/comparison", roles=STAFF, raises=READING)
def compare_models(call: Call, model_id: str) -> Comparison:
    """Compare champion and challenger over the applications that both scored."""
    return model_registry().comparison(model_id)


@route(blueprint, "GET", "/v1/applications/{application_id}/replay", roles=REPLAYERS, raises=[ModelGone])
def replay_decision(call: Call, application_id: str) -> Replay:
    """Repeat an old decision with its model and the rules of its day, and compare the results."""
    application = intake().read(call.caller, application_id)
    return assessment().replay(application)


def _view(current: Current) -> CurrentView:
    versions = model_registry().list(current.model_id)
    champion = next(version.version for version in versions if version.content_hash == current.champion)
    waiting = [
        version.content_hash
        for version in versions
        if version.promotion and version.promotion.champion == current.champion
    ]
    return CurrentView(**current.model_dump(), champion_version=champion, waiting=waiting)
