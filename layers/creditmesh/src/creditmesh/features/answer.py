"""Reads a source's answer section by section and notes every irregularity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from functools import partial
from typing import TypeVar

from creditmesh.features import cleaning
from creditmesh.features.cleaning import plain_day, plain_minor, plain_month
from creditmesh.features.findings import NO_VALUES, Quality, SourceDataInvalid

T = TypeVar("T")
CURRENCY = "CNY"
# More rows than any small firm has; also keeps every sum of the features within 64 bits.
MAX_ROWS = 5_000


class Row:
    """One object of an answer: reads its fields and notes those that it cannot read.

    Values in the usual notation take a short path; all others go through ``_read``.
    """

    __slots__ = ("_answer", "_money_known", "_name", "_number", "fields", "present")

    def __init__(
        self, answer: Answer, name: str, fields: Mapping[str, object] | None, number: int | None = None
    ) -> None:
        self._answer = answer
        self._name = name
        self._number = number
        self.present = fields is not None
        self.fields: Mapping[str, object] = fields or {}
        self._money_known = answer.currency_known and (
            "currency" not in self.fields or is_yuan(self.fields["currency"])
        )

    @property
    def path(self) -> str:
        return self._name if self._number is None else f"{self._name}[{self._number}]"

    def path_of(self, key: str) -> str:
        return f"{self.path}.{key}" if self._name else key

    def note(self, key: str, finding: str) -> None:
        """Note that a field's value is unknown; fields of an absent section are not noted."""
        if self.present:
            self._answer.note(self.path_of(key), finding)

    def given(self, key: str) -> bool:
        return self.fields.get(key) not in (None, "")

    def amount(self, key: str, *, signed: bool = False) -> int | None:
        """An amount in minor units; a negative one is unknown unless ``signed``."""
        if not self._money_known:
            if self._answer.currency_known:
                self.note(key, "wrong_currency")
            return None
        written = self.fields.get(key)
        value = plain_minor(written) if type(written) is str else None
        if value is None:
            value = self._read(key, cleaning.read_minor)
        if value is not None and value < 0 and not signed:
            self.note(key, "negative")
            return None
        return value

    def count(self, key: str, most: int = cleaning.MAX_COUNT) -> int | None:
        written = self.fields.get(key)
        if type(written) is int and 0 <= written <= most:
            return written
        value = self._read(key, cleaning.read_count)
        if value is not None and value > most:
            self.note(key, "out_of_range")
            return None
        return value

    def hundredths(self, key: str, most: int) -> int | None:
        """A number with two decimals from zero to ``most``, times 100."""
        value = self._read(key, cleaning.read_minor)
        if value is not None and not 0 <= value <= most:
            self.note(key, "out_of_range")
            return None
        return value

    def day(self, key: str) -> int | None:
        written = self.fields.get(key)
        if type(written) is str and (value := plain_day(written)) is not None:
            return value
        return self._read(key, self._answer.read_day)

    def month(self, key: str) -> int | None:
        written = self.fields.get(key)
        if type(written) is str and (value := plain_month(written)) is not None:
            return value
        return self._read(key, cleaning.read_month)

    def flag(self, key: str) -> bool | None:
        written = self.fields.get(key)
        return written if type(written) is bool else self._read(key, cleaning.read_flag)

    def text(self, key: str) -> str | None:
        """A text with full-width forms converted, or a digest of a long one."""
        value = cleaning.read_text(self.fields.get(key))
        if value is None:
            self.note(key, "not_a_text" if self.given(key) else "missing")
        return value

    def choice(self, key: str, allowed: Sequence[str], *, optional: bool = False) -> str | None:
        """The allowed word that the field matches, ignoring case and width."""
        if optional and not self.given(key):
            return None
        written = self.fields.get(key)
        if written in allowed and type(written) is str:
            return written
        found = cleaning.read_word(written, allowed)
        if found is None:
            self.note(key, "unknown_value" if self.given(key) else "missing")
        return found

    def optional_day(self, key: str, *, ends: bool = True) -> tuple[int | None, bool]:
        """A date that may be absent, and whether it is known (absent is known, unreadable is not).

        A placeholder for «no date» is absent and, if the date ``ends`` something, so is one for «no end».
        """
        written = self.fields.get(key)
        if written is None or written == "":
            return None, True
        if type(written) is str and (value := plain_day(written)) is not None:
            return value, True
        absent = ("no_date", "no_end") if ends else ("no_date",)
        if self._answer.read_day(written)[1] in absent:
            return None, True
        value = self.day(key)
        return value, value is not None

    def _read(self, key: str, reader: Callable[[object], tuple[T | None, str | None]]) -> T | None:
        value = self.fields.get(key)
        if value is None or value == "":
            self.note(key, "missing")
            return None
        read, finding = reader(value)
        if read is not None and finding is not None:
            self._answer.tell(self.path_of(key), finding)
        elif finding is not None:
            self.note(key, finding)
        return read


