"""The log of decisions: every decision once, by day, with what it was made from (M06)."""

from __future__ import annotations

from datetime import date

import pytest

from creditmesh.decisions.model import Decision
from creditmesh.intake.model import ApplicationClosed, Outcome
from creditmesh.risk.evaluator import evaluate
from tests.support import wired
from tests.support.world import World


def logged(world: World) -> list[Decision]:
    return list(wired.decision_log().of_day("origination", world.clock.now().date()))


def test_a_decision_is_logged_with_what_it_was_made_from(world: World) -> None:
    world.to_assessed()
    (found,) = logged(world)
    result = evaluate(wired.champions()["origination"](), found.inputs(), date.fromisoformat(found.on))
    assert (found.application_id, found.decision, found.score) == (world.application_id, "approve", result.score)
    assert (found.model_hash, found.limit_minor) == (
        wired.champions()["origination"]().content_hash,
        result.limit_minor,
    )
    assert found.tried_rules == [rule.id for rule in wired.champions()["origination"]().rules]
    assert (found.fired_rules, found.decided_rules) == ([], [])


def test_the_step_run_again_logs_nothing_more(world: World) -> None:
    world.to_assessed()
    before = logged(world)
    world.clock.advance(86_400)
    wired.assessment().decide(world.application_id)
    assert logged(world) == []
    world.clock.advance(-86_400)
    assert logged(world) == before


def test_an_application_that_ended_meanwhile_leaves_no_decision(world: World) -> None:
    world.to_collected()
    wired.assessment().score_in_process(world.application_id)

    def ends_meanwhile(key: str, document: object) -> str:
        world.end(Outcome.CLOSED_BY_OPERATOR)
        return put(key, document)

    put = wired.data().put_json
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wired.data(), "put_json", ends_meanwhile)
        with pytest.raises(ApplicationClosed):
            wired.assessment().decide(world.application_id)
    assert logged(world) == []


def test_a_day_in_shards_is_read_from_where_one_stopped(world: World) -> None:
    world.to_assessed()
    (one,) = logged(world)
    names = [f"app-{number:02}" for number in range(30)]
    for name in names:
        wired.decision_log().add(Decision(**{**vars(one), "application_id": name}))
    day, log = world.clock.now().date(), wired.decision_log()
    assert {found.application_id for found in log.of_day("origination", day)} == {*names, one.application_id}
    shards = [[found.application_id for found in log.of_shard("origination", day, shard)] for shard in range(4)]
    longest = max(shards, key=len)
    rest = log.of_shard("origination", day, shards.index(longest), after=longest[0], limit=1)
    assert [found.application_id for found in rest] == longest[1:2]
