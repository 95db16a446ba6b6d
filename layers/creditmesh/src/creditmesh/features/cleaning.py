"""Parses single values of a source's answer: tolerant in notation, strict in meaning.

Each reader returns the value, or None if it cannot be known, and a finding code. A million firms have some 10⁹ values,
nearly all in the usual notation: those take a short path, and a property test proves that it equals the long one. Days,
months and words are cached.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from math import isfinite

# 1 trillion yuan in fen; a greater value is an error of the source, and sums would exceed 64 bits.
MAX_MINOR = 10**14
MAX_COUNT = 10**9
_LONGEST_TEXT = 40
_UNITS = {None: 1, "": 1, "万": 10_000, "亿": 100_000_000}
_NUMBER = re.compile(r"([+-]?)(?:([0-9]+)|([0-9]{1,3}(?:,[0-9]{3})+))(\.[0-9]*)?(万|亿)?元?")
_DAY = re.compile(r"([0-9]{4})(?:([0-9]{2})([0-9]{2})|[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?)(?:[T ].*)?", re.DOTALL)
_MONTH = re.compile(r"([0-9]{4})(?:([0-9]{2})|[-/.年]([0-9]{1,2})月?)")
_PLAIN_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Twelve digits, the point and two decimals stay below MAX_MINOR.
_PLAIN_MINOR = re.compile(r"-?[0-9]{1,12}\.[0-9]{2}").fullmatch
_PLAIN_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_YEARS = range(1900, 2201)
_EPOCH = date(1970, 1, 1).toordinal()
_REMEMBERED = 8192
# Enough digits that scaling never rounds: the only rounding is to whole fen.
_EXACT = Context(prec=80)


def plain(text: str) -> str:
    """Full-width forms converted, any minus made a hyphen, white space and currency signs removed."""
    ordinary = unicodedata.normalize("NFKC", text[: 4 * _LONGEST_TEXT]).replace("\u2212", "-")
    return re.sub(r"[\s¥]|CNY|RMB", "", ordinary)


def read_number(value: object) -> tuple[Decimal | None, str | None]:
    """A decimal number from a number or a text such as ``１，２３４.５``, ``¥1,234.5``, ``(12.00)`` or ``3.5万``."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None, "not_a_number"
    if isinstance(value, int):
        # Python refuses to print an integer of more than 4,300 digits.
        return (Decimal(value), None) if abs(value) <= MAX_MINOR else (None, "out_of_range")
    if isinstance(value, float):
        return (Decimal(str(value)), None) if isfinite(value) else (None, "not_a_number")
    if isinstance(value, Decimal):
        return (value, None) if value.is_finite() else (None, "not_a_number")
    return _number_of_text(value)


def _number_of_text(value: str) -> tuple[Decimal | None, str | None]:
    text = plain(value)
    bracketed = text.startswith("(") and text.endswith(")")
    match = _NUMBER.fullmatch(text[1:-1] if bracketed else text)
    if match is None or len(text) > _LONGEST_TEXT:
        return None, "not_a_number"
    sign, whole, grouped, fraction, unit = match.groups()
    number = Decimal((whole or grouped.replace(",", "")) + (fraction or ""))
    number = _EXACT.multiply(number, Decimal(_UNITS[unit]))
    negative = bracketed != (sign == "-")
    return (number.copy_negate() if negative else number), None


def read_minor(value: object) -> tuple[int | None, str | None]:
    """An amount of the currency's main unit, as integer minor units, rounded half up."""
    if type(value) is str:
        minor = plain_minor(value)
        return (minor, None) if minor is not None else _minor_of_text(value)
    return read_any_minor(value)


@lru_cache(maxsize=_REMEMBERED)
def _minor_of_text(text: str) -> tuple[int | None, str | None]:
    return read_any_minor(text)


def plain_minor(text: str) -> int | None:
    """Minor units of an amount written ``123.45`` or ``-123.45``; None for any other notation."""
    return int(text[:-3] + text[-2:]) if _PLAIN_MINOR(text) else None


