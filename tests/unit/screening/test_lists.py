"""Look-ups in lists that persons keep: exact, similar, valid, of which state (C12, M04, M05)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import InvalidInput
from creditmesh.screening.entries import MOST_CHANGES, NewEntry
from creditmesh.screening.model import Entry, Kind, Screening, State, Subject
from tests.support import wired
from tests.support.world import FIRM, NOW, World

OTHER = "91350100M000100Y43"
NAMED = "霁州天邦运输有限公司"


def enter(list_name: str = "black", kind: str = "taxpayer_id", value: str = FIRM.taxpayer_id, **more: Any) -> Entry:
    given = {"list_name": list_name, "kind": kind, "value": value, "source": "court", "reason_code": "fraud", **more}
    return wired.list_entries().enter(NewEntry.model_validate(given), "operator-1")


def screen(*subjects: tuple[str, str]) -> Screening:
    return wired.lists().screen([Subject(kind=Kind(kind), value=value) for kind, value in subjects])


def hits(taxpayer: str = FIRM.taxpayer_id) -> int:
    return screen(("taxpayer_id", taxpayer)).features["blacklist_hits"]


def test_each_source_counts_once(world: World) -> None:
    assert hits() == 0
    for source in ("court", "court", "platform"):
        enter(source=source)
    assert (hits(), hits(OTHER)) == (2, 0)


def test_an_entry_holds_from_its_beginning_to_its_end(world: World) -> None:
    enter(valid_from=iso(NOW + timedelta(days=1)), valid_until=iso(NOW + timedelta(days=2)))
    found = []
    for _ in range(3):
        found.append(hits())
        world.clock.advance(86400)
    assert found == [0, 1, 0]


def test_an_end_before_the_beginning_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        enter(valid_from=iso(NOW), valid_until=iso(NOW))
    assert refused.value.field == "valid_until"


SUBJECTS = {
    "taxpayer_id": (FIRM.taxpayer_id, f" {FIRM.taxpayer_id.lower()} "),
    "person": ("11010519491231002X", "110105491231002"),
    "device": ("00:1A:2B:3C:4D:5E", "001a2b3c4d5e"),
    "account": ("6222 0202 0011 2233 445", "6222-0202-0011-2233-445"),
    "phone": ("+86 138 0013 8000", "１３８００１３８０００"),
    "address": ("广东省深圳市南山区科技路1号", "深圳市南山区科技路１号"),
}


@pytest.mark.parametrize("kind", [kind for kind in SUBJECTS if kind != "address"])
@pytest.mark.parametrize(("list_name", "feature"), [("black", "blacklist_hits"), ("grey", "greylist_hits"), ("white", "whitelist_hits")])  # fmt: skip  # noqa: E501
def test_a_subject_is_found_however_it_is_written(world: World, kind: str, list_name: str, feature: str) -> None:
    written, otherwise = SUBJECTS[kind]
    entry = enter(list_name, kind, written)
    found = screen((kind, otherwise))
    (hit,) = found.hits
    assert (hit.entry_id, hit.match, hit.score_bps, hit.source, hit.reason_code) == (
        entry.entry_id, "exact", 10_000, "court", "fraud",
    )  # fmt: skip
    counted = {name for name, value in found.features.items() if value}
    assert counted == {feature}


def test_an_address_is_found_without_the_words_for_its_units(world: World) -> None:
    enter("grey", "address", "广东省深圳市南山区科技路1号")
    assert screen(("address", "广东深圳南山科技路 １ 号")).features["greylist_hits"] == 1
    assert screen(("address", "广东深圳南山科技路2号")).features["greylist_hits"] == 0


def test_one_value_of_two_kinds_is_two_subjects(world: World) -> None:
    enter("black", "account", "13800138000")
    assert screen(("phone", "13800138000")).hits == []


@pytest.mark.parametrize(
    ("asked", "score"),
    [
        ("霁州天邦运输股份有限公司", 10_000),
        ("霁州市天邦运输有限公司", 9_619),
        ("霁州天邦运输队", 9_714),
        ("霁州天帮运输有限公司", 9_222),
        ("霁州邦天运输有限公司", 9_555),
        ("霁州恒达运输有限公司", None),
    ],
)
def test_names_that_are_alike_are_found_with_their_score(world: World, asked: str, score: int | None) -> None:
    enter("grey", "name", NAMED)
    found = screen(("name", asked))
    assert [hit.score_bps for hit in found.hits] == ([] if score is None else [score])
    assert found.features["greylist_name_score_bps"] == (score or 0)
    assert found.features["greylist_hits"] == 0, "a name alone is no hit"
    assert [hit.match for hit in found.hits] == ([] if score is None else ["exact" if score == 10_000 else "similar"])


def test_words_in_another_order_are_one_name(world: World) -> None:
    enter("black", "name", "Jizhou Tianbang Transport Co., Ltd.")
    assert screen(("name", "TIANBANG TRANSPORT (JIZHOU) LLC")).features["blacklist_name_score_bps"] == 10_000
    assert screen(("name", "Jizhou Tienbang Transport")).features["blacklist_name_score_bps"] >= 9_500


def test_many_subjects_are_looked_up_at_once_and_unreadable_ones_told(world: World) -> None:
    enter("black", "taxpayer_id")
    enter("white", "name", NAMED)
    found = screen(("taxpayer_id", "none"), ("taxpayer_id", FIRM.taxpayer_id), ("name", NAMED), ("phone", "?"))
    assert found.unreadable == [0, 3]
    assert [(hit.subject, hit.list_name) for hit in found.hits] == [(1, "black"), (2, "white")]
    assert found.features == {
        "blacklist_hits": 1, "greylist_hits": 0, "whitelist_hits": 0, "blacklist_name_score_bps": 0,
        "greylist_name_score_bps": 0,
    }  # fmt: skip


def test_the_state_of_the_lists_is_told(world: World) -> None:
    assert screen(("name", NAMED)).change_number == 0
    enter("black", "name", NAMED)
    found = screen(("name", NAMED))
    assert (found.change_number, found.imports, found.at) == (1, {}, iso(NOW))


def test_a_process_may_be_content_with_what_it_knew_a_moment_ago(world: World) -> None:
    subjects = [Subject(kind=Kind.TAXPAYER_ID, value=FIRM.taxpayer_id)]
    lists = wired.lists()
    assert lists.screen(subjects).hits == []
    enter()
    assert lists.screen(subjects, max_age_seconds=60).hits == []
    assert len(lists.screen(subjects).hits) == 1
    assert len(lists.screen(subjects, max_age_seconds=60).hits) == 1


def test_nothing_entered_can_be_read_from_the_tables(world: World) -> None:
    enter()
    enter("grey", "name", NAMED)
    stored = str([world.items(table) for table in ("ListEntries", "ListJournal")])
    assert FIRM.taxpayer_id not in stored
    assert "天邦" not in stored
    assert wired.list_entries().get(enter("grey", "name", NAMED).entry_id).value == NAMED


def test_an_entry_keeps_its_newest_changes_only(world: World) -> None:
    """A source that is entered every day would outgrow an item (X9); the journal has all."""
    for number in range(MOST_CHANGES + 5):
        last = enter(text=str(number))
    stored = wired.list_entries().get(last.entry_id)
    assert (len(stored.history), stored.version) == (MOST_CHANGES, MOST_CHANGES + 5)
    assert len(world.items("ListJournal")) > MOST_CHANGES + 4


def test_the_same_again_changes_nothing_and_other_content_replaces(world: World) -> None:
    first = enter(text="one")
    assert enter(text="one") == first
    second = enter(text="two", reason_code="debt")
    assert (second.version, second.entry_id, second.state) == (2, first.entry_id, State.ACTIVE)
    assert [one.act for one in second.history] == ["entered", "entered"]
    (hit,) = screen(("taxpayer_id", FIRM.taxpayer_id)).hits
    assert hit.reason_code == "debt"
    assert [change["act"] for change in wired.list_journal().newest()] == ["entered", "entered"]


def test_a_name_that_is_replaced_is_found_by_its_new_spelling_only(world: World) -> None:
    """Its entry is the same: the spellings differ in what normalising takes away."""
    enter("black", "name", NAMED)
    enter("black", "name", "霁州天邦运输", reason_code="debt")
    (hit,) = screen(("name", NAMED)).hits
    assert (hit.reason_code, hit.score_bps) == ("debt", 10_000)


@pytest.mark.parametrize(("kind", "value"), [("taxpayer_id", "91"), ("person", "110105194912310021"), ("device", "x"), ("account", "abcdefgh"), ("phone", "12"), ("address", "1"), ("name", "。")])  # fmt: skip  # noqa: E501
def test_a_value_that_is_none_of_its_kind_is_refused(world: World, kind: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        enter("black", kind, value)
    assert refused.value.field == "value"
    assert world.items("ListJournal") == []
