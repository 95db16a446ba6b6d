"""Parses single values of a source's answer: tolerant in notation, strict in meaning.

Each reader returns the value, or None if it cannot be known, and a finding code. A million firms have some 10⁹ values,
nearly all in the usual notation: those take a short path, and a property test proves that it equals the long one. Days,
months and words are cached.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from math import isfinite

# 1 trillion yuan in fen; a greater value is an error of the source, and sums would exceed 64 bits.
MAX_MINOR = 10**14
MAX_COUNT = 10**9
MAX_TEXT = 200
"""A longer text is replaced by its digest, so that two texts are equal only if they are equal as a whole."""
_LONGEST_VALUE = 40
_LONGEST_WRITTEN = 4 * _LONGEST_VALUE
_ORDINARY = str.maketrans(
    {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    | dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63△▲"), "-")
    | dict(zip(map(ord, "￥萬億圆圓仟佰拾幣"), "¥万亿元元千百十币", strict=True))
)
"""Full-width forms, minus signs of typesetters and accountants, formal and traditional characters of units."""
_UNITS = {"十": 10, "百": 100, "千": 1_000, "万": 10_000, "亿": 100_000_000}
_NUMBER = re.compile(
    r"([^0-9.]*)((?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]*)?|\.[0-9]+)(E[+-]?[0-9]{1,2})?([^0-9]*)"
)
_GROUPING_SPACE = re.compile(r"(?<=[0-9])\s+(?=[0-9])")
_SPACE = re.compile(r"\s+")
_CURRENCY = re.compile(r"(?:CN)?¥|CNY|RMB|人民币")
_UNIT = r"(万亿|[十百千]?[万亿]|[百千])?(?:元整?)?"
_UNITS_AFTER = re.compile(rf"{_UNIT}(?:(\)){_UNIT})?")
_OTHER_CURRENCY = re.compile(r"[$€£₩₽₹฿₫円]|[美欧港日韩澳加]元|英镑|[港台]币|[A-Z]{3}")
_DAY = re.compile(
    r"([0-9]{4})(?:([0-9]{2})([0-9]{2})|[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?)"
    r"(?:(?:[T ]+|(?<=日)|(?<=[0-9]{8}))([0-9]{1,2})(?:[:时点]([0-9]{1,2})分?|([0-9]{2}))"
    r"(?::?([0-9]{1,2})(?:[.,][0-9]+)?秒?)?)?"
    r" ?(?:(Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2})|[AP]M)?"
)
_MONTH = re.compile(r"([0-9]{4})(?:([0-9]{2})|[-/.年]([0-9]{1,2})月?(?:Z|[+-][0-9]{2}:[0-9]{2})?)")
_PLAIN_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Twelve digits, the point and two decimals stay below MAX_MINOR.
_PLAIN_MINOR = re.compile(r"-?[0-9]{1,12}\.[0-9]{2}").fullmatch
_PLAIN_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_YEARS = range(1900, 2201)
_NO_DATE = frozenset({(0, 0, 0), (1, 1, 1), (1753, 1, 1), (1899, 12, 30), (1899, 12, 31), (1900, 1, 1)})
"""Year, month and day that databases and spreadsheets write where there is no date."""
_NO_END = (2099, 12, 31)
"""From this day on, a date means that there is no end."""
_WIDEST_OFFSET = timedelta(hours=14)
_EPOCH = date(1970, 1, 1).toordinal()
_REMEMBERED = 8192
# Enough digits that scaling never rounds: the only rounding is to whole fen.
_EXACT = Context(prec=200)


def read_number(value: object) -> tuple[Decimal | None, str | None]:
    """A decimal number from a number or a text such as ``１，２３４.５``, ``¥1,234.5``, ``(12.00)`` or ``3.5万元``.

    Unknown if the text has two signs or another currency than yuan.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None, "not_a_number"
    if isinstance(value, int):
        # Python refuses to print an integer of more than 4,300 digits.
        return (Decimal(value), None) if abs(value) <= MAX_MINOR else (None, "out_of_range")
    if isinstance(value, float):
        return (Decimal(str(value)), None) if isfinite(value) else (None, "not_a_number")
    if isinstance(value, Decimal):
        return (value, None) if value.is_finite() else (None, "not_a_number")
    return _number_of_text(value) if len(value) <= _LONGEST_WRITTEN else (None, "not_a_number")


