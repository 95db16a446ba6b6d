"""A source's whole list: read in parts, refused or put in force at once, removed from one by one (M04)."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import Any

import pytest

from creditmesh.kernel.clock import iso
from creditmesh.kernel.errors import InvalidInput, NotFound
from creditmesh.platform.crypto import SealBroken
from creditmesh.screening.import_model import Import, ImportProblem, ImportState, ImportStateConflict, NewImport
from creditmesh.screening.model import Kind, Origin, Screening, State, Subject
from creditmesh.screening.normalise import NORMAL_FORM
from tests.support import wired
from tests.support.world import FIRM, NOW, World
from tests.unit.screening.test_lists import NAMED, OTHER, enter, hits, screen

HEAD = "kind,value,reason_code,text,valid_from,valid_until\n"
FILES = itertools.count(1)


def put(text: str | bytes, key: str | None = None) -> str:
    key = key or f"lists/incoming/court/{next(FILES)}.csv"
    wired.data().put(key, text.encode() if isinstance(text, str) else text, "text/csv")
    return key


def begin(text: str | bytes, form: str = "csv", **more: Any) -> Import:
    given = {"source": "court", "format": form, "list_name": "black", "object_key": put(text), **more}
    return wired.list_imports().create(NewImport.model_validate(given), "operator-1")[0]


def carry_out(one: Import) -> Import:
    """As the process does."""
    while (one := wired.list_imports().read_part(one.import_id)).state is ImportState.READING:
        pass
    return wired.list_imports().publish(one.import_id)


def imported(text: str | bytes, form: str = "csv", **more: Any) -> Import:
    return carry_out(begin(text, form, **more))


def rejected(one: Import) -> list[tuple[int, str, str]]:
    return [(line.line, line.field, line.rule) for line in wired.list_imports().rejected(one.import_id)]


def test_an_import_is_seen_when_it_is_published_and_not_before(world: World) -> None:
    one = begin(f'{HEAD}taxpayer_id,{FIRM.taxpayer_id},debt,,,\nname,{NAMED},debt,"a, b",,\n')
    assert (one.state, world.steps.inputs) == (
        ImportState.READING,
        {f"{one.import_id}-1": {"import_id": one.import_id}},
    )
    one = wired.list_imports().read_part(one.import_id)
    assert (one.state, one.lines, one.accepted, one.rejected, hits()) == (ImportState.READ, 3, 2, 0, 0)
    one = wired.list_imports().publish(one.import_id)
    assert (one.state, one.entries, one.replaces, hits()) == (ImportState.PUBLISHED, 2, None, 1)
    found = screen(("name", "霁州天帮运输"), ("taxpayer_id", FIRM.taxpayer_id))
    assert found.imports == {"court": one.import_id}
    assert [(hit.origin, hit.source, hit.reason_code, hit.score_bps) for hit in found.hits] == [
        (Origin.IMPORTED, "court", "debt", 10_000), (Origin.IMPORTED, "court", "debt", 9_222),
    ]  # fmt: skip


def test_the_next_import_of_a_source_replaces_the_whole_and_others_stay(world: World) -> None:
    first = imported(f"{HEAD}taxpayer_id,{FIRM.taxpayer_id},debt,,,\n")
    imported(f"{HEAD}taxpayer_id,{FIRM.taxpayer_id},fraud,,,\n", source="police")
    enter(source="platform")
    assert hits() == 3
    world.clock.advance(1)
    second = imported(f"{HEAD}taxpayer_id,{OTHER},debt,,,\n")
    assert (second.replaces, hits(), hits(OTHER)) == (first.import_id, 2, 1)
    assert [one.import_id for one in wired.list_imports().of_source("court")] == [second.import_id, first.import_id]


def test_a_file_is_read_part_by_part_and_any_step_may_be_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("creditmesh.screening.imports.PART_BYTES", 400)
    lines = [f"phone,1380013{number:04d},debt,line {number},,\n" for number in range(60)]
    lines[7] = "phone,none,debt,,,\n"
    lines[41] = "phone,13800138000\n"
    one = begin(HEAD + "".join(lines), max_rejected_bps=1000)
    parts = 0
    while one.state is ImportState.READING:
        before = one
        one = wired.list_imports().read_part(one.import_id)
        again = wired.list_imports()._applied(before, wired.list_imports()._store.change(before, ImportState.FAILED))
        assert again == one, "what was read from an earlier place changes nothing"
        parts += 1
    assert parts > 3
    assert (one.lines, one.accepted, one.rejected) == (61, 58, 2)
    assert rejected(one) == [(9, "value", "no_phone"), (43, "line", "wrong_number_of_columns")]
    published = carry_out(one)
    assert wired.list_imports().publish(one.import_id) == published
    assert len(list(wired.list_journal().after(0))) == 1
    for number in (0, 8, 59):
        (hit,) = screen(("phone", f"1380013{number:04d}")).hits
        assert wired.list_entries().get(hit.entry_id).text == f"line {number}"
    assert screen(("phone", "13800130007")).hits == []


def test_json_lines_name_their_own_list(world: World) -> None:
    lines = [
        {"list": "white", "kind": "taxpayer_id", "value": FIRM.taxpayer_id, "reason_code": "guarantor", "text": None},
        {"kind": "taxpayer_id", "value": FIRM.taxpayer_id, "reason_code": "debt"},
    ]
    imported("\n".join(map(json.dumps, lines)), "jsonl", list_name="grey")
    features = screen(("taxpayer_id", FIRM.taxpayer_id)).features
    assert (features["blacklist_hits"], features["greylist_hits"], features["whitelist_hits"]) == (0, 1, 1)


BROKEN = [
    ("{", "line", "no_json"),
    ("[]", "line", "must_be_object"),
    ('{"kind": "phone", "value": "13800138000", "reason_code": "x", "colour": "red"}', "line", "unknown_field"),
    ('{"kind": "phone", "value": 13800138000, "reason_code": "x"}', "value", "must_be_text"),
    ('{"value": "13800138000", "reason_code": "x"}', "kind", "missing"),
    ('{"kind": "phone", "value": " ", "reason_code": "x"}', "value", "missing"),
    ('{"kind": "phone", "value": "13800138000"}', "reason_code", "missing"),
    ('{"kind": "ship", "value": "x", "reason_code": "x"}', "kind", "unknown_kind"),
    ('{"list": "pink", "kind": "phone", "value": "13800138000", "reason_code": "x"}', "list", "unknown_list"),
    ('{"kind": "taxpayer_id", "value": "91350100M000100Y44", "reason_code": "x"}', "value", "no_taxpayer_id"),
    ('{"kind": "phone", "value": "13800138000", "reason_code": "%s"}' % ("x" * 61), "reason_code", "too_long"),
    ('{"kind": "phone", "value": "13800138000", "reason_code": "x", "valid_from": "soon"}', "valid_from", "no_instant"),
    ('{"kind": "phone", "value": "13800138000", "reason_code": "x", "valid_from": "2026-02-01", "valid_until": '
     '"2026-02-01"}', "valid_until", "not_later_than_valid_from"),
    (r'{"kind": "name", "value": "good shop\ud83d", "reason_code": "x"}', "value", "no_unicode"),
    (r'{"kind": "phone", "value": "13800138000", "reason_code": "x", "text": "\udc00"}', "text", "no_unicode"),
    ('{"kind": "phone", "value": "13800138000", "value": "13800138001", "reason_code": "x"}', "line",
     "field_comes_twice"),
]  # fmt: skip


def test_every_broken_line_is_told_by_field_and_rule_and_never_by_its_value(world: World) -> None:
    good = json.dumps({"kind": "phone", "value": "13800138000", "reason_code": "x"})
    text = "\n".join([*(line for line, _, _ in BROKEN), "", good])
    one = imported(text.encode() + b"\n\xff\xfe", "jsonl", max_rejected_bps=10_000)
    expected = [(number, field, rule) for number, (_, field, rule) in enumerate(BROKEN, 1)]
    assert rejected(one) == [*expected, (len(BROKEN) + 3, "line", "not_utf8")]
    assert (one.state, one.accepted, one.rejected, one.entries) == (ImportState.PUBLISHED, 1, len(BROKEN) + 1, 1)


DAMAGED = [
    ("account,6.22202E+18,x,,,", "value", "digits_lost"),
    ("account,6.22202e18,x,,,", "value", "digits_lost"),
    ("person,1.10105E+17,x,,,", "value", "digits_lost"),
    ("taxpayer_id,9.13202E+17,x,,,", "value", "digits_lost"),
    ("phone,1.38E+10,x,,,", "value", "digits_lost"),
    ("device,4.90154E+14,x,,,", "value", "digits_lost"),
    ("name,1.2E+5,x,,,", "value", "digits_lost"),
    ('address,"1,2E+5",x,,,', "value", "digits_lost"),
    ("account,'6.22202E+18,x,,,", "value", "digits_lost"),
    ("account,########,x,,,", "value", "digits_lost"),
    ("phone,13800138000.0,x,,,", "value", "written_as_number"),
    ("account,6222020200112233.00,x,,,", "value", "written_as_number"),
    ("taxpayer_id,#N/A,x,,,", "value", "spreadsheet_error"),
    ("name,#REF!,x,,,", "value", "spreadsheet_error"),
    ("phone,13800138000,x,,46327,", "valid_from", "date_written_as_number"),
    ("phone,13800138000,x,,,46327.5", "valid_until", "date_written_as_number"),
]


def test_what_a_spreadsheet_has_damaged_is_told_by_its_damage(world: World) -> None:
    one = imported(HEAD + "\n".join(line for line, _, _ in DAMAGED), max_rejected_bps=10_000)
    assert rejected(one) == [(number, field, rule) for number, (_, field, rule) in enumerate(DAMAGED, 2)]


def test_keys_as_spreadsheets_write_them_are_one_subject(world: World) -> None:
    written = ["{}\t", "{}\u00a0", "'{}", '"=""{}"""', "\ufeff{}", "\u3000{}"]
    lines = [f"taxpayer_id,{one.format(FIRM.taxpayer_id.lower())},debt,,,\n" for one in written]
    one = imported(HEAD + "".join(lines))
    assert (one.accepted, one.rejected, one.entries, hits()) == (len(written), 0, 1, 1)


