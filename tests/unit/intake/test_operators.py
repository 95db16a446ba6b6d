"""The operators' queue (C24)."""

from __future__ import annotations

import pytest

from creditmesh.intake.model import ApplicationClosed, NotAwaited, Outcome
from creditmesh.intake.operators import MOST_ENTRIES, REFERRAL, OperatorTask, RetriedTooOften
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.errors import Forbidden, InvalidInput, NotFound
from creditmesh.platform.paging import Window
from tests.support import wired
from tests.support.world import BORROWER, LENDER, OFFICER, OPERATOR, World

OTHERS = (BORROWER, LENDER, *(Caller(f"{role}-1", role, "platform") for role in (Role.MANAGER, Role.AUDITOR)))


def hand_over(world: World, token: str = "t-1", stage: str = "CollectCreditData") -> OperatorTask:
    wired.operators().hand_over(world.application_id, token, stage, "SourceUnavailable")
    return wired.operators().list(OPERATOR, Window(10)).items[-1]


def resolve(task: OperatorTask, action: str) -> OperatorTask:
    caller = OFFICER if task.stage == REFERRAL else OPERATOR
    return wired.operators().resolve(caller, task.task_id, action, "looked into it")


def test_a_person_sends_it_on_its_way_again(world: World) -> None:
    task = hand_over(world)
    assert (task.stage, task.reason) == ("CollectCreditData", "SourceUnavailable")
    assert world.application().status == "with_operator"
    done = resolve(task, "retry")
    assert (done.action, done.resolved_by, done.queue) == ("retry", "operator-1", "resolved")
    assert world.steps.succeeded == {"t-1": {"action": "retry"}}
    assert wired.operators().list(OPERATOR, Window(10)).items == []


def test_what_is_retried_for_ever_can_only_be_closed(world: World) -> None:
    """Its timeline would outgrow an item of DynamoDB."""
    while len(world.application().timeline) <= MOST_ENTRIES:
        resolve(hand_over(world), "retry")
        world.clock.advance(1)
    task = hand_over(world)
    with pytest.raises(RetriedTooOften):
        resolve(task, "retry")
    assert resolve(task, "close").action == "close"
    assert world.application().outcome == Outcome.CLOSED_BY_OPERATOR


def test_a_person_ends_it(world: World) -> None:
    resolve(hand_over(world), "close")
    assert world.application().outcome == Outcome.CLOSED_BY_OPERATOR
    assert world.application().outcome_note == "looked into it"
    assert world.steps.succeeded == {"t-1": {"action": "close"}}


@pytest.mark.parametrize(
    ("action", "outcome"),
    [("approve", None), ("decline", Outcome.DECLINED_REFERRAL), ("close", Outcome.CLOSED_BY_OPERATOR)],
)
def test_a_person_decides_on_a_referral(world: World, action: str, outcome: Outcome | None) -> None:
    done = resolve(hand_over(world, stage=REFERRAL), action)
    assert (done.action, done.note) == (action, "looked into it")
    assert world.steps.succeeded == {"t-1": {"action": action}}
    assert world.application().outcome == outcome


@pytest.mark.parametrize(
    ("stage", "action"),
    [(REFERRAL, "retry"), (REFERRAL, "Approve"), ("WriteReport", "approve"), ("WriteReport", "decline"), ("X", "")],
)
def test_a_word_that_answers_another_question_is_refused(world: World, stage: str, action: str) -> None:
    task = hand_over(world, stage=stage)
    with pytest.raises(InvalidInput) as caught:
        resolve(task, action)
    assert caught.value.field == "action"
    assert world.steps.succeeded == {}
    assert wired.operators().list(OPERATOR, Window(10)).items == [task]


@pytest.mark.parametrize(
    ("stage", "caller"),
    [
        (REFERRAL, OPERATOR),
        ("WriteReport", OFFICER),
        *((stage, person) for stage in (REFERRAL, "WriteReport") for person in OTHERS),
    ],
)
@pytest.mark.parametrize("action", ["approve", "decline", "retry", "close"])
def test_a_task_is_for_one_role(world: World, stage: str, caller: Caller, action: str) -> None:
    task = hand_over(world, stage=stage)
    with pytest.raises(Forbidden, match=stage):
        wired.operators().resolve(caller, task.task_id, action, "looked into it")
    assert wired.operators().list(OPERATOR).items == [task]
    assert world.steps.succeeded == {}


