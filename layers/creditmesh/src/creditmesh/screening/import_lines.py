"""Parses a source's file (CSV with a header, or JSON lines); each line is accepted, or rejected by a rule.

Pure. Fields: ``list`` (black, grey, white), ``kind``, ``value``, ``reason_code``, and optionally ``text``,
``valid_from``, ``valid_until`` (ISO 8601; a day means its beginning in the installation's zone). A line break always
ends a line, even within quotes.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache, partial
from typing import NamedTuple

from creditmesh.kernel.charsets import modern
from creditmesh.kernel.clock import parse_instant
from creditmesh.kernel.errors import InvalidInput
from creditmesh.kernel.identifiers import DamagedValue
from creditmesh.screening.import_model import Rejected
from creditmesh.screening.model import Kind, ListName
from creditmesh.screening.normalise import normalise
from creditmesh.screening.segment import NEVER
from creditmesh.screening.segment_builder import Row

FIELDS = ("list", "kind", "value", "reason_code", "text", "valid_from", "valid_until")
_REQUIRED = ("kind", "value", "reason_code")
_LONGEST = {"value": 400, "reason_code": 60, "text": 400}
_LISTS = {str(name): name for name in ListName}
_KINDS = {str(kind): kind for kind in Kind}
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which an escape in JSON can name."""
_SERIAL_DATE = re.compile(r"\d{5}(?:[.,]\d+)?", re.ASCII)
"""Days since 1900, as which spreadsheets store dates."""


class FileRefused(InvalidInput):
    """The file as a whole cannot be read."""

    code = "file_refused"

    def __init__(self, field: str, rule: str, line: int | None = None) -> None:
        super().__init__(rule, field=field)
        self.rule, self.line = rule, line


class Taken(NamedTuple):
    """An accepted line: its index keys, and what staff may see of it."""

    row: Row
    value: str
    text: str | None


class _Broken(Exception):
    def __init__(self, field: str, rule: str) -> None:
        self.field, self.rule = field, rule


def columns_of(line: str) -> list[str]:
    """Column names in the first line of a CSV file.

    Raises:
        FileRefused: a name is unknown, repeated or missing. An unknown one is told by its place, as it may be a value.
    """
    try:
        names = [name.strip() for name in next(csv.reader([line], strict=True), [])]
    except csv.Error:
        raise FileRefused("file", "head_line_is_no_csv", 1) from None
    for place, name in enumerate(names, 1):
        if name not in FIELDS:
            raise FileRefused(f"column {place}", "unknown_column", 1)
        if names.count(name) > 1:
            raise FileRefused(name, "column_comes_twice", 1)
    for name in _REQUIRED:
        if name not in names:
            raise FileRefused(name, "column_missing", 1)
    return names


class LineReader:
    """Reads the lines of one file.

    Args:
        columns: of a CSV file; None for JSON lines.
        list_name: the list of lines that do not name one.
        beginning: the first instant of a day.
    """

    def __init__(
        self,
        columns: Sequence[str] | None,
        encoding: str,
        list_name: ListName | None,
        beginning: Callable[[date], datetime],
    ) -> None:
        self._columns, self._encoding, self._list_name = columns, encoding, list_name
        self._seconds = lru_cache(maxsize=4096)(partial(_seconds, beginning))

    def read(self, lines: Sequence[bytes], first: int) -> Iterator[Taken | Rejected]:
        """Parse each non-empty line.

        Args:
            first: number of the first line in the file.
        """
        for number, raw in enumerate(lines, first):
            if not raw or raw.isspace():
                continue
            try:
                yield self._taken(number, self._fields(raw))
            except _Broken as broken:
                yield Rejected(line=number, field=broken.field, rule=broken.rule)

    def _fields(self, raw: bytes) -> dict[str, str]:
        try:
            text = modern(self._encoding, raw.decode(self._encoding))
        except UnicodeDecodeError:
            raise _Broken("line", f"not_{self._encoding.replace('-', '')}") from None
        return _from_json(text) if self._columns is None else _from_csv(text, self._columns)

    def _taken(self, number: int, given: dict[str, str]) -> Taken:
        for name in _REQUIRED:
            if not given.get(name):
                raise _Broken(name, "missing")
        for name, longest in _LONGEST.items():
            if len(given.get(name, "")) > longest:
                raise _Broken(name, "too_long")
        list_name = _LISTS.get(given["list"]) if given.get("list") else self._list_name
        if list_name is None:
            raise _Broken("list", "unknown_list" if given.get("list") else "missing")
        kind = _KINDS.get(given["kind"])
        if kind is None:
            raise _Broken("kind", "unknown_kind")
        try:
            value = normalise(kind, given["value"])
        except DamagedValue as damaged:
            raise _Broken("value", damaged.rule) from None
        except InvalidInput:
            raise _Broken("value", f"no_{kind}") from None
        begins, ends = self._second(given, "valid_from", 0), self._second(given, "valid_until", NEVER)
        if ends <= begins:
            raise _Broken("valid_until", "not_later_than_valid_from")
        row = Row(number, list_name, kind, value, given["reason_code"], begins, ends)
        return Taken(row, given["value"], given.get("text") or None)

    def _second(self, given: dict[str, str], name: str, default: int) -> int:
        if not (text := given.get(name)):
            return default
        try:
            return self._seconds(text)
        except (ValueError, OverflowError):  # the latter: before year 1 in UTC
            raise _Broken(name, "date_written_as_number" if _SERIAL_DATE.fullmatch(text) else "no_instant") from None


def _from_csv(text: str, columns: Sequence[str]) -> dict[str, str]:
    try:
        cells = next(csv.reader([text], strict=True), [])
    except csv.Error:
        raise _Broken("line", "no_csv") from None
    if len(cells) != len(columns):
        raise _Broken("line", "wrong_number_of_columns")
    return {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Broken("line", "field_comes_twice")
    return found


def _from_json(text: str) -> dict[str, str]:
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _Broken("line", "no_json") from None
    if not isinstance(found, dict):
        raise _Broken("line", "must_be_object")
    for name, value in found.items():
        if name not in FIELDS:
            raise _Broken("line", "unknown_field")
        if value is not None and not isinstance(value, str):
            raise _Broken(name, "must_be_text")
        if value and _SURROGATE.search(value):
            raise _Broken(name, "no_unicode")
    return {name: value.strip() for name, value in found.items() if value is not None}


def _seconds(beginning: Callable[[date], datetime], text: str) -> int:
    instant = beginning(date.fromisoformat(text)) if len(text) == 10 else parse_instant(text)
    seconds = int(instant.timestamp())
    if not 0 <= seconds < NEVER:
        raise ValueError("out of range")
    return seconds
