"""Removal takes two persons; what was removed stays as history (M04)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest

from creditmesh.kernel.errors import NotFound, SamePerson
from creditmesh.platform.paging import Window
from creditmesh.platform.tables import ConditionFailed, Tables, Update, Write
from creditmesh.screening.journal import Journal
from creditmesh.screening.model import Entry, EntryStateConflict, State
from tests.support import wired
from tests.support.aws import table_name
from tests.support.world import FIRM, World
from tests.unit.screening.test_lists import enter, hits

PROPOSER, SECOND = "operator-1", "manager-2"


def propose(entry: Entry, by: str = PROPOSER) -> Entry:
    return wired.list_entries().propose_removal(entry.entry_id, by, "a mistaken identity")


def decide(entry: Entry, by: str = SECOND, confirm: bool = True) -> Entry:
    return wired.list_entries().decide_removal(entry.entry_id, by, confirm=confirm, note="seen")


def test_an_entry_counts_until_a_second_person_confirms(world: World) -> None:
    entry = enter()
    proposed = propose(entry)
    assert (proposed.state, proposed.proposed_by, hits()) == (State.REMOVAL_PROPOSED, PROPOSER, 1)
    assert [one.entry_id for one in wired.list_entries().proposals()] == [entry.entry_id]
    removed = decide(entry)
    assert (removed.state, removed.proposed_by, hits()) == (State.REMOVED, None, 0)
    assert wired.list_entries().proposals().items == []


def test_the_same_person_cannot_confirm_but_may_take_it_back(world: World) -> None:
    entry = enter()
    propose(entry)
    with pytest.raises(SamePerson):
        decide(entry, by=PROPOSER)
    assert hits() == 1
    assert decide(entry, by=PROPOSER, confirm=False).state is State.ACTIVE
    assert wired.list_entries().proposals().items == []


def test_the_entry_stays_as_history_and_every_step_is_in_the_journal(world: World) -> None:
    entry = enter()
    propose(entry)
    decide(entry, confirm=False)
    propose(entry, by=SECOND)
    decide(entry, by=PROPOSER)
    kept = wired.list_entries().get(entry.entry_id)
    acts = ["entered", "removal_proposed", "removal_refused", "removal_proposed", "removed"]
    people = [PROPOSER, PROPOSER, SECOND, SECOND, PROPOSER]
    assert [(one.act, one.by) for one in kept.history] == list(zip(acts, people, strict=True))
    journal = list(wired.list_journal().after(0))
    assert [(one["number"], one["act"], one["by"]) for one in journal] == list(
        zip(range(1, 6), acts, people, strict=True)
    )
    assert kept.value == FIRM.taxpayer_id


def test_a_step_out_of_turn_is_refused(world: World) -> None:
    entry = enter()
    with pytest.raises(EntryStateConflict):
        decide(entry)
    propose(entry)
    with pytest.raises(EntryStateConflict):
        propose(entry, by=SECOND)
    with pytest.raises(EntryStateConflict):
        enter(reason_code="debt")
    decide(entry)
    for step in (propose, decide):
        with pytest.raises(EntryStateConflict):
            step(entry)


def test_a_removed_entry_can_be_entered_again(world: World) -> None:
    entry = enter()
    propose(entry)
    decide(entry)
    again = enter()
    assert (again.entry_id, again.state, again.version, hits()) == (entry.entry_id, State.ACTIVE, 4, 1)


@pytest.mark.parametrize(
    "entry_id",
    [
        "none",
        "black.taxpayer_id.00.00",
        "pink.name.0123456789abcdef.01234567",
        "black.name.0123456789abcdef.01234567",
    ],  # fmt: skip
)
def test_an_unknown_entry(world: World, entry_id: str) -> None:
    for step in (wired.list_entries().get, lambda one: wired.list_entries().propose_removal(one, PROPOSER, "x")):
        with pytest.raises(NotFound):
            step(entry_id)


class Contended(Tables):
    """Others write just before each of so many transactions of ours."""

    before: ClassVar[list[Callable[[], object]]] = []

    def transact(self, writes: Sequence[Write], token: str) -> None:
        if self.before:
            self.before.pop()()
        super().transact(writes, token)


def test_many_who_write_at_once_leave_no_hole_in_the_numbers(world: World) -> None:
    def append(journal: Journal, entry_id: str) -> int:
        return journal.append("entered", "p", {"entry_id": entry_id}, [])

    calm = wired.list_journal()
    contended = Journal(Contended(wired.client("dynamodb")), table_name("ListJournal"), world.clock)
    append(calm, "first")
    Contended.before = [lambda name=name: append(calm, name) for name in ("other-2", "other-1", "other-0")]
    assert append(contended, "ours") == 5
    found = list(calm.after(0))
    assert [one["number"] for one in found] == [1, 2, 3, 4, 5]
    assert [one["entry_id"] for one in found] == ["first", "other-0", "other-1", "other-2", "ours"]
    assert [one["number"] for one in calm.after(3)] == [4, 5]
    assert [one["number"] for one in calm.newest(Window(2))] == [5, 4]


def test_an_entry_that_another_changes_meanwhile_is_not_written_over(world: World) -> None:
    """The journal tries again for itself, and gives up where the entry is another."""
    entry = propose(enter())
    slow = Journal(Contended(wired.client("dynamodb")), table_name("ListJournal"), world.clock)
    taken_back = entry.model_copy(update={"state": State.ACTIVE, "version": entry.version + 1})
    Contended.before = [lambda: decide(entry)]
    with pytest.raises(ConditionFailed):
        slow.append("removal_refused", "x", {}, [wired.list_entries()._replacing(taken_back, entry)])
    assert wired.list_entries().get(entry.entry_id).state is State.REMOVED


def test_a_write_that_fails_leaves_no_change(world: World) -> None:
    missing = Update(table_name("ListEntries"), {"entry_id": "none"}, set={"x": 1}, where={"version": 1})
    with pytest.raises(ConditionFailed):
        wired.list_journal().append("removed", "x", {}, [missing])
    assert list(wired.list_journal().after(0)) == []
