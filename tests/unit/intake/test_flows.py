"""Loan flows in versions: registered, approved by another, named by requests (E01, E02, E04)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from client import flows as shipped
from creditmesh.gateway.channels.plans import CollectionPlan
from creditmesh.intake.flow_document import LoanFlow
from creditmesh.intake.flows import CACHE_SECONDS
from creditmesh.intake.model import Application, FlowUnknown
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.errors import InvalidInput, KeyReused, NotFound, SamePerson
from creditmesh.platform.documents import VersionConflict
from tests.support import wired
from tests.support.world import MANAGER, OPERATOR, World, documents_anew

SECOND = Caller(subject="manager-2", role=Role.MANAGER, tenant="platform")
TAX = next(one for one in shipped.documents() if one["flow_id"] == "tax")


@pytest.fixture
def anew(world: World) -> Iterator[World]:
    with documents_anew(world.stack):
        yield world


def flow(**changes: Any) -> LoanFlow:
    return LoanFlow.model_validate({**TAX, **changes})


def register(**changes: Any) -> int:
    return wired.flows().register(MANAGER, flow(**changes), None).version


TWO = {"plan_id": "two", "channels": [{"channel_id": "tax-bureau"}, {"channel_id": "company-registry"}]}
FAST = {"cost": 10, "amount": 10, "speed": 80}


def test_an_application_takes_the_flow_that_its_request_names(world: World) -> None:
    taken = world.apply(flow_id="trade-platform").flow
    assert taken is not None
    assert (taken.flow_id, taken.version, taken.collection_plan) == ("trade-platform", 1, "trade-platform")
    assert taken.ranking.model_dump() == {"cost": 25, "amount": 25, "speed": 50}
    assert taken.assigned_by is None


def test_an_unknown_flow_is_refused_and_nothing_is_stored(world: World) -> None:
    with pytest.raises(FlowUnknown) as refused:
        world.apply(flow_id="no-such-flow")
    assert (refused.value.code, refused.value.field) == ("flow_unknown", "flow_id")
    assert world.items("Applications") == []
    assert world.steps.executions == {}


def test_another_flow_is_another_request(world: World) -> None:
    world.apply()
    with pytest.raises(KeyReused):
        world.apply(flow_id="invoice")


def test_a_version_counts_once_another_person_has_approved_it(anew: World) -> None:
    assert register(ranking=FAST) == 2
    assert wired.flows().taken("tax").version == 1
    with pytest.raises(SamePerson):
        wired.flows().approve(MANAGER, "tax", 2)
    wired.flows().approve(SECOND, "tax", 2)
    assert wired.flows().taken("tax").ranking.model_dump() == FAST


def test_an_application_keeps_the_version_it_saw(anew: World) -> None:
    first = anew.application()
    register(ranking=FAST)
    wired.flows().approve(SECOND, "tax", 2)
    assert anew.application().flow == first.flow
    later = anew.apply("key-00000002").flow
    assert later is not None
    assert later.version == 2


def test_a_new_version_counts_elsewhere_after_the_cache(anew: World) -> None:
    at = [0.0]
    here = wired.flows()
    here._monotonic = lambda: at[0]
    assert here.taken("tax").version == 1
    register(ranking=FAST)
    here._documents.approve("tax", 2, "elsewhere")
    assert here.taken("tax").version == 1
    at[0] = CACHE_SECONDS + 1.0
    assert here.taken("tax").version == 2


def test_versions_do_not_change_and_name_both_persons(anew: World) -> None:
    register(ranking=FAST)
    wired.flows().approve(SECOND, "tax", 2)
    newest, first = wired.flows().versions("tax")
    assert (newest.version, newest.written_by, newest.approved_by) == (2, "manager-1", "manager-2")
    assert (first.version, first.document) == (1, flow().document())
    assert wired.flows().stored("tax") == newest


def test_repeats_change_nothing(anew: World) -> None:
    assert register(ranking=FAST) == register(ranking=FAST) == 2
    once = wired.flows().approve(SECOND, "tax", 2)
    assert wired.flows().approve(SECOND, "tax", 2) == once
    assert [one.version for one in wired.flows().versions("tax")] == [2, 1]


def test_an_older_version_does_not_replace_a_newer_one(anew: World) -> None:
    register(ranking=FAST)
    register(ranking={"cost": 100, "amount": 0, "speed": 0})
    wired.flows().approve(SECOND, "tax", 3)
    with pytest.raises(VersionConflict):
        wired.flows().approve(SECOND, "tax", 2)
    assert wired.flows().taken("tax").version == 3


def test_a_change_based_on_an_older_version_is_refused(anew: World) -> None:
    register(ranking=FAST)
    with pytest.raises(VersionConflict):
        wired.flows().register(SECOND, flow(valid_until="2027-01-01"), 1)


@pytest.mark.parametrize(
    ("changes", "field", "fault"),
    [
        ({"model_id": "astrology"}, "model_id", "no_such_model"),
        ({"collection_plan": "nobody"}, "collection_plan", "no_such_plan"),
        ({"valid_until": "2026-11-20"}, "valid_until", "in_the_past"),
    ],
)
def test_what_does_not_exist_is_named(anew: World, changes: dict[str, Any], field: str, fault: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        register(**changes)
    assert (refused.value.field, refused.value.fault) == (field, fault)
    assert len(list(wired.flows().versions("tax"))) == 1


def test_a_flow_ends_with_its_last_day(anew: World) -> None:
    register(valid_until="2026-11-22")
    register(flow_id="late", valid_until="2026-11-22")
    wired.flows().approve(SECOND, "tax", 2)
    assert anew.application().flow
    anew.clock.advance(2 * 86_400)
    with pytest.raises(FlowUnknown):
        anew.apply("key-00000002")
    with pytest.raises(InvalidInput, match="past"):
        wired.flows().approve(SECOND, "late", 1)


def test_an_unknown_version_cannot_be_approved(world: World) -> None:
    for flow_id, version in (("tax", 9), ("no-such-flow", 1)):
        with pytest.raises(NotFound):
            wired.flows().approve(SECOND, flow_id, version)


def test_the_plan_of_the_flow_is_collected(world: World) -> None:
    """C04, E01: no shop is asked where the plan does not name it; the trade platform's plan asks for that consent."""
    assert wired.channels().requires("trade-platform", "shop")
    assert not wired.channels().requires("standard", "shop")


