"""Lists while the index key is rotated: entered, imported and removed entries count under either key."""

from __future__ import annotations

from typing import Any

import pytest

from creditmesh.platform.blind_index import IndexKey
from creditmesh.platform.settings import settings
from creditmesh.screening.model import State
from tests.support import wired
from tests.support.world import FIRM, World
from tests.unit.screening.test_imports import HEAD, imported
from tests.unit.screening.test_lists import NAMED, OTHER, enter, hits, screen

NEW = {"id": "2", "key": "n" * 64}
FIRST: dict[str, Any] = {"id": "1"}
ALIKE = "霁州天帮运输"


def remove(entry_id: str) -> None:
    wired.list_entries().propose_removal(entry_id, "operator-1", "a mistake")
    wired.list_entries().decide_removal(entry_id, "operator-2", confirm=True, note="so it is")


def looked_up() -> list[tuple[str, int]]:
    """What three subjects meet."""
    found = screen(("taxpayer_id", FIRM.taxpayer_id), ("taxpayer_id", OTHER), ("name", ALIKE))
    return sorted((f"{one.subject} {one.origin} {one.source}", one.score_bps) for one in found.hits)


def kept() -> list[tuple[str, State]]:
    """Entries that persons entered or decided on."""
    items = wired.tables().scan(settings().list_entries_table)
    entries = [wired.list_entries().get(item["entry_id"]) for item in items]
    return sorted((f"{one.value} {one.source}", one.state) for one in entries)


@pytest.fixture
def listed(world: World) -> World:
    """Two firms and a name, entered and imported; one imported firm and one entered name were removed."""
    enter()
    enter(kind="name", value=NAMED, source="police")
    remove(enter(kind="name", value=NAMED, source="register").entry_id)
    lines = [f"taxpayer_id,{FIRM.taxpayer_id},debt,,,", f"taxpayer_id,{OTHER},debt,,,", f"name,{NAMED},debt,,,"]
    imported(HEAD + "\n".join(lines) + "\n", source="bank")
    (hit,) = screen(("taxpayer_id", OTHER)).hits
    remove(hit.entry_id)
    return world


def test_lists_say_the_same_before_amidst_and_after(listed: World) -> None:
    before, entries = looked_up(), kept()
    assert len(before) == 4
    with listed.index_keys(NEW, FIRST):
        assert looked_up() == before
        assert wired.list_imports().rekey() == 1
        assert looked_up() == before
        assert wired.list_entries().rekey() == 4
        assert looked_up() == before
        assert (wired.list_imports().rekey(), wired.list_entries().rekey()) == (0, 0), "a repeat does nothing"
    with listed.index_keys(NEW):
        assert looked_up() == before
        assert kept() == entries
        wired.forget("list_keeper")
        wired.forget("lists")
        assert looked_up() == before, "a process that reads the whole journal"


def test_entries_first_is_as_good(listed: World) -> None:
    before = looked_up()
    with listed.index_keys(NEW, FIRST):
        assert wired.list_entries().rekey() == 4
        assert looked_up() == before


def test_a_rekeying_that_was_stopped_goes_on(listed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before, whole, left = looked_up(), type(wired.list_journal()).append, iter(range(2))

    def stopping(*arguments: Any) -> int:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return whole(*arguments)

    with listed.index_keys(NEW, FIRST):
        monkeypatch.setattr(type(wired.list_journal()), "append", stopping)
        with pytest.raises(KeyboardInterrupt):
            wired.list_entries().rekey()
        monkeypatch.undo()
        assert looked_up() == before
        assert wired.list_entries().rekey() == 2
        assert looked_up() == before


def test_a_subject_is_entered_once_across_keys(world: World) -> None:
    first = enter()
    with world.index_keys(NEW, FIRST):
        assert enter() == first
        changed = enter(reason_code="theft")
        assert (changed.entry_id, changed.version, hits()) == (first.entry_id, 2, 1)


def test_two_that_enter_it_at_once_enter_it_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second had looked before the first wrote."""
    enter()
    entries = wired.list_entries()
    look, looks = entries._get, iter(range(2))
    monkeypatch.setattr(entries, "_get", lambda one: look(one) if next(looks, None) is None else None)
    with world.index_keys(NEW, FIRST):
        assert enter().version == 1
        assert hits() == 1
    assert len(world.items("ListEntries")) == 1


def test_an_import_is_published_under_one_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made: set[str] = set()
    of = IndexKey.of
    monkeypatch.setattr(IndexKey, "of", lambda key, *given: made.add(key.key_id) or of(key, *given))
    with world.index_keys(NEW, FIRST):
        imported(f"{HEAD}taxpayer_id,{FIRM.taxpayer_id},debt,,,\nphone,13800138000,debt,,,\n")
        assert made == {"2"}
        assert hits() == 1
    with world.index_keys(NEW):
        assert hits() == 1


def test_an_import_of_the_source_in_between_is_left_alone(listed: World) -> None:
    """What was indexed anew is not in force any more when its change is read."""
    with listed.index_keys(NEW, FIRST):
        journal, append = wired.list_journal(), wired.list_journal().append

        def after_another(act: str, *given: Any) -> int:
            journal.append = append  # type: ignore[method-assign]
            listed.clock.advance(1)
            imported(f"{HEAD}taxpayer_id,{FIRM.taxpayer_id},fraud,,,\n", source="bank", allow_shrink=True)
            return append(act, *given)

        journal.append = after_another  # type: ignore[method-assign]
        wired.list_imports().rekey()
        (hit,) = (one for one in screen(("taxpayer_id", FIRM.taxpayer_id)).hits if one.source == "bank")
        assert hit.reason_code == "fraud"
