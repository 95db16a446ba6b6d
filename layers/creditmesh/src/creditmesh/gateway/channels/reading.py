"""Parses the bytes of an answer: charset, format, schema. Answers are untrusted."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from functools import lru_cache
from typing import Any
from xml.parsers.expat import ExpatError

import xmltodict

from creditmesh.gateway.channels.document import Response
from creditmesh.gateway.channels.rules import validator
from creditmesh.kernel.errors import Unavailable

LONGEST_PATH = 200
DEEPEST = 64
"""Maximum nesting; later steps recurse."""


class Unreadable(Unavailable):
    """An answer breaks the channel's rules. `message` names the path and the rule, never a value."""

    code = "answer_unreadable"


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
        written = body.decode(response.charset).removeprefix("\ufeff")
    except UnicodeError:
        raise Unreadable(f"is not {response.charset}") from None
    try:
        document = _PARSERS[response.format](written, response)
    except RecursionError:
        raise Unreadable("is nested too deeply") from None
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
        raise Unreadable(f"{place}: breaks {rule}")


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise Unreadable("is nested too deeply")


def _inside(value: Any) -> list[Any]:
    """The lists and objects directly inside a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for one in inner if isinstance(one, dict | list)]


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    return validator(json.loads(schema))


def _json(written: str, _: Response) -> Any:
    try:
        # Decimals keep all digits of amounts sent as numbers.
        return json.loads(written, parse_float=Decimal, parse_constant=_refuse_constant)
    except ValueError:
        raise Unreadable("is not JSON") from None


def _refuse_constant(_: str) -> Any:
    raise ValueError("NaN and infinities are not JSON")


def _xml(written: str, response: Response) -> Any:
    try:
        return xmltodict.parse(
            _without_declaration(written), disable_entities=True, force_list=tuple(response.lists),
            postprocessor=_plain, attr_prefix="@",
        )  # fmt: skip
    except (ExpatError, ValueError):
        raise Unreadable("is not XML, or declares entities") from None


def _without_declaration(written: str) -> str:
    """The text is decoded already; a declared encoding would be applied a second time."""
    stripped = written.lstrip(" \t\r\n")
    return stripped.partition("?>")[2] if stripped.startswith("<?xml") else stripped


def _plain(_: Any, key: str, value: Any) -> Any:
    """Removes namespace prefixes and declarations."""
    if key.startswith("@xmlns"):
        return None
    return key.rpartition(":")[2] if not key.startswith("@") else key, value


def _csv(written: str, _: Response) -> Any:
    try:
        rows = list(csv.DictReader(io.StringIO(written, newline=""), strict=True))
    except csv.Error:
        raise Unreadable("is not CSV") from None
    if any(None in row for row in rows):
        raise Unreadable("has a row that is longer than its header")
    return {"rows": rows}


_PARSERS = {"json": _json, "xml": _xml, "csv": _csv}