def test_a_list_that_no_line_names_is_missing(world: World) -> None:
    one = imported(f"{HEAD}phone,13800138000,x,,,\n", list_name=None)
    assert (one.state, rejected(one)) == (ImportState.REFUSED, [(2, "list", "missing")])


REFUSED: list[tuple[str, str | bytes, dict[str, Any], ImportProblem]] = [
    ("no column", "kind,value\n", {}, ImportProblem(field="reason_code", rule="column_missing", line=1)),
    ("strange column", "kind,value,reason_code,x\n", {}, ImportProblem(field="column 4", rule="unknown_column", line=1)),  # noqa: E501
    ("no head line", f"taxpayer_id,{FIRM.taxpayer_id},debt\n", {}, ImportProblem(field="column 1", rule="unknown_column", line=1)),  # noqa: E501
    ("twice", "kind,kind,value,reason_code\n", {}, ImportProblem(field="kind", rule="column_comes_twice", line=1)),
    ("quotes", '"kind,value\n', {}, ImportProblem(field="file", rule="head_line_is_no_csv", line=1)),
    ("bytes", b"\xff\xfe\n", {}, ImportProblem(field="file", rule="not_utf8", line=1)),
    ("no line", HEAD, {}, ImportProblem(field="file", rule="no_line_accepted")),
    ("bad lines", f"{HEAD}phone,13800138000,x,,,\nphone,1,x,,,\n", {}, ImportProblem(field="file", rule="too_many_lines_rejected")),  # noqa: E501
]  # fmt: skip


