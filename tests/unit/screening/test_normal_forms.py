"""Lists of an earlier release, whose normal forms were others, are indexed anew; until then nothing is looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from aws.index_key import lists
from creditmesh.kernel.errors import InvalidInput
from creditmesh.screening.model import Entry, Kind, ListsOutdated, State
from creditmesh.screening.normalise import normalise
from tests.support import wired
from tests.support.world import FIRM, World
from tests.unit.screening.test_imports import HEAD, begin, imported
from tests.unit.screening.test_index_rotation import FIRST, NEW, kept, remove
from tests.unit.screening.test_lists import NAMED, enter, screen

LONG, SHORT = "江苏省无锡市测试路88-1号", "无锡市测试路88-1号"
OTHER = "无锡市测试路881号"
MODULES = ("entries", "imports", "service", "state")
Earlier = Callable[[], None]


def earlier_form(kind: Kind, text: str) -> str:
    """Without hyphens, with provinces, and taking anything."""
    try:
        return normalise(kind, text.replace("-", "")).replace("无锡测试", f"{text[:2]}无锡测试")
    except InvalidInput:
        return text


@pytest.fixture
def today(world: World) -> Iterator[Earlier]:
    """The platform is of an earlier release until this is called."""
    release = pytest.MonkeyPatch()
    for module in MODULES:
        release.setattr(f"creditmesh.screening.{module}.NORMAL_FORM", 1)
    for module in ("entries", "import_lines", "service"):
        release.setattr(f"creditmesh.screening.{module}.normalise", earlier_form)

    def upgraded() -> None:
        release.undo()
        wired.forget("list_keeper")
        wired.forget("lists")
        wired.forget("list_entries")
        wired.forget("list_imports")

    yield upgraded
    release.undo()


def found(text: str, kind: str = "address") -> list[str]:
    return sorted(hit.source for hit in screen((kind, text)).hits)


def rekeyed() -> tuple[int, int]:
    return wired.list_imports().rekey(), wired.list_entries().rekey()


def entry(source: str) -> Entry:
    (one,) = [one for one in map(wired.list_entries().get, ids()) if one.source == source]
    return one


def ids() -> list[str]:
    return [item["entry_id"] for item in wired.tables().scan(wired.list_entries()._table)]


def test_an_import_is_indexed_anew_by_todays_forms(world: World, today: Earlier) -> None:
    lines = [f"address,{LONG},x,,,", "device,02:00:00:00:00:00,x,,,", f"name,{NAMED},x,,,"]
    one = imported(HEAD + "\n".join(lines) + "\n", source="bank")
    assert (one.entries, found(OTHER), found(SHORT)) == (3, [], [])
    today()
    with pytest.raises(ListsOutdated):
        found(SHORT)
    assert rekeyed() == (1, 0)
    assert (found(LONG), found(SHORT), found(OTHER), found(NAMED, "name")) == (["bank"], ["bank"], [], ["bank"])
    assert screen(("device", "02:00:00:00:00:00")).unreadable == [0]
    assert rekeyed() == (0, 0)
    with world.index_keys(NEW, FIRST):
        assert rekeyed() == (1, 0)
        assert found(SHORT) == ["bank"], "in another key too"


def test_a_file_that_was_read_before_is_indexed_by_todays_forms(world: World, today: Earlier) -> None:
    one = begin(f"{HEAD}address,{LONG},x,,,\n")
    wired.list_imports().read_part(one.import_id)
    today()
    wired.list_imports().publish(one.import_id)
    assert (found(SHORT), rekeyed()) == (["court"], (0, 0))


def test_entries_are_indexed_anew_whether_their_form_changed_or_not(world: World, today: Earlier) -> None:
    enter(kind="address", value=LONG, source="changed")
    enter(source="same")
    enter(kind="name", value=NAMED, source="name")
    remove(enter(kind="address", value=LONG, source="removed").entry_id)
    before = kept()
    today()
    with pytest.raises(ListsOutdated):
        found(SHORT)
    assert lists() == "Indexed anew: 0 imported lists, 4 list entries."
    assert rekeyed() == (0, 0)
    assert kept() == before
    assert (found(SHORT), found(FIRM.taxpayer_id, "taxpayer_id"), found(NAMED, "name")) == (["changed"], ["same"], ["name"])  # fmt: skip  # noqa: E501
    assert [one.act for one in entry("changed").history] == ["entered", "rekeyed"]


def test_a_removed_line_of_an_import_stays_removed(world: World, today: Earlier) -> None:
    imported(f"{HEAD}address,{LONG},x,,,\nphone,13800138000,x,,,\n", source="bank")
    (hit,) = screen(("address", LONG)).hits
    remove(hit.entry_id)
    today()
    assert rekeyed() == (1, 1)
    assert found(SHORT) == []
    assert found("13800138000", "phone") == ["bank"]


@pytest.mark.parametrize("first", [LONG, SHORT])
@pytest.mark.parametrize(("removed", "state", "hits"), [((), State.ACTIVE, ["court"]), ((LONG,), State.ACTIVE, ["court"]), ((SHORT,), State.ACTIVE, ["court"]), ((LONG, SHORT), State.REMOVED, [])])  # fmt: skip  # noqa: E501
def test_of_two_that_have_become_one_the_one_in_force_stays(
    world: World, today: Earlier, first: str, removed: tuple[str, ...], state: State, hits: list[str]
) -> None:
    for value in (first, LONG if first is SHORT else SHORT):
        one = enter(kind="address", value=value)
        if value in removed:
            remove(one.entry_id)
    today()
    rekeyed()
    assert rekeyed() == (0, 0)
    assert (found(LONG), found(SHORT)) == (hits, hits)
    assert entry("court").state is state
    assert len([one for one in entry("court").history if one.act == "entered"]) == 2
    wired.forget("list_keeper")
    wired.forget("lists")
    assert found(SHORT) == hits, "a process that reads the whole journal"


def test_an_entry_of_something_that_is_none_any_more_ends(world: World, today: Earlier) -> None:
    enter(kind="device", value="02:00:00:00:00:00")
    enter(source="same")
    today()
    assert rekeyed() == (0, 2)
    assert rekeyed() == (0, 0)
    assert (entry("court").state, entry("court").history[-1].by) == (State.REMOVED, "platform")
    assert found(FIRM.taxpayer_id, "taxpayer_id") == ["same"]