def read_any_minor(value: object) -> tuple[int | None, str | None]:
    """Like ``read_minor``, for any notation."""
    number, fault = read_number(value)
    if number is None:
        return None, fault
    if number.copy_abs() > MAX_MINOR // 100:
        return None, "out_of_range"
    scaled = number.scaleb(2, _EXACT)
    minor = int(scaled.quantize(Decimal(1), rounding=ROUND_HALF_UP, context=_EXACT))
    return minor, None if scaled == minor else "rounded"


def read_count(value: object) -> tuple[int | None, str | None]:
    """A whole number from 0 to 10⁹."""
    number, fault = read_number(value)
    if number is None:
        return None, fault
    if number.copy_abs() > MAX_COUNT:
        return None, "out_of_range"
    if number != int(number):
        return None, "not_a_whole_number"
    return (None, "negative") if number < 0 else (int(number), None)


def read_date(value: object) -> tuple[date | None, str | None]:
    """A day from ``2026-09-30``, ``2026/9/30``, ``20260930``, ``2026年9月30日`` or an instant that begins so."""
    if isinstance(value, date):
        return date(value.year, value.month, value.day), None
    match = _DAY.fullmatch(folded(value))
    if match is None:
        return None, "not_a_date"
    year, month, day = int(match[1]), int(match[2] or match[4]), int(match[3] or match[5])
    try:
        found = date(year, month, day)
    except ValueError:
        return None, "not_a_date"
    return (found, None) if year in _YEARS else (None, "out_of_range")


def read_day(value: object) -> tuple[int | None, str | None]:
    """A date as days since 1970-01-01, the form it has in the clean row."""
    found, fault = read_date(value)
    return (None, fault) if found is None else (found.toordinal() - _EPOCH, None)


@lru_cache(maxsize=_REMEMBERED)
def plain_day(text: str) -> int | None:
    """The day number of a date written ``2026-09-30``; None for any other notation."""
    return read_day(text)[0] if _PLAIN_DAY.fullmatch(text) else None


@lru_cache(maxsize=_REMEMBERED)
def plain_month(text: str) -> int | None:
    """The index of a month written ``2026-09``; None for any other notation."""
    return read_month(text)[0] if _PLAIN_MONTH.fullmatch(text) else None


def day_number(day: date) -> int:
    return day.toordinal() - _EPOCH


def date_of(day: int) -> date:
    return date.fromordinal(day + _EPOCH)


def read_month(value: object) -> tuple[int | None, str | None]:
    """A month's index (see ``exact.month_index``) from ``2026-09``, ``2026/9``, ``202609`` or ``2026年9月``."""
    match = _MONTH.fullmatch(folded(value))
    if match is None:
        return None, "not_a_month"
    year, month = int(match[1]), int(match[2] or match[3])
    if not 1 <= month <= 12 or year not in _YEARS:
        return None, "not_a_month"
    return year * 12 + month - 1, None


def folded(value: object) -> str:
    """A short text with full-width forms converted; empty if the value is not text."""
    return unicodedata.normalize("NFKC", value[:_LONGEST_TEXT]).strip() if isinstance(value, str) else ""


def read_word(value: object, allowed: Sequence[str]) -> str | None:
    """The allowed word that the text matches, ignoring case and width; else None."""
    return _word_of_text(value[:_LONGEST_TEXT], tuple(allowed)) if isinstance(value, str) else None


@lru_cache(maxsize=_REMEMBERED)
def _word_of_text(value: str, allowed: tuple[str, ...]) -> str | None:
    return {word.lower(): word for word in allowed}.get(folded(value).lower())


def read_flag(value: object) -> tuple[bool | None, str | None]:
    """A boolean, also written as text."""
    if isinstance(value, bool):
        return value, None
    known = {"true": True, "false": False, "是": True, "否": False}
    text = folded(value).lower()
    return (known[text], None) if text in known else (None, "not_a_boolean")