@pytest.mark.parametrize(("text", "more", "problem"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED])
def test_a_bad_file_is_refused_and_the_earlier_import_stays(
    world: World, text: str | bytes, more: dict[str, Any], problem: ImportProblem
) -> None:
    imported(f"{HEAD}taxpayer_id,{FIRM.taxpayer_id},debt,,,\n")
    world.clock.advance(1)
    one = imported(text, **more)
    assert (one.state, one.problem, hits()) == (ImportState.REFUSED, problem, 1)


def test_the_largest_accepted_share_of_rejected_lines_is_accepted(world: World) -> None:
    lines = [f"phone,1380013{number:04d},x,,,\n" for number in range(9)]
    assert imported(f"{HEAD}{''.join(lines)}phone,1,x,,,\n", max_rejected_bps=1_000).state is ImportState.PUBLISHED
    assert imported(f"{HEAD}{''.join(lines)}phone,1,x,,,\n", max_rejected_bps=999).state is ImportState.REFUSED


def test_a_line_longer_than_a_part_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("creditmesh.screening.imports.PART_BYTES", 100)
    one = imported(f"{HEAD}phone,13800138000,x,,,\nphone,{'1' * 200},x,,,\n")
    assert (one.state, one.problem) == (ImportState.REFUSED, ImportProblem(field="line", rule="too_long", line=3))


