"""Sources that send files (G12)."""

from __future__ import annotations

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
