"""The rules' workbench: features, rules with their hits, changes, and simulations before a release."""

from __future__ import annotations

import json
from collections.abc import Callable

from chalice.app import Blueprint

from api.cursors import following, window
from api.model_schemas import CHANGING, READING
from api.roles import RISK_OFFICERS
from api.routing import Call, route
from api.rule_schemas import Days, NewSimulation, RuleView, SimulationList, WhichVersion
from api.schemas import Listing, Nothing
from creditmesh.governance.bootstrap import model_registry, rule_statistics, rule_workbench, simulations
from creditmesh.governance.catalogue import FeatureCatalogue, RuleBook, feature_catalogue, rule_book
from creditmesh.governance.model import full_hash
from creditmesh.governance.rules import BaseOutdated, ChangeProposal, RuleChange
from creditmesh.governance.simulation import Simulation
from creditmesh.governance.statistics import RuleStatistics
from creditmesh.kernel.caller import STAFF
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.paging import numbered
from creditmesh.risk.artefact import load

blueprint = Blueprint(__name__)

_MAX_CHANGE_BYTES = 1024 * 1024
"""Large, since test cases contain whole firms."""
_RESERVE_MS = 9_000
"""Time reserved for the answer when the work is interrupted."""


@route(blueprint, "GET", "/v1/models/{model_id}/features", roles=STAFF, raises=READING)
def list_features(call: Call, model_id: str, query: WhichVersion) -> FeatureCatalogue:
    """Read the features that rules and characteristics can use, and which use them."""
    return feature_catalogue(load(_text(model_id, query.version)))


@route(blueprint, "GET", "/v1/models/{model_id}/rules", roles=STAFF, raises=READING)
def list_rules(call: Call, model_id: str, query: RuleView) -> RuleBook:
    """Read the rules in words, their matrix and their hits."""
    text = _text(model_id, query.version)
    since, until = query.between(platform().clock.today())
    hits = rule_statistics().of_rules(model_id, since, until, _time_left(call))
    return rule_book(load(text), json.loads(text), platform().clock.today(), hits)


@route(blueprint, "GET", "/v1/models/{model_id}/rule-statistics", roles=STAFF, raises=READING)
def read_statistics(call: Call, model_id: str, query: Days) -> RuleStatistics:
    """Read how often each rule was tried, fired and decided, by day and version."""
    model_registry().current(model_id)  # an unknown model has no statistics
    since, until = query.between(platform().clock.today())
    return rule_statistics().of_rules(model_id, since, until, _time_left(call))


@route(
    blueprint,
    "POST",
    "/v1/models/{model_id}/rule-changes",
    roles=RISK_OFFICERS,
    status=201,
    max_bytes=_MAX_CHANGE_BYTES,
    raises=[*CHANGING, BaseOutdated],
)
def change_rules(call: Call, model_id: str, body: RuleChange) -> ChangeProposal:
    """Propose the champion with changed rules, if its test cases pass; it is released by approval and promotion."""
    return rule_workbench().propose(model_id, body, maker=call.caller.subject)


@route(
    blueprint,
    "POST",
    "/v1/models/{model_id}/versions/{content_hash}/simulations",
    roles=RISK_OFFICERS,
    status=201,
    raises=READING,
)
def start_simulation(call: Call, model_id: str, content_hash: str, body: NewSimulation) -> Simulation:
    """Simulate a version on past decisions beside the champion; if time runs out, continue it by a run."""
    begun = simulations().start(
        model_id,
        full_hash(content_hash),
        since=body.since,
        until=body.until,
        limit=body.limit,
        on=body.on,
        by=call.caller.subject,
    )
    return simulations().run(begun, _time_left(call))


@route(blueprint, "GET", "/v1/models/{model_id}/versions/{content_hash}/simulations", roles=STAFF, raises=READING)
def list_simulations(call: Call, model_id: str, content_hash: str, query: Listing) -> SimulationList:
    """List the simulations of a version, oldest first."""
    version = model_registry().get(model_id, full_hash(content_hash))
    found = numbered(simulations().of_version(model_id, version.content_hash), window(call, query))
    return SimulationList(simulations=found.items, next=following(call, query, found))


_ONE = "/v1/models/{model_id}/versions/{content_hash}/simulations/{simulation_id}"


@route(blueprint, "GET", _ONE, roles=STAFF, raises=READING)
def read_simulation(call: Call, model_id: str, content_hash: str, simulation_id: str) -> Simulation:
    """Read a simulation."""
    return simulations().get(model_id, full_hash(content_hash), simulation_id)


@route(blueprint, "POST", f"{_ONE}/run", roles=RISK_OFFICERS, raises=READING)
def run_simulation(call: Call, model_id: str, content_hash: str, simulation_id: str, body: Nothing) -> Simulation:
    """Continue a simulation; no effect on a finished one."""
    return simulations().run(simulations().get(model_id, full_hash(content_hash), simulation_id), _time_left(call))


def _text(model_id: str, version: str | None) -> str:
    registry = model_registry()
    return registry.champion_text(model_id) if version is None else registry.text_of(model_id, full_hash(version))


def _time_left(call: Call) -> Callable[[], bool]:
    """Whether there is time to start another piece of work."""
    context = call.request.lambda_context
    return lambda: context is None or context.get_remaining_time_in_millis() > _RESERVE_MS
