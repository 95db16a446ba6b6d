"""Tokens and answers in any order: a task is answered when everything it waits for is there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from threading import Barrier

import pytest
from botocore.exceptions import ClientError

from creditmesh.platform.tables import ConditionFailed, Tables
from creditmesh.platform.tasks import Tasks
from creditmesh.platform.waits import Answer, Waits
from tests.support import wired
from tests.support.world import World

Act = Callable[[Waits], None]


def wait(token: str, *numbers: str) -> Act:
    return lambda waits: waits.wait("app-1", "answers", token, numbers)


def answer(number: str, owner: str = "app-1", kind: str = "answers") -> Act:
    return lambda waits: waits.answer(owner, kind, number)


@pytest.fixture
def waits(world: World) -> Waits:
    tables = Tables(world.client("dynamodb"))
    return Waits(tables, world.stack.refs["Waits"], Tasks(world.steps, "arn"), world.clock)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", permutations(range(4)))
def test_every_order_ends_with_the_task_answered_once(world: World, waits: Waits, order: tuple[int, ...]) -> None:
    acts = [wait("t-1", "a", "b"), answer("a"), answer("b"), answer("a")]
    for place, number in enumerate(order):
        complete = {0, 2} <= set(order[: place + 1]) and {1, 3} & set(order[: place + 1])
        acts[number](waits)
        assert bool(world.steps.succeeded) is bool(complete), order
    assert world.steps.succeeded == {"t-1": {}}


@pytest.mark.parametrize(
    ("acts", "told"),
    [
        ([answer("a"), answer("a")], []),
        ([wait("t-1", "a", "b"), answer("a"), answer("a")], []),
        ([wait("t-1", "a"), answer("c")], []),
        ([wait("t-1", "a"), answer("a", owner="app-2"), answer("a", kind="other")], []),
        ([wait("t-1", "a"), wait("t-2", "a"), answer("a")], ["t-2"]),
        ([wait("t-1", "a"), answer("a"), wait("t-2", "a")], ["t-1", "t-2"]),
        ([wait("t-1", "a", "b"), answer("a"), wait("t-2", "a", "b"), answer("b")], ["t-2"]),
        ([wait("t-1", "a"), answer("a"), wait("t-2", "b"), answer("a"), answer("b")], ["t-1", "t-2"]),
        ([answer("b"), wait("t-1", "a"), answer("a"), wait("t-2", "b")], ["t-1", "t-2"]),
    ],
)
def test_only_what_is_awaited_ends_a_wait(world: World, waits: Waits, acts: list[Act], told: list[str]) -> None:
    for act in acts:
        act(waits)
    assert list(world.steps.succeeded) == told


@pytest.mark.parametrize("acts", [[wait("t-1", "a"), answer("a")], [answer("a"), wait("t-1", "a")]])
def test_a_repeat_tells_what_the_first_could_not(world: World, waits: Waits, acts: list[Act]) -> None:
    acts[0](waits)
    world.steps.refuse = "ThrottlingException"
    with pytest.raises(ClientError):
        acts[1](waits)
    world.steps.refuse = None
    acts[1](waits)
    acts[1](waits)
    assert world.steps.succeeded == {"t-1": {}}


def test_two_answers_and_the_token_at_once(world: World, waits: Waits) -> None:
    for round_ in range(20):
        numbers = [f"{round_}-{one}" for one in "ab"]
        acts = [wait(f"t-{round_}", *numbers), *map(answer, numbers)]
        barrier = Barrier(len(acts))

        def act(one: Act, barrier: Barrier = barrier) -> None:
            barrier.wait()
            one(waits)

        with ThreadPoolExecutor(len(acts)) as pool:
            list(pool.map(act, acts))
        assert f"t-{round_}" in world.steps.succeeded


def test_it_is_forgotten_some_day(world: World, waits: Waits) -> None:
    answer("a")(waits)
    (item,) = world.items("Waits")
    assert item["expires_at"] > world.clock.now().timestamp()


def test_an_answer_that_read_the_wait_before_another_answer_fails(world: World) -> None:
    wired.tables().write(wired.waits().asking("owner", "kind", "t-1"))
    wait = wired.waits().read("owner", "kind")
    wired.tables().write(wired.waits().answering(wait, Answer()))
    with pytest.raises(ConditionFailed):
        wired.tables().write(wired.waits().answering(wait, Answer({"other": 1})))


def test_an_answer_that_has_not_seen_the_newest_task_fails(world: World) -> None:
    wired.tables().write(wired.waits().asking("owner", "kind", "t-1"))
    wait = wired.waits().read("owner", "kind")
    wired.tables().write(wired.waits().asking("owner", "kind", "t-2"))
    with pytest.raises(ConditionFailed):
        wired.tables().write(wired.waits().answering(wait, Answer()))
