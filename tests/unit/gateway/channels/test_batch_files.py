"""Sources that send files (G12)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from creditmesh.gateway.channels.document import Channel, Outcome
from creditmesh.kernel.clock import FixedClock
from creditmesh.platform.objects import Objects, ObjectTooLarge
from tests.support import aws
from tests.unit.gateway.channels.engine import FIRM, Engine, channel


@pytest.fixture
def engine(aws_stack: aws.Stack) -> Engine:
    """With the machine's time: S3 dates its objects itself."""
    aws_stack.empty()
    return Engine(aws_stack, FixedClock(datetime.now(UTC)))


def listed(**changes: Any) -> Channel:
    transport = {"type": "batch_file", "prefix": "daily/list-", "format": "csv", "key_column": "id", "oldest_days": 2}
    more = {name: changes.pop(name) for name in ("response", "fields", "cost") if name in changes}
    return channel(
        transport={**transport, **changes}, authentication={"type": "none"}, base_url=None,
        structure={"rule": "{file: file, rows: rows}", "complete": ["rows"]}, **more,
    )  # fmt: skip


def drop(engine: Engine, name: str, content: str | bytes) -> None:
    body = content.encode() if isinstance(content, str) else content
    engine.objects.put(f"incoming/source/{name}", body, "text/plain")


def test_the_firms_rows_of_the_newest_file(engine: Engine) -> None:
    drop(engine, "daily/list-2026-11-20.csv", f"id,level\n{FIRM},old\n")
    drop(engine, "daily/list-2026-11-21.csv", f"id,level\n{FIRM},new\nother,x\n{FIRM},newer\n")
    drop(engine, "other/list-2026-11-22.csv", f"id,level\n{FIRM},elsewhere\n")
    result = engine.collect(listed())
    rows = [{"id": FIRM, "level": "new"}, {"id": FIRM, "level": "newer"}]
    assert engine.third(result) == {"file": "list-2026-11-21.csv", "rows": rows}
    assert b"other" not in engine.objects.get(result.raw_keys[0]), "of other firms nothing is kept"
    assert engine.health_of(listed()).calls == 0


def test_json_lines_to_the_digit(engine: Engine) -> None:
    lines = f'{{"id": "{FIRM}", "amount": 12345678901234567.10, "text": "a\u2028b\x85c"}}\n\n{{"id": 7}}\r\n'
    drop(engine, "daily/list-1.jsonl", lines)
    result = engine.collect(listed(format="jsonl"))
    assert engine.third(result)["rows"] == [{"id": FIRM, "amount": "12345678901234567.10", "text": "a\u2028b\x85c"}]


@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "utf-16"])
def test_charsets_and_byte_order_marks(engine: Engine, charset: str) -> None:
    drop(engine, "daily/list-1.csv", f"\ufeffid,名\r\n{FIRM},字\r\n".encode(charset))
    result = engine.collect(listed(response={"charset": charset}))
    assert engine.third(result)["rows"] == [{"id": FIRM, "名": "字"}]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "written",
    [
        f"{FIRM}\t", f" {FIRM}", f"{FIRM}\u00a0", f"\u200b{FIRM}", f"{FIRM}\u3000", f"'{FIRM}", f"{FIRM.lower()}",
        "９１９９００００６０００００００１Ｘ", f"{FIRM[:6]} {FIRM[6:]}", f"{FIRM[:8]}-{FIRM[8:]}", f"={FIRM}",
        f"\ufeff{FIRM}",
    ],
)  # fmt: skip
def test_a_key_as_people_and_spreadsheets_write_it(engine: Engine, form: str, written: str) -> None:
    row = {"id": written, "level": "x"}
    text = json.dumps(row) if form == "jsonl" else f'id,level\nother,y\n"{written}",x'
    drop(engine, "daily/list-1", f"{text}\n")
    assert engine.third(engine.collect(listed(format=form)))["rows"] == [row]


