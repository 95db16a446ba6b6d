"""A source's raw answer, opened section by section; every oddity on the way becomes a finding (C10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TypeVar

from creditmesh.gateway import cleaning
from creditmesh.gateway.findings import Quality, SourceDataInvalid

T = TypeVar("T")
CURRENCY = "CNY"


class Row:
    """One object of an answer: reads its fields, notes what it cannot read."""

    def __init__(self, answer: Answer, path: str, fields: Mapping[str, object] | None) -> None:
        self._answer = answer
        self._path = path
        self._absent = fields is None
        self._fields: Mapping[str, object] = fields or {}

    def note(self, key: str, finding: str) -> None:
        """Record that a field's value was left unknown; of an absent section its absence says enough."""
        if not self._absent:
            self._answer.note(f"{self._path}.{key}", finding)

    def given(self, key: str) -> bool:
        """Whether the field has a value; null and the empty text are none."""
        return self._fields.get(key) not in (None, "")

    def amount(self, key: str, *, signed: bool = False) -> int | None:
        """An amount in minor units; a negative one is not known unless ``signed`` (C10)."""
        if not self._answer.currency_known:
            return None
        value = self._read(key, cleaning.read_minor)
        if value is not None and value < 0 and not signed:
            self.note(key, "negative")
            return None
        return value

    def count(self, key: str) -> int | None:
        """A whole number, zero or more."""
        return self._read(key, cleaning.read_count)

    def day(self, key: str) -> date | None:
        """A date."""
        return self._read(key, cleaning.read_date)

    def month(self, key: str) -> int | None:
        """A calendar month's index."""
        return self._read(key, cleaning.read_month)

    def flag(self, key: str) -> bool | None:
        """A boolean."""
        return self._read(key, cleaning.read_flag)

    def text(self, key: str) -> str | None:
        """A text with full-width forms made ordinary."""
        value = cleaning.folded(self._fields.get(key))
        if not value:
            self.note(key, "not_a_text" if self.given(key) else "missing")
        return value or None

    def choice(self, key: str, allowed: Sequence[str], *, optional: bool = False) -> str | None:
        """One of the allowed words, whatever its case and width."""
        if optional and not self.given(key):
            return None
        value = self._fields.get(key)
        found = {word.lower(): word for word in allowed}.get(cleaning.folded(value).lower())
        if found is None:
            self.note(key, "unknown_value" if self.given(key) else "missing")
        return found

    def optional_day(self, key: str) -> tuple[date | None, bool]:
        """A date that may be absent, and whether it is known (absent is known, unreadable is not)."""
        if not self.given(key):
            return None, True
        value = self.day(key)
        return value, value is not None

    def _read(self, key: str, reader: Callable[[object], tuple[T | None, str | None]]) -> T | None:
        if not self.given(key):
            self.note(key, "missing")
            return None
        value, finding = reader(self._fields[key])
        if finding == "rounded":
            self._answer.quality.add(f"{self._answer.source}.{self._path}.{key}", "info", finding)
        elif finding is not None:
            self.note(key, finding)
        return value


class Answer:
    """A source's answer.

    Raises:
        SourceDataInvalid: the answer, or a section given in it, is not of its shape.
    """

    def __init__(self, source: str, data: Mapping[str, object] | None, quality: Quality) -> None:
        if data is not None and not isinstance(data, Mapping):
            raise SourceDataInvalid(source, "", "must_be_object")
        self.source = source
        self.quality = quality
        self._data: Mapping[str, object] = data or {}
        self.available = data is not None
        self._missed: set[str] = set()
        if not self.available:
            quality.add(source, "error", "source_unavailable")
        self.currency_known = self._currency_known()

    def note(self, path: str, finding: str) -> None:
        """Record that something is not known."""
        self.quality.add(f"{self.source}.{path}", "warning", finding)

    def spoil(self, path: str, finding: str) -> None:
        """Record that a whole section is not known."""
        self.quality.add(f"{self.source}.{path}", "error", finding)

    def section(self, name: str) -> Row:
        """A section that is one object; an absent one reads as empty."""
        data = self._data.get(name)
        if data is None:
            self._missing(name)
            return Row(self, name, None)
        if not isinstance(data, Mapping):
            raise SourceDataInvalid(self.source, name, "must_be_object")
        return Row(self, name, data)

    def rows(self, name: str) -> list[Row] | None:
        """A section that is a list of objects; None where it is absent."""
        data = self._data.get(name)
        if data is None:
            self._missing(name)
            return None
        if isinstance(data, str | bytes) or not isinstance(data, Sequence):
            raise SourceDataInvalid(self.source, name, "must_be_array")
        for number, row in enumerate(data):
            if not isinstance(row, Mapping):
                raise SourceDataInvalid(self.source, f"{name}[{number}]", "must_be_object")
        return [Row(self, f"{name}[{number}]", row) for number, row in enumerate(data)]

    def _missing(self, name: str) -> None:
        if self.available and name not in self._missed:
            self._missed.add(name)
            self.spoil(name, "missing")

    def _currency_known(self) -> bool:
        if not self.available:
            return False
        value = self._data.get("currency")
        known = isinstance(value, str) and value.strip().upper() == CURRENCY
        if not known:
            self.spoil("currency", "wrong_currency" if value is not None else "missing")
        return known


def keyed(answer: Answer, name: str, key_of: Callable[[Row], T | None]) -> dict[T, Row] | None:
    """A section's rows by their key, the last of equal keys; None where the section is not known.

    A row whose key cannot be read might belong anywhere, so it makes the whole section unknown.
    """
    rows = answer.rows(name)
    if rows is None:
        return None
    found: dict[T, Row] = {}
    spoiled = False
    for number, row in enumerate(rows):
        key = key_of(row)
        if key is None:
            answer.spoil(f"{name}[{number}]", "key_unreadable")
            spoiled = True
            continue
        if key in found:
            answer.note(f"{name}[{number}]", "duplicate_period")
        found[key] = row
    return None if spoiled else found
