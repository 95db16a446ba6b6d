"""A request without a loan flow: a manager is asked, reminded, and an operator after him (E03, E04)."""

from __future__ import annotations

import pytest

from creditmesh.intake.model import (
    ApplicationClosed,
    FlowRequired,
    FlowUnknown,
    NotAwaited,
    Outcome,
    Status,
)
from creditmesh.kernel.errors import Forbidden, InvalidInput
from creditmesh.platform.paging import Window
from tests.support import wired
from tests.support.world import BORROWER, MANAGER, OPERATOR, World


@pytest.fixture
def flowless(world: World) -> World:
    """An application whose request names no flow, and which a manager is asked about."""
    vars(world)["application_id"] = world.apply(flow_id=None).application_id
    ask(world)
    return world


def ask(world: World, token: str = "t-1") -> None:
    wired.flow_assignments().ask(world.application_id, token)


def assign(world: World, flow_id: str = "invoice", version: int | None = None) -> Status:
    flow = wired.flows().taken(flow_id, MANAGER.subject)
    return wired.flow_assignments().assign(MANAGER, world.application_id, flow, version).status


def escalate(world: World) -> str:
    wired.operators().hand_over(world.application_id, "t-operator", "AwaitFlow", "States.Timeout")
    return str(wired.operators().list(OPERATOR, Window(10)).items[-1].task_id)


def test_nothing_is_collected_without_a_flow(world: World) -> None:
    vars(world)["application_id"] = world.apply(flow_id=None).application_id
    world.authorize()
    world.sources_answer()
    with pytest.raises(FlowRequired):
        world.collect()
    assert world.http.calls == []


def test_the_process_is_not_told_of_consents_before_there_is_a_plan(world: World) -> None:
    application_id = world.apply(flow_id=None).application_id
    assert world.steps.inputs[application_id] == {"application_id": application_id}


def test_a_manager_assigns_a_flow_and_the_process_goes_on(flowless: World) -> None:
    assert flowless.application().status is Status.FLOW_REQUIRED
    assert assign(flowless) is Status.RECEIVED
    assert flowless.steps.succeeded == {"t-1": {}}
    taken = flowless.application().flow
    assert taken is not None
    assert (taken.flow_id, taken.version, taken.collection_plan, taken.assigned_by) == (
        "invoice", 1, "invoice", "manager-1"
    )  # fmt: skip
    last = flowless.application().timeline[-1]
    assert (last.by, last.subject, last.note_code, last.note) == (
        "manager", "manager-1", "flow_assigned", "invoice"
    )  # fmt: skip


def test_a_repeat_changes_nothing_and_another_flow_is_refused(flowless: World) -> None:
    assign(flowless)
    before = flowless.application()
    assert assign(flowless) is Status.RECEIVED
    with pytest.raises(NotAwaited):
        assign(flowless, "tax")
    assert flowless.application() == before


def test_only_managers_assign_and_only_flows_in_force(flowless: World) -> None:
    with pytest.raises(Forbidden):
        wired.flow_assignments().assign(OPERATOR, flowless.application_id, wired.flows().taken("tax"))
    with pytest.raises(FlowUnknown):
        assign(flowless, "no-such-flow")
    with pytest.raises(InvalidInput) as refused:
        assign(flowless, "tax", 7)
    assert (refused.value.field, refused.value.parameters) == ("version", {"current": 1})
    assert flowless.application().status is Status.FLOW_REQUIRED
    assert assign(flowless, "tax", 1) is Status.RECEIVED


def test_an_application_with_a_flow_awaits_none(world: World) -> None:
    world.apply()
    with pytest.raises(NotAwaited):
        assign(world)


def test_asking_again_is_a_reminder(flowless: World) -> None:
    ask(flowless, "t-2")
    assert [(one.status, one.note_code) for one in flowless.application().timeline] == [
        ("received", None), ("flow_required", None), ("flow_required", "manager_reminded")
    ]  # fmt: skip
    assign(flowless)
    assert flowless.steps.succeeded == {"t-2": {}}


def test_a_step_that_runs_again_after_the_answer_goes_on(flowless: World) -> None:
    assign(flowless)
    ask(flowless, "t-2")
    assert flowless.steps.succeeded == {"t-1": {}, "t-2": {}}


def test_a_silent_manager_may_still_assign_while_an_operator_looks(flowless: World) -> None:
    escalate(flowless)
    assert flowless.application().status is Status.WITH_OPERATOR
    assert assign(flowless) is Status.RECEIVED
    assert flowless.steps.succeeded["t-operator"] == {"action": "retry"}
    assert wired.operators().list(OPERATOR, Window(10)).items == []
    ask(flowless, "t-3")
    assert flowless.steps.succeeded["t-3"] == {}


def test_an_operator_lets_the_managers_be_asked_anew(flowless: World) -> None:
    task_id = escalate(flowless)
    wired.operators().resolve(OPERATOR, task_id, "retry", "called him")
    assert flowless.application().status is Status.FLOW_REQUIRED
    ask(flowless, "t-3")
    assign(flowless)
    assert flowless.steps.succeeded["t-3"] == {}


def test_an_answer_before_the_operators_task_closes_it(flowless: World) -> None:
    """The manager's answer came between the time-out and the hand-over."""
    assign(flowless)
    escalate(flowless)
    wired.flow_assignments().tell_operators(flowless.application_id, "AwaitFlow")
    assert flowless.steps.succeeded["t-operator"] == {"action": "retry"}
    assert flowless.application().status is Status.RECEIVED


def test_other_tasks_are_not_answered_by_a_flow(world: World) -> None:
    world.apply()
    wired.operators().hand_over(world.application_id, "t-operator", "CollectCreditData", "SourceUnavailable")
    wired.flow_assignments().tell_operators(world.application_id, "CollectCreditData")
    assert len(wired.operators().list(OPERATOR, Window(10)).items) == 1


def test_nobody_answers_and_it_ends_by_name(flowless: World) -> None:
    escalate(flowless)
    assert wired.applications().expire(flowless.application_id, Outcome.FLOW_EXPIRED)
    assert flowless.application().outcome is Outcome.FLOW_EXPIRED
    with pytest.raises(ApplicationClosed):
        assign(flowless)


def test_the_borrower_may_withdraw_meanwhile(flowless: World) -> None:
    wired.intake().withdraw(BORROWER, flowless.application_id)
    assert flowless.application().outcome is Outcome.WITHDRAWN
    with pytest.raises(ApplicationClosed):
        ask(flowless, "t-2")


def test_an_answer_that_was_not_delivered_is_told_again(flowless: World) -> None:
    flowless.steps.refuse = "ThrottlingException"
    with pytest.raises(Exception, match="ThrottlingException"):
        assign(flowless)
    flowless.steps.refuse = None
    flowless.clock.advance(60)
    assert wired.recovery().in_transit() == 1
    assert flowless.steps.succeeded == {"t-1": {}}


def test_the_assigned_flow_decides_what_is_collected_and_asked_for(flowless: World) -> None:
    assign(flowless, "trade-platform")
    flowless.authorize()
    flowless.sources_answer()
    with pytest.raises(Exception, match="none_stored"):  # the shop's right, which only that plan needs
        flowless.collect()