def _number_of_text(value: str) -> tuple[Decimal | None, str | None]:
    text = _SPACE.sub("", _GROUPING_SPACE.sub(",", value.translate(_ORDINARY))).upper()
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST_VALUE else None
    if match is None:
        return None, "not_a_number"
    sign, after = (_CURRENCY.sub("", match[group], count=1) for group in (1, 4))
    units = _UNITS_AFTER.fullmatch(after)
    if units is None or sign.strip("+-("):
        return None, "wrong_currency" if _OTHER_CURRENCY.search(sign + after) else "not_a_number"
    if len(sign) > 1:
        return None, "double_sign"
    unit = units[1] or units[3] or ""
    if bool(units[2]) != (sign == "(") or (units[1] and units[3]) or (match[3] and (unit or "," in match[2])):
        return None, "not_a_number"
    number = Decimal(match[2].replace(",", "") + (match[3] or ""))
    for character in unit:
        number = _EXACT.multiply(number, _UNITS[character])
    return (number.copy_negate() if sign in ("-", "(") else number), None


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


def read_date(value: object, zone: tzinfo = UTC) -> tuple[date | None, str | None]:
    """A day from ``2026-09-30``, ``2026/9/30``, ``20260930`` or ``2026年9月30日``, also with a time.

    With an offset from UTC it is the day in ``zone``. A day with an offset but no time stays as written, with the
    finding ``other_zone`` if the zone has another offset. Findings of unknown days include ``no_date`` (a
    placeholder, such as 0000-00-00) and ``no_end`` (2099-12-31 or later).
    """
    if isinstance(value, str):
        return _date_of_text(value, zone) if len(value) <= _LONGEST_WRITTEN else (None, "not_a_date")
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(zone)
    return _bounded(value.year, value.month, value.day) if isinstance(value, date) else (None, "not_a_date")


@lru_cache(maxsize=_REMEMBERED)
def _date_of_text(text: str, zone: tzinfo) -> tuple[date | None, str | None]:
    match = _DAY.fullmatch(folded(text))
    if match is None:
        return None, "not_a_date"
    found, fault = _bounded(int(match[1]), int(match[2] or match[4]), int(match[3] or match[5]))
    if found is None:
        return None, fault
    hour, minute, second = int(match[6] or 0), int(match[7] or match[8] or 0), int(match[9] or 0)
    if not (hour < 24 or (hour, minute, second) == (24, 0, 0)) or minute > 59 or second > 60:
        return None, "not_a_date"
    written = datetime(found.year, found.month, found.day) + timedelta(hours=hour, minutes=minute)
    if match[10] is None:
        return _bounded(written.year, written.month, written.day)
    if abs(offset := _offset(match[10])) > _WIDEST_OFFSET:
        return None, "not_a_date"
    if match[6] is None:
        return found, None if written.replace(tzinfo=zone).utcoffset() == offset else "other_zone"
    local = written.replace(tzinfo=timezone(offset)).astimezone(zone)
    return _bounded(local.year, local.month, local.day)


def _bounded(year: int, month: int, day: int) -> tuple[date | None, str | None]:
    if (year, month, day) in _NO_DATE:
        return None, "no_date"
    try:
        found = date(year, month, day)
    except ValueError:
        return None, "no_end" if (year, month, day) == (9999, 99, 99) else "not_a_date"
    if (year, month, day) >= _NO_END:
        return None, "no_end"
    # The first day of Unix time may be a date or a zero.
    return (found, None) if year in _YEARS and found.toordinal() != _EPOCH else (None, "out_of_range")


def _offset(text: str) -> timedelta:
    if text in ("Z", "UTC", "GMT"):
        return timedelta()
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:].lstrip(":") or 0))
    return -offset if text[0] == "-" else offset


def read_day(value: object, zone: tzinfo = UTC) -> tuple[int | None, str | None]:
    """A date as days since 1970-01-01, the form it has in the clean row."""
    found, finding = read_date(value, zone)
    return None if found is None else found.toordinal() - _EPOCH, finding


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
    """The text with full-width forms converted; empty if the value is not text."""
    return unicodedata.normalize("NFKC", value).strip() if isinstance(value, str) else ""


def read_text(value: object) -> str | None:
    """The folded text; a number as text; a digest instead of a text longer than ``MAX_TEXT``; None without text."""
    text = str(value) if type(value) is int and abs(value) <= MAX_MINOR else folded(value)
    if len(text) > MAX_TEXT:
        return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return text or None


def read_word(value: object, allowed: Sequence[str]) -> str | None:
    """The allowed word that the text matches, ignoring case and width; else None."""
    short = isinstance(value, str) and len(value) <= _LONGEST_WRITTEN
    return _word_of_text(value, tuple(allowed)) if short else None


@lru_cache(maxsize=_REMEMBERED)
def _word_of_text(value: str, allowed: tuple[str, ...]) -> str | None:
    return {word.lower(): word for word in allowed}.get(folded(value).lower())


def read_flag(value: object) -> tuple[bool | None, str | None]:
    """A boolean, also written as text."""
    if isinstance(value, bool):
        return value, None
    known = {"true": True, "false": False, "是": True, "否": False, "1": True, "0": False}
    text = folded(value).lower()
    return (known[text], None) if text in known else (None, "not_a_boolean")
