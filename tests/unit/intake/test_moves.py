"""The table of moves: complete, free of contradictions, and what the documentation shows (C01)."""

from __future__ import annotations

from typing import Any

import pytest

from creditmesh.intake.model import WAITS, Actor, Outcome, Status
from creditmesh.intake.moves import (
    AUTHORIZE,
    CHOOSE,
    DECLINE,
    DISBURSE,
    HAND_OVER,
    PLATFORM,
    RESUME,
    SIGN,
    TABLE,
    WITHDRAW,
    Move,
)
from creditmesh.kernel.caller import Role
from creditmesh.platform.paging import Window
from tests.support import wired
from tests.support.template import ROOT
from tests.support.world import OPERATOR, World

PAGE = ROOT / "docs" / "reference" / "origination.md"
BORROWED = Actor(Role.BORROWER, "user-1")


def row(move: Move) -> str:
    """One line of the documentation's table."""
    of = ", ".join(one for one in move.of if one is not Status.WITH_OPERATOR or len(move.of) == 1)
    to = move.to or "where it stood"
    ends = f": {', '.join(move.outcomes)}" if move.outcomes else ""
    return f"| {move.name} | {of} | {to}{ends} | {', '.join(move.by)} |"


def drawn() -> str:
    """The documentation's diagram."""
    lines = ["stateDiagram-v2", "    [*] --> received"]
    for move in TABLE:
        for of in move.of:
            if move.to and (of is not Status.WITH_OPERATOR or move.by != (PLATFORM.role,)) and move.name != "hand over":
                lines.append(f"    {of} --> {move.to}: {move.name}")
    return "\n".join(lines)


def test_the_documentation_shows_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for part in (drawn(), "\n".join(map(row, TABLE))):
        assert part in page, f"put this into {PAGE.name}:\n{part}"


def test_every_status_is_reached_and_left() -> None:
    assert {move.to for move in TABLE if move.to} == set(Status)
    assert {of for move in TABLE for of in move.of} == set(Status) - {Status.CLOSED}


def test_every_outcome_has_its_move() -> None:
    assert {outcome for move in TABLE for outcome in move.outcomes} == set(Outcome)
    assert all(bool(move.outcomes) == (move.to is Status.CLOSED) for move in TABLE)


def test_only_answers_end_a_wait_for_borrower_or_manager() -> None:
    """Nothing the platform does by itself leads from a wait back into the process, but for a lost execution."""
    awaited = set(WAITS) - {Status.WITH_OPERATOR}
    answers = [move for move in TABLE if set(move.of) <= awaited and move.to is not Status.CLOSED]
    assert [move.name for move in answers] == [
        "assign a flow", "authorize", "choose", "accept the counter-offer", "inform", "sign"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("move", "by", "values", "outcome"),
    [
        (SIGN, Actor(Role.BANK, "b"), {}, None),
        (AUTHORIZE, Actor(Role.LENDER, "a"), {}, None),
        (CHOOSE, BORROWED, {"chosen_product_id": "p"}, None),
        (HAND_OVER, PLATFORM, {}, None),
        (DISBURSE, Actor(Role.LENDER, "a"), {}, None),
        (WITHDRAW, BORROWED, {}, Outcome.DISBURSED),
        (DECLINE, PLATFORM, {"risk": {}, "report_key": "k"}, None),
        (RESUME, Actor(Role.OPERATOR, "o"), {"industry": "x"}, None),
        (SIGN, BORROWED, {}, Outcome.DISBURSED),
    ],
)
def test_a_move_the_table_does_not_have_is_refused(
    move: Move, by: Actor, values: dict[str, Any], outcome: Outcome | None
) -> None:
    with pytest.raises(ValueError, match=move.name):
        move.check(by, set(values), outcome)


def test_the_timeline_names_role_and_subject(world: World) -> None:
    world.to_signed()
    wired.operators().hand_over(world.application_id, "t", "OrderDisbursement", "X")
    (task,) = wired.operators().list(OPERATOR, Window(10)).items
    wired.operators().resolve(OPERATOR, task.task_id, "retry", "called them")
    entries = [(one.status, one.by, one.subject) for one in world.application().timeline]
    assert entries[0] == ("received", "borrower", "user-1")
    assert ("approved", "lender", "lender-a") in entries
    assert entries[-2:] == [("with_operator", "platform", None), ("signed", "operator", "operator-1")]