def assessed(world: World, flow_id: str) -> Application:
    """The good firm by a flow, from tax and registry only."""
    vars(world)["application_id"] = world.apply(flow_id=flow_id).application_id
    world.authorize()
    wired.channels().plan = lambda _: CollectionPlan.model_validate(TWO)  # type: ignore[method-assign]
    world.sources_answer()
    world.collect()
    wired.assessment().score_in_process(world.application_id)
    wired.assessment().decide(world.application_id)
    return world.application()


@pytest.mark.parametrize(
    ("flow_id", "model_id", "decision", "reasons"),
    [("tax", "origination", "approve", []), ("trade-platform", "trade", "refer", ["SHOP_UNKNOWN"])],
)
def test_the_model_of_the_flow_decides(
    world: World, flow_id: str, model_id: str, decision: str, reasons: list[str]
) -> None:
    """C12, E01: another model decides otherwise on the same data; report, log and replay name it."""
    application = assessed(world, flow_id)
    risk = application.risk
    assert risk is not None
    assert (risk.model_id, risk.decision, risk.reasons) == (model_id, decision, reasons)
    assert wired.assessment().report(application)["versions"]["model_id"] == model_id
    (logged,) = wired.decision_log().of_day(model_id, world.clock.today())
    assert logged.application_id == application.application_id
    assert wired.assessment().replay(application).equal


@pytest.mark.parametrize(("flow_id", "first"), [("tax", "cheap"), ("trade-platform", "quick")])
def test_the_ranking_of_the_flow_orders_the_offers(world: World, flow_id: str, first: str) -> None:
    """C19, E01: the same firm and products, another flow, another order."""
    assessed(world, flow_id)
    world.push("cheap", price={"type": "fixed", "annual_rate_bps": 600}, disbursement_hours=24)
    world.push("quick", price={"type": "fixed", "annual_rate_bps": 1200}, disbursement_hours=8)
    wired.offers().offer(world.application_id, "t-choice")
    _, offers = wired.offers().of(OPERATOR, world.application_id)
    assert [one.product_id for one in offers][0] == first