def test_a_referral_is_decided_once(world: World) -> None:
    task = hand_over(world, stage=REFERRAL)
    resolve(task, "decline")
    with pytest.raises(NotAwaited):
        resolve(task, "approve")
    assert world.application().outcome == Outcome.DECLINED_REFERRAL


def test_saying_the_same_twice_changes_nothing_and_another_word_is_refused(world: World) -> None:
    task = hand_over(world)
    first = resolve(task, "retry")
    assert resolve(task, "retry") == first
    with pytest.raises(NotAwaited):
        resolve(task, "close")
    assert world.application().outcome is None


def test_a_word_that_died_before_it_was_told_is_told_by_the_repeat(world: World) -> None:
    task = hand_over(world)
    world.steps.refuse = "ThrottlingException"
    with pytest.raises(Exception, match="Throttling"):
        resolve(task, "retry")
    world.steps.refuse = None
    resolve(task, "retry")
    assert world.steps.succeeded == {"t-1": {"action": "retry"}}


def test_the_step_run_again_makes_no_second_task(world: World) -> None:
    task = hand_over(world)
    world.clock.advance(5)
    assert hand_over(world, "t-2").task_id == task.task_id
    resolve(task, "retry")
    assert world.steps.succeeded == {"t-2": {"action": "retry"}}


def test_another_trouble_is_another_task(world: World) -> None:
    first = hand_over(world)
    resolve(first, "retry")
    world.clock.advance(5)
    second = hand_over(world, "t-2", "WriteReport")
    assert second.task_id != first.task_id
    resolve(first, "retry")
    assert "t-2" not in world.steps.succeeded, "an old word answers no new question"
    resolve(second, "retry")
    assert world.steps.succeeded["t-2"] == {"action": "retry"}


def test_a_task_left_over_answers_nothing_for_the_next_one(world: World) -> None:
    first = hand_over(world)
    world.clock.advance(5)
    second = hand_over(world, "t-2", "WriteReport")
    resolve(first, "retry")
    assert "t-2" not in world.steps.succeeded
    resolve(second, "close")
    assert world.steps.succeeded["t-2"] == {"action": "close"}


def test_of_two_who_decide_at_once_the_first_counts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    task = hand_over(world)
    world.after_next_read(monkeypatch, lambda: resolve(task, "retry"))
    with pytest.raises(NotAwaited):
        resolve(task, "close")
    assert wired.operators().get(OPERATOR, task.task_id).action == "retry"
    assert world.steps.succeeded == {"t-1": {"action": "retry"}}


def test_a_long_reason_is_cut(world: World) -> None:
    wired.operators().hand_over(world.application_id, "t-1", "CollectCreditData", "x" * 5_000)
    (task,) = wired.operators().list(OPERATOR, Window(10)).items
    assert task.reason == "x" * 200


def test_a_referral_is_part_of_the_application(world: World) -> None:
    resolve(hand_over(world, stage=REFERRAL), "approve")
    decided = world.application().referral
    assert decided is not None
    assert (decided.action, decided.role, decided.subject, decided.note) == (
        "approve", "risk_officer", OFFICER.subject, "looked into it"
    )  # fmt: skip


def test_tasks_are_listed_oldest_first(world: World) -> None:
    applications = [world.apply(f"key-0000000{number}").application_id for number in range(3)]
    for application_id in applications:
        wired.operators().hand_over(application_id, "t", "WriteReport", "X")
        world.clock.advance(1)
    assert [task.application_id for task in wired.operators().list(OPERATOR, Window(10)).items] == applications
    assert len(wired.operators().list(OPERATOR, Window(2)).items) == 2


def test_who_may_do_what(world: World) -> None:
    with pytest.raises(Forbidden):
        wired.operators().list(BORROWER)
    with pytest.raises(NotFound):
        wired.operators().resolve(OPERATOR, "no-such-task", "retry", "")


def test_a_closed_application_needs_nobody(world: World) -> None:
    world.end(Outcome.WITHDRAWN)
    with pytest.raises(ApplicationClosed):
        hand_over(world)
    assert wired.operators().list(OPERATOR, Window(10)).items == []


def test_withdrawn_while_a_person_had_it(world: World) -> None:
    task = hand_over(world)
    wired.intake().withdraw(BORROWER, world.application_id)
    resolve(task, "close")
    assert world.application().outcome == Outcome.WITHDRAWN
