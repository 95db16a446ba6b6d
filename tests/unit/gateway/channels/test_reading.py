"""From bytes to third information; nothing in an answer is trusted (G08-G10)."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from creditmesh.gateway.channels.document import Response, Structure
from creditmesh.gateway.channels.reading import DEEPEST, Unreadable, check, parse, read
from creditmesh.gateway.channels.structure import MOST_VALUES, search, structured
from creditmesh.platform.http import Answer
from tests.unit.gateway.channels.engine import ORIGIN, Engine, channel

BOMB = b'<!DOCTYPE b [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><b>&b;</b>'
EXTERNAL = b'<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]><b>&a;</b>'


def response(**changes: Any) -> Response:
    return Response.model_validate(changes)


@pytest.mark.parametrize(
    ("changes", "body", "document"),
    [
        ({}, b'{"a": 1.10, "b": 12345678901234567890}', {"a": Decimal("1.10"), "b": 12345678901234567890}),
        ({}, "\ufeff[]".encode(), []),
        ({"charset": "gb18030"}, '{"名": "𠮷"}'.encode("gb18030"), {"名": "𠮷"}),
        ({"charset": "utf-16"}, '{"a": "名"}'.encode("utf-16"), {"a": "名"}),
        ({"format": "xml"}, b"<a><b>1</b></a>", {"a": {"b": "1"}}),
        ({"format": "xml"}, b'\xef\xbb\xbf<?xml version="1.0" encoding="gbk"?><a/>', {"a": ""}),
        (
            {"format": "xml", "charset": "gbk"}, '<?xml version="1.0" encoding="gbk"?><a>名</a>'.encode("gbk"),
            {"a": "名"},
        ),
        (
            {"format": "xml", "lists": ["b"]}, b'<s:a xmlns:s="urn:x" k="v"><s:b>1</s:b></s:a>',
            {"a": {"@k": "v", "b": ["1"]}},
        ),
        (
            {"format": "csv"}, "\ufeffid,名\r\n1,\"a\r\nb\"\r\n2,c\r\n".encode(),
            {"rows": [{"id": "1", "名": "a\r\nb"}, {"id": "2", "名": "c"}]},
        ),
    ],
)  # fmt: skip
def test_formats_and_charsets(changes: dict[str, Any], body: bytes, document: Any) -> None:
    assert read(response(**changes), body) == document


@pytest.mark.parametrize(
    ("changes", "body", "fault"),
    [
        ({}, b"\xff", "is not utf-8"),
        ({}, "{\"a\": \"名\"}".encode("gbk"), "is not utf-8"),
        ({"charset": "utf-16"}, b"abc", "is not utf-16"),
        ({"charset": "ascii"}, "名".encode(), "is not ascii"),
        ({}, b"", "is not JSON"),
        ({}, b'{"a": NaN}', "is not JSON"),
        ({}, b'{"a": Infinity}', "is not JSON"),
        ({}, b'{"a": 1', "is not JSON"),
        ({}, b"1" * 5000, "is not JSON"),
        ({}, b"[" * 100_000 + b"]" * 100_000, "is nested too deeply"),
        ({}, b"[" * 500 + b"]" * 500, "is nested too deeply"),
        ({}, b'{"a":' * 500 + b"1" + b"}" * 500, "is nested too deeply"),
        ({"format": "xml"}, b"<a>" * 100_000 + b"</a>" * 100_000, "is nested too deeply"),
        ({"format": "xml"}, b"<a>", "is not XML, or declares entities"),
        ({"format": "xml"}, b"", "is not XML, or declares entities"),
        ({"format": "xml"}, BOMB, "is not XML, or declares entities"),
        ({"format": "xml"}, EXTERNAL, "is not XML, or declares entities"),
        ({"format": "xml"}, b"<a>&undeclared;</a>", "is not XML, or declares entities"),
        ({"format": "csv"}, b'a,b\n1,"2\n', "is not CSV"),
        ({"format": "csv"}, b"a,b\n1,2,3\n", "has 3 cells instead of 2 in row 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(changes: dict[str, Any], body: bytes, fault: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        read(response(**changes), body)
    assert refusal.value.message == fault


def test_depth_is_bounded_and_no_less() -> None:
    nested = b"[" * DEEPEST + b"]" * DEEPEST
    assert parse(response(), nested)
    with pytest.raises(Unreadable):
        parse(response(), b"[" + nested + b"]")


SCHEMA = {
    "type": "object", "required": ["a"],
    "properties": {"a": {"type": "array", "maxItems": 2, "items": {"type": "string", "pattern": "^(x+)+$"}}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], "the answer: breaks type"),
        ({}, "the answer: breaks required"),
        ({"a": "secret"}, "a: breaks type"),
        ({"a": ["x", "x", "x"]}, "a: breaks maxItems"),
        ({"a": ["x", "secret"]}, "a.1: breaks pattern"),
        ({"a": ["x" * 40 + "secret"]}, "a.0: breaks pattern"),
    ],
)
def test_the_schema_names_place_and_rule_but_no_value(document: Any, fault: str) -> None:
    started = time.process_time()
    with pytest.raises(Unreadable) as refusal:
        check(response(schema=SCHEMA), document)
    assert refusal.value.message == fault
    assert time.process_time() - started < 1


def test_numbers_are_held_to_the_schema_with_all_digits() -> None:
    schema = {"properties": {"a": {"type": "integer"}, "b": {"type": "number", "maximum": 2}}}
    check(response(schema=schema), {"a": 10**30, "b": Decimal("1.99")})
    for document in ({"a": Decimal("1.5")}, {"b": Decimal("2.000000000000000000001")}):
        with pytest.raises(Unreadable):
            check(response(schema=schema), document)


RULES = [
    "sum(@)", "max_by(@, &a)", "join(',', @)", "a.b.c", "length(a)", "to_number(a)", "sort(a)", "a[?b > `1`]", "avg(a)",
    "merge(a, a)", "keys(a)", "reverse(a)", "starts_with(a, 'x')", "a[::0]", "not_a_function(a)", "abs(a)", "ceil(a)",
]  # fmt: skip
DOCUMENTS = [None, {}, [], {"a": None}, {"a": [1, "x", None]}, {"a": Decimal("1.5")}, {"a": {}}, {"a": "x"}, [[]], "x"]


@pytest.mark.parametrize("expression", RULES)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_rule_that_does_not_fit_finds_nothing_and_raises_nothing(expression: str, document: Any) -> None:
    search(expression, document)


def test_a_rule_cannot_make_more_of_an_answer_than_memory_holds() -> None:
    doubling = " | ".join(["{a: @, b: @}"] * 60)
    started = time.process_time()
    made = structured(Structure(rule=doubling), {"x": 1})
    assert (made.document, made.missing) == (None, ("@",))
    assert time.process_time() - started < 2
    assert structured(Structure(rule="{a: @}"), [1] * (MOST_VALUES - 10)).document


def test_amounts_keep_their_digits_to_the_end(engine: Engine) -> None:
    engine.http.routes["GET", ORIGIN] = lambda _: _answer(b'{"name": 12345678901234567.89, "n": 1e2}')
    assert engine.third(engine.collect(channel())) == {"name": "12345678901234567.89"}


def _answer(body: bytes) -> Answer:
    return Answer(200, body)
