"""The platform's grades of lenders: two persons, dated, with their history (J07, rule 24)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from creditmesh.kernel.errors import InvalidInput, NotFound, SamePerson
from creditmesh.offers.lenders import TIME_TO_DECIDE, GradeWaits, Lender, LenderGrade
from creditmesh.offers.model import NotProposed
from tests.support import wired
from tests.support.world import BORROWER, LENDER, NOW, OPERATOR, World

TODAY = NOW.date()


def propose(grade: LenderGrade = "B", by: str = "ann", since: date | None = None, note: str = "review") -> Lender:
    return wired.lenders().propose("lender-a", by, grade, since, note)


def decide(by: str = "ben", *, confirm: bool = True) -> Lender:
    return wired.lenders().decide("lender-a", by, confirm=confirm, note="seen")


def grade_on(day: date) -> str | None:
    found = wired.lenders().get("lender-a").on(day)
    return found.grade if found else None


def test_a_grade_holds_once_another_person_confirms_it(world: World) -> None:
    assert propose().grade is None
    with pytest.raises(SamePerson):
        decide("ann")
    confirmed = decide()
    (given,) = confirmed.history
    assert (confirmed.grade, confirmed.since, confirmed.proposal) == ("B", TODAY, None)
    assert (given.proposed_by, given.decided_by, given.note, given.decision_note) == ("ann", "ben", "review", "seen")
    propose("A", "ben")
    assert (decide("ann").grade, [one.grade for one in decide("ann").history]) == ("A", ["B", "A"])


def test_grades_are_dated(world: World) -> None:
    propose("C", since=TODAY + timedelta(days=10))
    assert decide().grade is None
    propose("B")
    assert decide().grade == "B"
    days = [TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=9), TODAY + timedelta(days=10)]
    assert [grade_on(day) for day in days] == [None, "B", "B", "C"]
    propose("D", since=TODAY + timedelta(days=10))
    decide()
    assert grade_on(TODAY + timedelta(days=10)) == "D", "the last word on a day"
    world.clock.advance(10 * 86_400)
    assert wired.lenders().get("lender-a").since == TODAY + timedelta(days=10)


def test_no_grade_begins_in_the_past(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        propose(since=TODAY - timedelta(days=1))
    assert refused.value.field == "since"
    propose(since=TODAY)
    world.clock.advance(86_400)
    assert decide().since == TODAY + timedelta(days=1)


def test_a_refused_grade_is_history_only(world: World) -> None:
    propose()
    assert [decide("ann", confirm=False).grade for _ in range(2)] == [None, None]
    assert [one.given for one in decide("ann", confirm=False).history] == [False]
    with pytest.raises(NotProposed):
        decide()
    assert propose("C").proposal is not None


def test_one_proposal_waits_and_expires(world: World) -> None:
    first = propose()
    assert propose() == first, "a retry"
    for other in ({"grade": "A"}, {"by": "cat"}, {"note": "another"}, {"since": TODAY}):
        changed: dict[str, Any] = other
        with pytest.raises(GradeWaits):
            propose(**changed)
    world.clock.advance(TIME_TO_DECIDE.total_seconds())
    assert wired.lenders().get("lender-a").proposal is None
    with pytest.raises(NotProposed):
        decide()
    assert propose("A").proposal is not None
    assert decide().grade == "A"


def test_two_persons_confirm_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    propose()
    tables, write = wired.tables(), wired.tables().write

    def late(one: Any) -> None:
        monkeypatch.setattr(tables, "write", write)
        decide("cat")
        write(one)

    monkeypatch.setattr(tables, "write", late)
    with pytest.raises(NotProposed):
        decide("ben")
    assert [one.decided_by for one in wired.lenders().get("lender-a").history] == ["cat"]


def test_who_sees_which_lender(world: World) -> None:
    propose()
    decide()
    for caller, seen in ((BORROWER, ["lender-a", "lender-b"]), (OPERATOR, ["lender-a", "lender-b"]),
                         (LENDER, ["lender-a"])):  # fmt: skip
        assert [one.lender_id for one in wired.lenders().visible_to(caller)] == seen
    assert [one.grade for one in wired.lenders().visible_to(BORROWER)] == ["B", None]
    assert list(wired.products().catalogue()) == []
    with pytest.raises(NotFound):
        wired.lenders().get("tax-bureau")