def test_a_file_that_changes_while_it_is_read_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("creditmesh.screening.imports.PART_BYTES", 100)
    one = begin(HEAD + "phone,13800138000,x,,,\n" * 20)
    wired.list_imports().read_part(one.import_id)
    put(HEAD + "phone,13800138001,x,,,\n" * 20, one.object_key)
    one = wired.list_imports().read_part(one.import_id)
    assert (one.state, one.problem) == (ImportState.REFUSED, ImportProblem(field="file", rule="changed_while_it_was_read"))  # fmt: skip  # noqa: E501


def test_a_list_that_has_shrunk_by_half_needs_a_word(world: World) -> None:
    imported(HEAD + "".join(f"phone,1380013800{number},x,,,\n" for number in range(5)))
    world.clock.advance(1)
    small = f"{HEAD}phone,13800138000,x,,,\nphone,13800138001,x,,,\n"
    one = imported(small)
    assert (one.state, one.problem) == (ImportState.REFUSED, ImportProblem(field="file", rule="less_than_half_of_the_earlier_one"))  # fmt: skip  # noqa: E501
    assert len(screen(("phone", "13800138004")).hits) == 1
    assert imported(small, allow_shrink=True).entries == 2
    assert screen(("phone", "13800138004")).hits == []


def test_an_older_import_does_not_take_the_place_of_a_later_one(world: World) -> None:
    older = begin(f"{HEAD}phone,13800138000,x,,,\n")
    world.clock.advance(1)
    imported(f"{HEAD}phone,13800138001,x,,,\n")
    late = carry_out(older)
    assert (late.state, late.problem) == (ImportState.REFUSED, ImportProblem(field="import", rule="a_later_one_is_in_force"))  # fmt: skip  # noqa: E501


def test_a_failed_import_changes_nothing_and_goes_on_where_it_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("creditmesh.screening.imports.PART_BYTES", 400)
    one = begin(HEAD + "".join(f"phone,1380013{number:04d},x,,,\n" for number in range(60)))
    half = wired.list_imports().read_part(one.import_id)
    failed = wired.list_imports().fail(one.import_id, "Lambda.Unknown")
    assert (failed.state, failed.problem) == (ImportState.FAILED, ImportProblem(field="import", rule="Lambda.Unknown"))
    assert wired.list_imports().read_part(one.import_id) == failed
    again = wired.list_imports().run(one.import_id, "officer-2")
    assert (again.state, again.read_bytes, again.attempt) == (ImportState.READING, half.read_bytes, 2)
    assert set(world.steps.executions) == {f"{one.import_id}-1", f"{one.import_id}-2"}
    assert carry_out(again).entries == 60
    with pytest.raises(ImportStateConflict):
        wired.list_imports().run(one.import_id, "officer-2")
    assert wired.list_imports().fail(one.import_id, "late").state is ImportState.PUBLISHED


