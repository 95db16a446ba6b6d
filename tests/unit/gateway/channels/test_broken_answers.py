"""Answers that are cut, contradict themselves or cannot be stored: one outcome, one call (F7, F14, F18)."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest

from creditmesh.gateway.channels.catalogue import ChannelVersion
from creditmesh.gateway.channels.document import Channel, Outcome, Response
from creditmesh.gateway.channels.reading import Unreadable, read
from creditmesh.gateway.channels.results import result_of
from creditmesh.platform.http import Answer
from tests.unit.gateway.channels.engine import FIRM, ORIGIN, Engine, body, channel
from tests.unit.gateway.channels.test_dry_run import run
from tests.unit.gateway.channels.test_late_answers import late

NOT_UNICODE = "has text that is not Unicode, or a NUL"
TWICE = "has an object with a key twice"
RANGE = "has a number out of range"
UNREADABLE_JSON = [
    (rb'{"name": "\u597d\ud83d"}', NOT_UNICODE),
    (rb'{"name": "\ude00\ud83d"}', NOT_UNICODE),
    (rb'{"name": "x", "\uD83D": 1}', NOT_UNICODE),
    (rb'{"name": ["x", {"y": "\udfff"}]}', NOT_UNICODE),
    (rb'{"name": "a\u0000b"}', NOT_UNICODE),
    (b'{"name": "\xed\xa0\xbd"}', "is not utf-8"),
    (b'{"name": "\xc0\x80"}', "is not utf-8"),
    (b'{"name": "\xff"}', "is not utf-8"),
    (b'{"name": "\x00"}', "is not JSON"),
    (b'{"name": "x", "name": "x"}', TWICE),
    (b'{"name": {"a": 1, "b": 2, "a": 1}}', TWICE),
    (rb'{"name": 1, "\u006eame": 2}', TWICE),
    (b'{"name": 1e400}', RANGE),
    (b'{"name": -1E100}', RANGE),
    (b'{"name": 1e-101}', RANGE),
    (b'{"name": 1e99999999999999999999}', RANGE),
    (b'{"name": NaN}', "is not JSON"),
    (b'{"name": -Infinity}', "is not JSON"),
    (b'{"name": 01}', "is not JSON"),
    (b'{"name": ' + b"9" * 5000 + b"}", "is not JSON"),
    (b'{"name": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "is nested too deeply"),
    (b'{"name": "x"', "is not JSON"),
    (b"", "is not JSON"),
]
UNREADABLE_CSV = [
    (b"name,name\nx,y\n", "has a column twice"),
    (b"name,,\nx,,\n", "has a column twice"),
    (b"name,a\nx\n", "has 1 cells instead of 2 in row 2"),
    (b"name,a\nx,1\n\ny,2,3\n", "has 3 cells instead of 2 in row 4"),
    (b'name,a\n"x\ny",1\nz\n', "has 1 cells instead of 2 in row 3"),
    (b"name,a\nx,100000", "ends within its last row"),
    (b'name,a\nx,"100000', "ends within its last row"),
    (b'name,a\nx,"100000\n', "is not CSV"),
    (b"name,a", "ends within its last row"),
    (b"name\nx\x00\n", NOT_UNICODE),
    (b"", "has no header"),
    (b"\n\n", "has no header"),
]


@pytest.mark.parametrize(("answer", "fault"), UNREADABLE_JSON)
def test_json(answer: bytes, fault: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        read(Response(), answer)
    assert refusal.value.message == fault


@pytest.mark.parametrize(("answer", "fault"), UNREADABLE_CSV)
def test_csv(answer: bytes, fault: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        read(Response(format="csv"), answer)
    assert refusal.value.message == fault


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (rb'"\ud83d\ude00"', "😀"), (rb'"\\ud83d"', r"\ud83d"), (rb'"\\u0000"', r"\u0000"), (b"-0", 0),
        ('{"😀": 1}'.encode(), {"😀": 1}),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"123456789012345678901234567890.12", Decimal("123456789012345678901234567890.12")),
        (b"1e99", Decimal("1e99")), (b"1e-100", Decimal("1e-100")), (b"-0.00", Decimal("0")),
        (b"[" * 63 + b"]" * 63, json.loads("[" * 63 + "]" * 63)),
    ],
)  # fmt: skip
def test_what_is_unusual_and_clear_is_read(written: bytes, value: Any) -> None:
    assert read(Response(), b'{"a": ' + written + b"}") == {"a": value}


@pytest.mark.parametrize(
    ("answer", "rows"),
    [
        (b"id,a\r1,x\r2,y\r", [{"id": "1", "a": "x"}, {"id": "2", "a": "y"}]),
        (b"\nid,a\n\n1,x\n\n", [{"id": "1", "a": "x"}]),
        (b'id,a\n1,"x\n\ny"\n', [{"id": "1", "a": "x\n\ny"}]),
        (b"id,a\n1,\n", [{"id": "1", "a": ""}]),
        (b"id,a\n", []),
    ],
)
def test_rows(answer: bytes, rows: Any) -> None:
    assert read(Response(format="csv"), answer) == {"rows": rows}


def test_a_source_may_be_known_to_leave_the_last_row_open() -> None:
    assert read(Response(format="csv", open_end=True), b"id,a\n1,x") == {"rows": [{"id": "1", "a": "x"}]}


def paid(**changes: Any) -> Channel:
    return channel(
        **{"transport": {"type": "rest", "path": "/firms"}, "cost": {"amount": "2.50"}, "cache_seconds": 600, **changes}
    )


BROKEN = [("json", *one) for one in UNREADABLE_JSON] + [("csv", *one) for one in UNREADABLE_CSV]


@pytest.mark.parametrize(("form", "answer", "fault"), BROKEN)
def test_a_charged_source_is_asked_once(engine: Engine, form: str, answer: bytes, fault: str) -> None:
    engine.http.routes["POST", ORIGIN] = lambda _: Answer(200, answer)
    one = paid(response={"format": form})
    results = [engine.collect(one, by=by) for by in ("app-1", "app-1", "app-2")]
    assert {(result.outcome, result.reason) for result in results} == {(Outcome.UNAVAILABLE, f"answer {fault}")}
    assert len(engine.http.calls) == 1
    assert engine.objects.get(results[0].raw_keys[0]) == answer, "kept as evidence"
    assert (engine.stored_calls()[0]["state"], engine.health_of(one).cost) == ("answered", "2.50")


@pytest.mark.parametrize(("answer", "fault"), UNREADABLE_JSON)
def test_a_dry_run_says_the_same(engine: Engine, answer: bytes, fault: str) -> None:
    made = run(engine, channel(), pages_base64=[base64.b64encode(answer).decode()])
    assert made.outcome == "unavailable"
    assert [step.detail for step in made.steps[-2:]] == [f"answer {fault}"] * 2


@pytest.mark.parametrize(
    "name",
    [rb'"\u597d\ud83d"', rb'"\u0000"', rb'{"\udc00": 1}', b"1e400", rb'"x", "name": "y"'],
)
def test_a_late_answer_is_told_once_though_it_cannot_be_read(engine: Engine, name: bytes) -> None:
    engine.consents.grant(FIRM, "some_scope")
    engine.http.answer("POST", ORIGIN, 202, {})
    one = late()
    pending = engine.collect(one)
    engine.wait("token-1", pending)
    id_ = str(pending.request_id).encode()
    message = b'{"type": "report.ready", "data": {"id": "' + id_ + b'", "report": {"name": ' + name + b"}}}"
    known = [ChannelVersion(one, 1)]
    assert [engine.late.receive(known, "report.ready", message) for _ in range(2)] == [True, False]
    found = result_of(one, engine.record(pending))
    assert (found.outcome, str(found.reason)[:11], found.raw_keys != []) == ("unavailable", "answer has ", True)
    assert engine.steps.succeeded == {"token-1": {}}
    assert (engine.collect(one, by="app-2").reason, len(engine.http.calls)) == (found.reason, 1)


@pytest.mark.parametrize(("answer", "fault"), UNREADABLE_JSON[:5])
def test_an_answer_read_by_an_earlier_release_is_not_read_for_more(
    engine: Engine, answer: bytes, fault: str
) -> None:  # fmt: skip
    """Its raw bytes lie stored as they came."""
    engine.http.routes["POST", ORIGIN] = lambda _: Answer(200, body({"name": "made up"}))
    first = engine.collect(paid())
    engine.objects.put(first.raw_keys[0], answer, "application/octet-stream")
    again = engine.collect(paid(structure={"rule": "{name: name, x: x}", "complete": ["name"]}), version=2)
    assert (again.outcome, again.reason) == ("unavailable", f"answer {fault}")
    assert len(engine.http.calls) == 1