def is_yuan(currency: object) -> bool:
    """Whether an amount's own currency is the yuan, which it is if it has none."""
    return (
        currency in (None, "") or isinstance(currency, str) and currency.strip().upper() in (CURRENCY, "RMB", "人民币")
    )


class Answer:
    """A source's answer.

    Raises:
        SourceDataInvalid: the answer, or one of its sections, has the wrong shape.
    """

    def __init__(
        self,
        source: str,
        data: Mapping[str, object] | None,
        quality: Quality,
        *,
        money: bool = True,
        zone: tzinfo = UTC,
    ) -> None:
        if data is not None and not isinstance(data, Mapping):
            raise SourceDataInvalid(source, "", "must_be_object")
        self.source = source
        self.quality = quality
        self.read_day = partial(cleaning.read_day, zone=zone)
        self._data: Mapping[str, object] = data or {}
        self.available = data is not None
        self._missed: set[str] = set()
        if not self.available:
            quality.add(source, "error", "source_unavailable")
        self.currency_known = money and self._currency_known()

    def tell(self, path: str, finding: str, values: Mapping[str, str] = NO_VALUES) -> None:
        """Note an irregularity that lost no information."""
        self.quality.add(f"{self.source}.{path}", "info", finding, values)

    def note(self, path: str, finding: str, values: Mapping[str, str] = NO_VALUES) -> None:
        """Note that a value is unknown or doubtful."""
        self.quality.add(f"{self.source}.{path}", "warning", finding, values)

    def spoil(self, path: str, finding: str) -> None:
        """Note that a whole section is unknown."""
        self.quality.add(f"{self.source}.{path}", "error", finding)

    def root(self) -> Row:
        return Row(self, "", self._data if self.available else None)

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
        """A section that is a list of objects; None if absent."""
        data = self._data.get(name)
        if data is None:
            self._missing(name)
            return None
        if isinstance(data, str | bytes) or not isinstance(data, Sequence):
            raise SourceDataInvalid(self.source, name, "must_be_array")
        if len(data) > MAX_ROWS:
            raise SourceDataInvalid(self.source, name, "too_many_rows")
        found = []
        for number, row in enumerate(data):
            # Comparing the type first is much faster, and nearly always sufficient.
            if type(row) is not dict and not isinstance(row, Mapping):
                raise SourceDataInvalid(self.source, f"{name}[{number}]", "must_be_object")
            found.append(Row(self, name, row, number))
        return found

    def _missing(self, name: str) -> None:
        if self.available and name not in self._missed:
            self._missed.add(name)
            self.spoil(name, "missing")

    def _currency_known(self) -> bool:
        if not self.available:
            return False
        value = self._data.get("currency")
        known = bool(value) and is_yuan(value)
        if not known:
            self.spoil("currency", "wrong_currency" if value is not None else "missing")
        return known


def keyed(answer: Answer, name: str, key_of: Callable[[Row], T | None]) -> dict[T, Row] | None:
    """A section's rows by key, the last row of each key; None if the section is unknown.

    A row whose key cannot be read makes the whole section unknown. Of two rows with one key the later one counts, with
    the note ``duplicate_period`` if they are equal, else ``restated`` with the names of the fields that differ.
    """
    rows = answer.rows(name)
    if rows is None:
        return None
    found: dict[T, Row] = {}
    spoiled = False
    for row in rows:
        key = key_of(row)
        if key is None:
            answer.spoil(row.path, "key_unreadable")
            spoiled = True
            continue
        if key in found:
            tell_again(answer, found[key], row)
        found[key] = row
    return None if spoiled else found


def tell_again(answer: Answer, before: Row, now: Row) -> None:
    """Note a repeated row and the fields that differ."""
    names = sorted({*before.fields, *now.fields})
    changed = [name for name in names if not _same(answer, before.fields.get(name), now.fields.get(name))]
    if changed:
        answer.note(now.path, "restated", {"fields": ", ".join(changed)})
    else:
        answer.note(now.path, "duplicate_period")


def _same(answer: Answer, one: object, other: object) -> bool:
    """Whether two values are equal, regardless of notation."""
    if one == other:
        return True
    for reader in (cleaning.read_minor, answer.read_day, cleaning.read_month):
        left, right = reader(one), reader(other)
        if left[0] is not None and left[0] == right[0]:
            return True
    return False
