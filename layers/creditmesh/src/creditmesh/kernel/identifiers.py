"""Identifiers issued by others, as people and spreadsheets write them, validated by their own rules."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from stdnum.cn import ric, uscc

from creditmesh.kernel.errors import InvalidInput

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point of Unicode."""
_SEPARATORS = re.compile(r"[\s\u2010-\u2015\u2212\u2500-]")
_QUOTES = "='\"`\u2018\u2019\u201c\u201d"
_DAMAGES = (
    (
        "digits_lost",
        re.compile(r"\+?\d(?:[.,]\d+)?E\+\d+|\+?\d[.,]\d+E\d+|##+", re.ASCII),
        "must have all its digits; a spreadsheet shows it shortened",
    ),
    (
        "written_as_number",
        re.compile(r"\d{5,}[.,]0+", re.ASCII),
        "must be written as text; a spreadsheet has turned it into a decimal number",
    ),
    (
        "spreadsheet_error",
        re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|NUM!|DIV/0!|NULL!)"),
        "must be the value; it is a spreadsheet's error",
    ),
)
_TAXPAYER_ID = re.compile("(?!0)[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}")
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_ID = re.compile("[0-9]{17}[0-9X]|[0-9]{15}")
_AREA = re.compile("9?(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])")
"""Digits of a province (GB/T 2260), after 9 on a foreigner's permanent residence card."""


class DamagedValue(InvalidInput):
    """A spreadsheet has changed the value; `rule` says how."""

    def __init__(self, message: str, *, field: str, rule: str) -> None:
        super().__init__(message, field=field, fault=rule)
        self.rule = rule


def undamaged(text: str, *, field: str) -> str:
    """The text, if no spreadsheet has changed it visibly.

    Raises:
        DamagedValue: scientific notation, hidden digits, a decimal number or an error in its place.
    """
    written = compact(text)
    for rule, pattern, message in _DAMAGES:
        if pattern.fullmatch(written):
            raise DamagedValue(message, field=field, rule=rule)
    return text


def visible(text: str) -> str:
    """Half-width, without invisible characters."""
    return text if text.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def compact(text: str) -> str:
    """A key as it was issued: half-width capitals without blanks, hyphens, invisible characters and outer quotes.

    Other punctuation stays, as dropping it could make another key.
    """
    return _SEPARATORS.sub("", visible(text)).strip(_QUOTES).upper()


def taxpayer_id(text: str, *, field: str = "taxpayer_id") -> str:
    """A unified social credit code (GB 32100-2015) in its canonical form; the ids of before 2015 are not accepted.

    Raises:
        InvalidInput: wrong length or characters, or a check character that does not match.
    """
    code = compact(undamaged(text, field=field))
    if len(code) != 18:
        raise InvalidInput(
            "must be a unified social credit code of 18 characters", field=field, fault="not_a_taxpayer_id"
        )
    if not _TAXPAYER_ID.fullmatch(code):
        rule = "digits and letters other than I, O, S, V and Z, with digits in places 3 to 8"
        raise InvalidInput(f"must be a unified social credit code of {rule}", field=field, fault="not_a_taxpayer_id")
    if code[16] != _organisation_check(code[8:16]) or code[17] != uscc.calc_check_digit(code):
        raise InvalidInput(
            "must be a unified social credit code with valid check characters", field=field, fault="not_a_taxpayer_id"
        )
    return code


def resident_id(text: str, *, field: str) -> str:
    """A resident id (GB 11643-1999) in its canonical form; those of 15 digits, issued before, become 18.

    Raises:
        InvalidInput: wrong length or characters, an area or day of birth that does not exist, a wrong check digit.
    """
    number = compact(undamaged(text, field=field))
    if not _RESIDENT_ID.fullmatch(number):
        raise InvalidInput(
            "must be a resident id of 18 digits, the last of which may be X, or of 15",
            field=field,
            fault="not_a_resident_id",
        )
    if len(number) == 15:
        number = f"{number[:6]}19{number[6:]}"
        number += ric.calc_check_digit(f"{number}0")
    if not _AREA.match(number):
        raise InvalidInput("must be a resident id of an existing area", field=field, fault="not_a_resident_id")
    try:
        if not 1800 <= date(int(number[6:10]), int(number[10:12]), int(number[12:14])).year < 2100:
            raise ValueError
    except ValueError:
        raise InvalidInput(
            "must be a resident id with an existing day of birth", field=field, fault="not_a_resident_id"
        ) from None
    if number[17] != ric.calc_check_digit(number):
        raise InvalidInput("must be a resident id with a valid check digit", field=field, fault="not_a_resident_id")
    return number


def _organisation_check(body: str) -> str:
    """The ninth character of an organisation code (GB 11714)."""
    total = sum(weight * int(letter, 36) for weight, letter in zip(_ORGANISATION_WEIGHTS, body, strict=True))
    return "0123456789X0"[11 - total % 11]
