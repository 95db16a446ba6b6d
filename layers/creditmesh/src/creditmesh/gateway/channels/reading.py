"""Parses the bytes of an answer: charset, format, schema. Answers are untrusted."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from xml.parsers.expat import ExpatError

import xmltodict

from creditmesh.gateway.channels import exact_json
from creditmesh.gateway.channels.document import Response
from creditmesh.gateway.channels.rules import validator
from creditmesh.kernel.charsets import decoded
from creditmesh.kernel.reasons import Unusable

LONGEST_PATH = 160
DEEPEST = 64
"""Maximum nesting; later steps recurse."""
_XML_SPACE = " \t\r\n"
_NIL = "@xsi:nil"


class _Namespaces(dict[str, str]):
    def __missing__(self, uri: str) -> str:
        return ""


_NAMESPACES = _Namespaces({
    "http://www.w3.org/2001/XMLSchema-instance": "xsi", "http://www.w3.org/XML/1998/namespace": "xml",
})  # fmt: skip
"""Namespace -> prefix; names keep that of those two only, which tell about an element and are not part of its data."""


FAULTS = {
    **exact_json.FAULTS,
    "cells_differ": "has {cells} cells instead of {columns} in row {row}",
    "column_twice": "has a column twice",
    "ends_early": "ends within its last row",
    "nested_too_deeply": "is nested too deeply",
    "nil_not_boolean": "has an xsi:nil that is not a boolean",
    "nil_with_content": "has a nil element with content",
    "no_header": "has no header",
    "no_key_column": "has no column of the key",
    "no_list": "{path}: must be a list on each page",
    "not_csv": "is not CSV",
    "not_in_charset": "is not {charset}",
    "not_json": "is not JSON",
    "not_xml": "is not XML, or declares entities",
    "schema_broken": "{path}: breaks {rule}",
}
"""Why an answer or a file cannot be read: sentences by code."""


class Unreadable(Unusable):
    """An answer breaks the channel's rules. `message` names the path and the rule, never a value."""

    code = "answer_unreadable"
    SENTENCES = FAULTS


def read(response: Response, body: bytes) -> Any:
    """The document in an answer.

    Raises:
        Unreadable: wrong charset, not of its format, or not of its schema.
    """
    document = parse(response, body)
    check(response, document)
    return document


def parse(response: Response, body: bytes) -> Any:
    """The document, not yet checked against its schema."""
    try:
        written = decoded(response.charset, body)
    except UnicodeError:
        raise Unreadable("not_in_charset", charset=response.charset) from None
    try:
        document = _PARSERS[response.format](written, response)
    except RecursionError:
        raise Unreadable("nested_too_deeply") from None
    _check_depth(document)
    return document


def check(response: Response, document: Any) -> None:
    """Validate a document against the channel's schema.

    Raises:
        Unreadable: naming the path and the rule.
    """
    if not response.schema_:
        return
    for error in _validator(json.dumps(response.schema_, sort_keys=True)).iter_errors(document):
        place = ".".join(map(str, error.instance_path))[:LONGEST_PATH] or "the answer"
        rule = str(list(error.schema_path)[-1]) if error.schema_path else "schema"
        raise Unreadable("schema_broken", path=place, rule=rule)


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise Unreadable("nested_too_deeply")


def _inside(value: Any) -> list[Any]:
    """The lists and objects directly inside a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for one in inner if isinstance(one, dict | list)]


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    return validator(json.loads(schema))


def _json(written: str, _: Response) -> Any:
    try:
        return exact_json.parsed(written)
    except exact_json.NotExact as error:
        raise Unreadable(error.fault) from None
    except ValueError:
        raise Unreadable("not_json") from None


def _xml(written: str, response: Response) -> Any:
    try:
        return xmltodict.parse(
            _without_declaration(written), disable_entities=True, force_list=tuple(response.lists),
            postprocessor=_plain,  # type: ignore[arg-type]
            attr_prefix="@", process_namespaces=True, namespaces=_NAMESPACES,
        )  # fmt: skip
    except (ExpatError, ValueError):
        raise Unreadable("not_xml") from None


def _without_declaration(written: str) -> str:
    """The text is decoded already; a declared encoding would be applied a second time."""
    stripped = written.lstrip(_XML_SPACE)
    return stripped.partition("?>")[2] if stripped.startswith("<?xml") else stripped


def _plain(_: Any, key: str, value: Any) -> tuple[str, Any] | None:
    """An attribute or element as read; None if it is no data."""
    if key == "@xmlns" or key.startswith(("@xml:", "@xsi:")) and key != _NIL:
        return None
    if key == _NIL:
        return (key, True) if _boolean(value) else None
    if isinstance(value, dict) and _NIL in value:
        if any(not name.startswith("@") for name in value):
            raise Unreadable("nil_with_content")
        return key, None
    # An empty element is an empty text; only a nil one is nothing.
    return key, "" if value is None else value.strip(_XML_SPACE) if isinstance(value, str) else value


def _boolean(written: str) -> bool:
    """A boolean of XML Schema."""
    found = {"true": True, "1": True, "false": False, "0": False}.get(written.strip(_XML_SPACE))
    if found is None:
        raise Unreadable("nil_not_boolean")
    return found


def _csv(written: str, response: Response) -> Any:
    return {"rows": list(csv_rows(io.StringIO(written, newline=""), open_end=response.open_end))}


def csv_rows(lines: Iterable[str], *, open_end: bool) -> Iterator[dict[str, str]]:
    """The rows of a CSV text by its header.

    Args:
        lines: with their line breaks; empty ones count, but are no rows.
        open_end: the last line may lack its line break.

    Raises:
        Unreadable: with the row's number; the header is row 1.
    """
    numbered = enumerate(csv.reader(_complete(lines, open_end=open_end), strict=True), 1)
    rows = ((number, row) for number, row in numbered if row)  # without empty lines
    try:
        _, header = next(rows, (0, []))
        if not header:
            raise Unreadable("no_header")
        if len(set(header)) < len(header):
            raise Unreadable("column_twice")
        for number, row in rows:
            if len(row) != len(header):
                raise Unreadable("cells_differ", cells=len(row), columns=len(header), row=number)
            yield dict(zip(header, row, strict=True))
    except csv.Error:
        raise Unreadable("not_csv") from None


def _complete(lines: Iterable[str], *, open_end: bool) -> Iterator[str]:
    """The lines, if all are there.

    The transport cannot always tell that a text was cut; a shortened last cell may still be an amount.
    """
    line = "\n"
    for line in lines:
        if "\0" in line:
            raise Unreadable("not_text")
        yield line
    if not open_end and not line.endswith(("\n", "\r")):
        raise Unreadable("ends_early")


_PARSERS = {"json": _json, "xml": _xml, "csv": _csv}