@pytest.mark.parametrize(
    "written", [f"{FIRM[:-1]}", f"{FIRM}1", f"{FIRM[:-1]}0", f"{FIRM[:5]}.{FIRM[5:]}", f"{FIRM}/{FIRM}", "", "#N/A"]
)
def test_another_key_is_another_firms(engine: Engine, written: str) -> None:
    drop(engine, "daily/list-1.csv", f"id,level\n{written},x\n")
    assert engine.collect(listed()).outcome is Outcome.INCOMPLETE


@pytest.mark.parametrize("written", ["9.199E+17", "919900006000000000.00", "9.19900006E17", "######", "#N/A"])
def test_a_key_that_a_spreadsheet_has_shortened_may_be_the_firms(engine: Engine, written: str) -> None:
    drop(engine, "daily/list-1.csv", f"id,level\nother,y\n{written},x\n")
    result = engine.collect(listed(), "919900006000000015")
    assert (result.outcome, str(result.reason)[:29]) == ("unavailable", "the file has a value in id th")
    assert engine.collect(listed(), FIRM).outcome is Outcome.INCOMPLETE, "it ends with a letter"


@pytest.mark.parametrize(("written", "rows"), [("12-3 ", 1), ("\t12-3", 1), ("123", 0), ("1-23", 0), ("12 -3", 0)])
def test_a_key_of_the_source_itself_keeps_its_signs(engine: Engine, written: str, rows: int) -> None:
    drop(engine, "daily/list-1.csv", f"id,level\n{written},x\n")
    one = listed(key="customer", fields={"taxpayer_id": {}, "customer": {}})
    result = engine.collect(one, customer="12-3")
    assert len((engine.third(result) if rows else {"rows": []})["rows"]) == rows
    assert (result.outcome is Outcome.COMPLETE) is bool(rows)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (f"id,x\n{FIRM},100000", "ends within its last row"),
        (f'id,x\n{FIRM},"100000', "ends within its last row"),
        (f"id,x\n{FIRM}\n", "has 1 cells instead of 2 in row 2"),
        (f"id,x\nother,1\n\n{FIRM},1,2\n", "has 3 cells instead of 2 in row 4"),
        (f"id,x,x\n{FIRM},1,2\n", "has a column twice"),
        (f"id,x\n{FIRM},a\0b\n", "has text that is not Unicode, or a NUL"),
    ],
)
def test_a_damaged_file_is_not_read_for_less(engine: Engine, content: str, fault: str) -> None:
    drop(engine, "daily/list-1.csv", content)
    result = engine.collect(listed())
    assert (result.outcome, result.reason) == ("unavailable", f"the file {fault}")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('"x": "\\ud83d"', "has text that is not Unicode, or a NUL"),
        ('"x": "\\u0000"', "has text that is not Unicode, or a NUL"),
        ('"x": 1, "x": 2', "has an object with a key twice"),
        ('"x": 1e400', "has a number out of range"),
        ('"x": 100', "cannot be read as jsonl"),
    ],
)
def test_a_damaged_line_of_json(engine: Engine, line: str, fault: str) -> None:
    end = "" if fault.endswith("jsonl") else "}\n"
    drop(engine, "daily/list-1.jsonl", f'{{"id": "other", {line}{end}')
    result = engine.collect(listed(format="jsonl"))
    assert (result.outcome, result.reason) == ("unavailable", f"the file {fault}")


@pytest.mark.parametrize(
    ("label", "name"), [("gbk", "镕䶮"), ("gb2312", "\u9fb4"), ("gb18030", "𠮷"), ("utf-8", "\ue81e")]
)
def test_files_in_charsets_as_their_sources_label_them(engine: Engine, label: str, name: str) -> None:
    charset = "utf-8" if label == "utf-8" else "gb18030"
    content = f"id,n\n{FIRM},{name}\n".encode(charset).replace(b"\x82\x35\x90\x37", b"\xfe\x59")
    drop(engine, "daily/list-1.csv", content)
    assert engine.third(engine.collect(listed(response={"charset": label})))["rows"] == [{"id": FIRM, "n": name}]


def test_only_the_file_has_a_byte_order_mark(engine: Engine) -> None:
    drop(engine, "daily/list-1.csv", f"\ufeffn,id\n\ufeffx,{FIRM}\n")
    assert engine.third(engine.collect(listed()))["rows"] == [{"n": "\ufeffx", "id": FIRM}]


