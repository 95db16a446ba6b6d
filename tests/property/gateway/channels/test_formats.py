"""Each parser of answers against what writes its format (G08): what is written is read, what is cut is not."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from creditmesh.gateway.channels.document import Response
from creditmesh.gateway.channels.exact_json import digits, dumped
from creditmesh.gateway.channels.expressions import search
from creditmesh.gateway.channels.reading import Unreadable, parse
from creditmesh.kernel.charsets import decoded

STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
DECIMALS = st.decimals(-(10**20), 10**20, places=6) | st.decimals(allow_nan=False, allow_infinity=False).filter(
    lambda value: value.as_tuple().exponent >= -100 and value.adjusted() < 100  # type: ignore[operator]
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**40), 10**40) | DECIMALS | STORABLE
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STORABLE, inner, max_size=4), max_leaves=12
)


def read(format_: str, body: bytes, **response: Any) -> Any:
    return parse(Response(format=format_, **response), body)  # type: ignore[arg-type]


@given(DOCUMENTS)
def test_json_is_read_as_it_was_written(document: Any) -> None:
    found = read("json", dumped({"a": document}).encode())["a"]
    assert dumped(found) == dumped(document), "to the digit"
    assert json.loads(dumped(document)) == json.loads(json.dumps(found, default=float))


@given(DOCUMENTS)
def test_json_that_is_cut_is_not_read(document: Any) -> None:
    body = dumped({"a": document}).encode()
    for end in range(len(body)):
        with pytest.raises(Unreadable):
            read("json", body[:end])


@given(st.lists(st.tuples(st.sampled_from("ab"), SCALARS), min_size=2, max_size=4))
def test_a_key_twice_is_a_fault_and_nothing_else_is(pairs: list[tuple[str, Any]]) -> None:
    body = "{" + ",".join(f'"{name}":{dumped(value)}' for name, value in pairs) + "}"
    if len(dict(pairs)) == len(pairs):
        assert read("json", body.encode()).keys() == dict(pairs).keys()
    else:
        with pytest.raises(Unreadable, match="twice"):
            read("json", body.encode())


@given(st.text(max_size=6), st.booleans())
@example("\ud83d\ude00", False)
def test_what_is_read_can_be_stored(text: str, as_key: bool) -> None:
    body = json.dumps({text: 1} if as_key else {"a": text}).encode()
    try:
        document = read("json", body)
    except Unreadable:
        assert "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)
    else:
        stored = json.dumps(document, ensure_ascii=False).encode()
        assert json.loads(stored) == document
        assert b"\\u0000" not in stored or "\\u0000" in text


@given(st.text("0123456789.eE+-", max_size=12) | st.text("19.e", max_size=130))
@example("1e99999999999999999999")
@example("-0")
def test_numbers_are_exact_or_refused(written: str) -> None:
    try:
        found = read("json", f"[{written}]".encode())
    except Unreadable:
        return
    if found:
        assert Decimal(found[0]) == Decimal(written)
        assert isinstance(found[0], int) or Decimal(digits(found[0])) == found[0]


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(1, 4))
    header = draw(st.lists(CELLS, min_size=width, max_size=width, unique=True))
    return [header, *draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=4))]


def written(table: list[list[str]], end: str = "\r\n") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    return text.getvalue()


@given(tables(), st.sampled_from(["\r\n", "\n", "\r"]))
def test_csv_is_read_as_it_was_written(table: list[list[str]], end: str) -> None:
    header, *rows = table
    body = b"\xef\xbb\xbf" + written(table, end).encode()
    assert read("csv", body) == {"rows": [dict(zip(header, row, strict=True)) for row in rows]}


@given(tables(), st.data())
def test_csv_that_is_cut_has_no_shorter_cell(table: list[list[str]], data: st.DataObject) -> None:
    """A cut between two rows cannot be seen; every other one is."""
    header, *rows = table
    whole = written(table)
    try:
        found = read("csv", whole[: data.draw(st.integers(0, len(whole) - 1))].encode())["rows"]
    except Unreadable:
        return
    assert found == [dict(zip(header, row, strict=True)) for row in rows[: len(found)]]


@given(tables(), st.integers(0, 3), st.booleans())
def test_csv_with_a_cell_more_or_less(table: list[list[str]], place: int, more: bool) -> None:
    assume(len(table) > 1)
    number = place % (len(table) - 1) + 1
    table[number] = [*table[number], "x"] if more else table[number][:-1]
    assume(table[number])
    with pytest.raises(Unreadable, match=f"in row {number + 1}$"):
        read("csv", written(table).encode())


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,4}", fullmatch=True)
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="\ufffe\uffff"), min_size=1,
    max_size=6,
)  # fmt: skip
ELEMENTS = st.recursive(
    st.none() | st.just("") | TEXTS,
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=8,
)
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def element(name: str, value: Any, prefix: str, attributes: str = "") -> str:
    """An element as XML Schema writes it."""
    opening = f"<{prefix}{name}{attributes}"
    if value is None:
        return f'{opening} i:nil="1"/>'
    if isinstance(value, dict):
        return f"{opening}>{''.join(element(*one, prefix) for one in value.items())}</{prefix}{name}>"
    return f'{opening} i:type="t">\n {escape(value)}\t</{prefix}{name}>'


@given(NAMES, ELEMENTS, st.sampled_from(["", "s:"]))
def test_xml_is_read_as_it_was_written(name: str, value: Any, prefix: str) -> None:
    declared = f' xmlns:s="urn:x" xmlns:i="{XSI}"'
    body = '<?xml version="1.0" encoding="gbk"?>' + element(name, value, prefix, declared)
    assert read("xml", body.encode()) == {name: value}
    for end in range(len(body)):
        with pytest.raises(Unreadable):
            read("xml", body[:end].encode())


@given(st.dictionaries(NAMES, TEXTS, min_size=1, max_size=3))
def test_attributes_are_read_as_they_were_written(attributes: dict[str, str]) -> None:
    assume("xmlns" not in attributes)
    body = "<a" + "".join(f" {name}={quoteattr(text)}" for name, text in attributes.items()) + "/>"
    assert read("xml", body.encode()) == {"a": {f"@{name}": text for name, text in attributes.items()}}


PRIVATE = st.characters(exclude_categories=["Cs", "Co"])


@given(st.text(PRIVATE, max_size=20), st.sampled_from(["gb18030", "gbk", "gb2312", "utf-8", "utf-16", "utf-32"]))
def test_text_is_decoded_as_it_was_encoded(text: str, label: str) -> None:
    assume(not text.startswith("\ufeff"))
    codec = "gb18030" if label.startswith("gb") else label
    assume(label != "utf-8" or text[:1] not in ("\ufffe", "\ufeff"))
    assert decoded(label, text.encode(codec)) == text


@given(st.text(st.characters(codec="gb2312"), max_size=20))
def test_the_larger_charset_reads_the_smaller_one(text: str) -> None:
    assume(not set(text) & set("・―"))  # the two that GBK has changed
    assert decoded("gb2312", text.encode("gb2312")) == text


@settings(max_examples=300)
@given(st.binary(max_size=12), st.sampled_from(["gbk", "gb18030", "utf-8", "big5", "iso-8859-1", "utf-16", "cp949"]))
def test_whatever_the_bytes_are_text_is_unicode_or_refused(content: bytes, label: str) -> None:
    try:
        text = decoded(label, content)
    except UnicodeError:
        return
    assert text.encode().decode() == text


AMOUNTS = st.lists(st.integers(-(10**30), 10**30) | DECIMALS, min_size=1, max_size=8)


@given(AMOUNTS)
def test_functions_over_numbers_are_those_of_fractions(amounts: list[int | Decimal]) -> None:
    """Against exact rational arithmetic."""
    exact = [Fraction(value) for value in amounts]
    assert Fraction(search("sum(@)", amounts)) == sum(exact)
    average = search("avg(@)", amounts)
    assert abs(Fraction(average) - sum(exact) / len(exact)) <= abs(sum(exact)) / 10**39
    assert Fraction(search("max(@)", amounts)) == max(exact)
    assert Fraction(search("min_by(@, &@)", amounts)) == min(exact)
    assert [Fraction(value) for value in search("sort(@)", amounts)] == sorted(exact)
    assert (search("[0] < [-1]", amounts), search("[0] == [-1]", amounts)) == (
        exact[0] < exact[-1], exact[0] == exact[-1],
    )  # fmt: skip
    assert [search(f"{name}([0])", amounts) for name in ("ceil", "floor")] == [
        -(-exact[0].numerator // exact[0].denominator), exact[0].numerator // exact[0].denominator,
    ]  # fmt: skip
    text = search("to_string([0])", amounts)
    assert Fraction(search("to_number(@)", text)) == exact[0] == Fraction(text)
    assert search(f"[0] == `{text}`", amounts) is True