def test_a_file_is_uploaded_first_where_none_is_named(world: World) -> None:
    new = NewImport(source="court", format="csv", list_name="black")
    one, url = wired.list_imports().create(new, "operator-1")
    assert (one.state, one.object_key) == (ImportState.AWAITING_FILE, f"lists/incoming/uploads/{one.import_id}")
    assert url is not None
    assert one.object_key in url
    with pytest.raises(InvalidInput):
        wired.list_imports().run(one.import_id, "officer-2")
    put(f"{HEAD}phone,13800138000,x,,,\n", one.object_key)
    published = carry_out(wired.list_imports().run(one.import_id, "officer-2"))
    assert (published.entries, published.created_by, published.run_by) == (1, "operator-1", "officer-2")
    assert next(iter(wired.list_journal().newest()))["by"] == "officer-2", "who had it read put it in force"


def test_running_it_twice_starts_one_process(world: World) -> None:
    one = begin(f"{HEAD}phone,13800138000,x,,,\n")
    assert wired.list_imports().run(one.import_id, "officer-2") == one
    assert list(world.steps.executions) == [f"{one.import_id}-1"]


def test_a_file_that_is_not_there_or_empty_is_refused_at_once(world: World) -> None:
    new = NewImport(source="court", format="csv", object_key="lists/incoming/none.csv")
    with pytest.raises(InvalidInput):
        wired.list_imports().create(new, "operator-1")
    with pytest.raises(InvalidInput):
        begin("")
    assert world.items("ListImports") == []
    with pytest.raises(NotFound):
        wired.list_imports().get("imp_none")


def test_of_two_lines_for_one_subject_the_later_counts(world: World) -> None:
    one = imported(f"{HEAD}taxpayer_id,{FIRM.taxpayer_id},debt,,,\ntaxpayer_id,{FIRM.taxpayer_id.lower()},fraud,,,\n")
    assert (one.accepted, one.entries) == (2, 1)
    assert [hit.reason_code for hit in screen(("taxpayer_id", FIRM.taxpayer_id)).hits] == ["fraud"]


def test_an_imported_entry_holds_for_its_time(world: World) -> None:
    imported(f"{HEAD}taxpayer_id,{FIRM.taxpayer_id},debt,,2026-11-22,2026-11-23\n")
    found = []
    for _ in range(3):
        found.append(hits())
        world.clock.advance(86400)
    assert found == [0, 1, 0]


@pytest.mark.parametrize("is_imported", [True, False])
def test_an_entry_holds_from_its_first_second_to_the_one_before_its_end(world: World, is_imported: bool) -> None:
    begins, ends = iso(NOW + timedelta(seconds=1)), iso(NOW + timedelta(seconds=3))
    if is_imported:
        imported(f"{HEAD}taxpayer_id,{FIRM.taxpayer_id},debt,,{begins},{ends}\n")
    else:
        enter(valid_from=begins, valid_until=ends)
    found = []
    for _ in range(4):
        found.append(hits())
        world.clock.advance(1)
    assert found == [0, 1, 1, 0]


def test_an_imported_entry_is_removed_by_two_and_stays_removed_in_the_next_import(world: World) -> None:
    text = f"{HEAD}taxpayer_id,{FIRM.taxpayer_id},debt,a debt,2026-01-01,\n"
    one = imported(text)
    (hit,) = screen(("taxpayer_id", FIRM.taxpayer_id)).hits
    entries = wired.list_entries()
    seen = entries.get(hit.entry_id)
    assert (seen.value, seen.text, seen.origin, seen.valid_from) == (FIRM.taxpayer_id, "a debt", Origin.IMPORTED, "2026-01-01T00:00:00.000Z")  # fmt: skip  # noqa: E501
    assert seen.history[0].parameters == {"import_id": one.import_id, "line": 2}
    entries.propose_removal(hit.entry_id, "operator-1", "another firm")
    assert hits() == 1
    removed = entries.decide_removal(hit.entry_id, "manager-2", confirm=True, note="seen")
    assert (removed.state, hits()) == (State.REMOVED, 0)
    world.clock.advance(1)
    imported(text)
    assert hits() == 0
    enter(source="court")
    assert hits() == 1, "entered again by a person, it counts again, and once"