def test_who_is_not_in_the_file(engine: Engine) -> None:
    drop(engine, "daily/list-1.csv", "id,level\nother,x\n,empty\n")
    assert engine.collect(listed()).outcome is Outcome.INCOMPLETE
    refusals = [{"status": 200, "path": "rows && 'known' || 'unknown'", "reasons": ["unknown"], "outcome": "no_data"}]
    assert engine.collect(listed(response={"refusals": refusals})).outcome is Outcome.NO_DATA


@pytest.mark.parametrize(
    ("changes", "content", "reason"),
    [
        ({}, None, "has delivered no file"),
        ({}, b"id,x\n\xff,1", "the file cannot be read as csv"),
        ({}, 'id,x\n1,"2', "the file ends within its last row"),
        ({}, f"id,x\n{FIRM},1,2\n", "the file has 3 cells instead of 2 in row 2"),
        ({}, f"other,x\n{FIRM},1\n", "the file has no column of the key"),
        ({}, "", "the file has no header"),
        ({"format": "jsonl"}, "{", "the file cannot be read as jsonl"),
        ({"format": "jsonl"}, "[]", "the file cannot be read as jsonl"),
        ({"format": "jsonl"}, "[" * 100_000, "the file cannot be read as jsonl"),
        ({"format": "jsonl"}, f'{{"id": "{FIRM}", "x": NaN}}', "the file cannot be read as jsonl"),
    ],
)
def test_what_cannot_be_read_is_named(engine: Engine, changes: Any, content: Any, reason: str) -> None:
    if content is not None:
        drop(engine, "daily/list-1", content)
    result = engine.collect(listed(**changes))
    assert (result.outcome, result.reason) == ("unavailable", reason)


def test_too_old_a_file_is_no_file(engine: Engine) -> None:
    drop(engine, "daily/list-1.csv", f"id\n{FIRM}\n")
    engine.clock.at += timedelta(days=2, seconds=-5)
    assert engine.collect(listed()).outcome is Outcome.COMPLETE
    engine.clock.at += timedelta(seconds=10)
    assert engine.collect(listed()).reason == "the newest file is too old"


def test_too_large_a_file_is_not_read(engine: Engine) -> None:
    drop(engine, "daily/list-1.csv", b"id\n" + b"x" * (64 * 1024 * 1024))
    result = engine.collect(listed())
    assert (result.outcome, result.reason) == ("unavailable", "the file is too large: has more than 67108864 bytes")


class Unread:
    """The content of an object that is larger than a function's memory."""

    closed = False

    def close(self) -> None:
        self.closed = True


class Huge:
    """An S3 client whose objects have 5 GB each."""

    def __init__(self, client: Any) -> None:
        self._client, self.content = client, Unread()

    def get_object(self, **_: Any) -> Any:
        return {"ContentLength": 5 * 1024**3, "Body": self.content}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def test_of_too_large_a_file_not_one_byte_is_loaded(engine: Engine) -> None:
    drop(engine, "daily/list-1.csv", f"id\n{FIRM}\n")
    s3 = Huge(engine.stack.clients["s3"])
    engine.objects = Objects(s3, engine.stack.refs["DataBucket"])  # type: ignore[misc, arg-type]
    result = engine.collect(listed(cost={"amount": "1.00"}))
    assert (result.outcome, result.reason) == ("unavailable", "the file is too large: has more than 67108864 bytes")
    assert s3.content.closed
    assert (engine.stored_calls()[0]["state"], engine.health_of(listed()).calls) == ("failed", 0)


def test_a_file_of_the_largest_size_is_read(engine: Engine) -> None:
    drop(engine, "daily/list-1.csv", f"id\n{FIRM}\n")
    name, size = "incoming/source/daily/list-1.csv", len(f"id\n{FIRM}\n")
    assert engine.objects.get(name, at_most=size)
    with pytest.raises(ObjectTooLarge):
        engine.objects.get(name, at_most=size - 1)