def test_another_encoding(world: World) -> None:
    imported(f"{HEAD}name,{NAMED},debt,,,\n".encode("gb18030"), encoding="gb18030")
    assert name_score(screen(("name", NAMED))) == 10_000


@pytest.mark.parametrize(("code", "letter"), [(b"\xfe\x59", "龴"), (b"\xfe\x61", "龵"), (b"\xfe\x66", "龶"), (b"\xfe\x67", "龷"), (b"\xfe\x6d", "龸"), (b"\xfe\x51", "𠂇"), (b"\x82\x35\x90\x37", "龴")])  # fmt: skip  # noqa: E501
def test_two_byte_codes_mean_what_they_mean_since_2022(world: World, code: bytes, letter: str) -> None:
    line = f"{HEAD}name,?{NAMED},debt,,,\n".encode("gb18030").replace(b"?", code)
    imported(line, encoding="gb18030")
    assert name_score(screen(("name", f"{letter}{NAMED}"))) == 10_000


def test_a_mark_at_the_beginning_of_the_file_is_no_part_of_a_name(world: World) -> None:
    imported(f"\ufeff{HEAD}name,{NAMED},debt,,,\r\n")
    assert name_score(screen(("name", NAMED))) == 10_000


def name_score(found: Screening) -> int:
    return found.features["blacklist_name_score_bps"]


def test_what_is_imported_lies_sealed(world: World) -> None:
    one = imported(f"{HEAD}name,{NAMED},debt,,,\n")
    generation = f"lists/generations/{one.import_id}/"
    stored = {key: body for key, body in world.stack.documents().items() if key.startswith(generation)}
    assert len(stored) == 2
    assert all("天邦".encode() not in body for body in stored.values())
    moved = wired.data().get(f"{generation}index-1-{NORMAL_FORM}")
    wired.data().put("lists/generations/other/index-1", moved, "application/octet-stream")
    with pytest.raises(SealBroken):
        wired.list_generations().index("other", "1")


def test_an_imported_entry_whose_removal_was_refused_goes_with_its_import(world: World) -> None:
    imported(f"{HEAD}taxpayer_id,{FIRM.taxpayer_id},debt,,,\n")
    (hit,) = screen(("taxpayer_id", FIRM.taxpayer_id)).hits
    entries = wired.list_entries()
    entries.propose_removal(hit.entry_id, "operator-1", "another firm")
    refused = entries.decide_removal(hit.entry_id, "manager-2", confirm=False, note="the same")
    assert entries.get(hit.entry_id) == refused
    world.clock.advance(1)
    imported(f"{HEAD}taxpayer_id,{OTHER},debt,,,\n")
    with pytest.raises(NotFound):
        entries.get(hit.entry_id)


def test_without_an_index_nothing_is_looked_up_and_with_it_again(world: World) -> None:
    """A list that cannot be read lets nobody through."""
    one = imported(f"{HEAD}taxpayer_id,{FIRM.taxpayer_id},debt,,,\n")
    key = f"lists/generations/{one.import_id}/index-1-{NORMAL_FORM}"
    index = wired.data().get(key)
    wired.data().delete(key)
    wired.forget("list_keeper")
    wired.forget("lists")
    lists, subjects = wired.lists(), [Subject(kind=Kind.TAXPAYER_ID, value=FIRM.taxpayer_id)]
    for age in (0, 60):
        with pytest.raises(NotFound):
            lists.screen(subjects, max_age_seconds=age)
    wired.data().put(key, index, "application/octet-stream")
    assert len(lists.screen(subjects, max_age_seconds=60).hits) == 1
