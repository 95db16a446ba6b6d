"""Normalises values that mean the same: width, case, punctuation, legal forms, dialling codes.

Idempotent: ``normalise(kind, normalise(kind, text)) == normalise(kind, text)``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from creditmesh.kernel.errors import InvalidInput
from creditmesh.kernel.identifiers import compact, resident_id, taxpayer_id, undamaged, visible
from creditmesh.screening.addresses import chinese
from creditmesh.screening.characters import HAN, words
from creditmesh.screening.model import MAX_VALUE, Kind

NORMAL_FORM = 2
"""Version of the normal forms: a change that gives some values another form raises it, and lists are indexed anew."""

_AND = re.compile("[&＆]")
_BETWEEN_HAN = re.compile(rf"(?<=[{HAN}]) (?=[{HAN}])")
_LEGAL_FORMS_HAN = re.compile(
    r"(?<=..)(?:股份有限责任公司|股份有限公司|有限责任公司|有限公司|股份公司|总公司|公司|有限合伙|普通合伙|特殊普通合伙|合伙企业|个体工商户|集团)$"
)
_LEGAL_FORMS = re.compile(
    r"(?<=..) (?:co ltd|co limited|company limited|company ltd|pte ltd|pty ltd|private limited|pvt ltd|limited|ltd|llc|"
    r"llp|lp|inc|incorporated|corp|corporation|company|co|plc|gmbh|ag|kg|sa|sas|sarl|srl|spa|bv|nv|oy|ab|as|group|"
    r"holdings|holding)$"
)
_STREET_WORDS = {
    "rd": "road", "st": "street", "str": "street", "ave": "avenue", "av": "avenue", "blvd": "boulevard", "ln": "lane",
    "dr": "drive", "hwy": "highway", "bldg": "building", "flr": "floor", "fl": "floor", "rm": "room",
    "dist": "district", "apt": "apartment", "no": "", "n": "north", "s": "south", "e": "east", "w": "west",
}  # fmt: skip
_NOTHING = frozenset(
    ["unknown", "none", "null", "nan", "undefined", "na", "notavailable", "未知", "不详", "暂无", "未填写", "未提供",
     "无地址", "地址不详", "暂无地址", "暂无数据"]
)  # fmt: skip
"""What forms and exports hold for a value that nobody knows."""
_MAC = re.compile("[0-9a-f]{1,2}(?:[:-][0-9a-f]{1,2}){5}")
_DEVICE_SEPARATORS = re.compile(r"[:._{}]")
_NO_DEVICE = frozenset({"020000000000", "9774d56d682e549c", "004999010640000", "012345678912345"})
"""What systems give instead of an address or id: Android's MAC address since 6, its repeated id, emulators' IMEIs."""
_COUNTED = "0123456789abcdef0123456789abcdef 12345678901234567890"
"""Ids that were typed: their digits follow one another."""
_WORD = re.compile("(?=.*[g-z])[a-z]+")
"""Letters only and beyond hexadecimal ones: «unknown», «not available»."""
_ZEROS = re.compile("(?<=[一二三四五六七八九零])[0o]+(?![0-9a-z])")
_EXTENSION = re.compile(r"(?:ext|x|转|轉|分机|分機)[.:]?\s*\d{1,6}$")
_LANDLINE = re.compile(r"(\(?0\d{2,3}\)?\s*-?\s*\d{7,8})\s*-\s*\d{1,6}")
"""With an extension."""
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
_MOBILE = re.compile(r"(?:86)?(?:1[3-9]\d{9}|[48]00\d{7})", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)


def normalise(kind: Kind, text: str) -> str:
    """The normal form of a value of this kind.

    Raises:
        InvalidInput: field ``value``; not a valid value of this kind.
    """
    if len(text) > MAX_VALUE:
        raise InvalidInput("must be at most {max} characters", field="value", fault="too_long", max=MAX_VALUE)
    return _RULES[kind](undamaged(text, field="value"))


def _words(text: str) -> str:
    """Words with no space between Chinese characters; a zero among Chinese numerals is Chinese."""
    return _ZEROS.sub(lambda zeros: "零" * len(zeros[0]), _BETWEEN_HAN.sub("", words(text)))


def _until_settled(step: Callable[[str], str], text: str) -> str:
    while (after := step(text)) != text:
        text = after
    return text


def _device(text: str) -> str:
    written = compact(text).lower()
    if parts := _MAC.fullmatch(visible(text).strip().lower()):
        written = "".join(part.zfill(2) for part in re.split("[:-]", parts[0]))
    written = _DEVICE_SEPARATORS.sub("", written)
    if not re.fullmatch(r"[a-z0-9]{8,128}", written):
        raise InvalidInput(
            "must be 8 to 128 letters and digits, such as an IMEI, MAC address or UUID",
            field="value",
            fault="not_a_device",
        )
    if written in _NO_DEVICE or len(set(written)) == 1 or written in _COUNTED or _WORD.fullmatch(written):
        raise InvalidInput(
            "must be the id of one device; many devices give this one", field="value", fault="shared_device"
        )
    return written


def _account(text: str) -> str:
    written = compact(text)
    if not re.fullmatch(r"[A-Z0-9]{8,34}", written) or not _DIGITS.search(written):
        raise InvalidInput(
            "must be an account number of 8 to 34 digits or letters", field="value", fault="not_an_account"
        )
    return written


def _phone(text: str) -> str:
    written = _EXTENSION.sub("", visible(text).translate(_DASHES).casefold().strip())
    if landline := _LANDLINE.fullmatch(written):
        written = landline[1]
    digits = "".join(_DIGITS.findall(written))
    if re.search(r"[^\W\d_]", written):
        raise InvalidInput("must be a phone number", field="value", fault="not_a_phone_number")
    if written.startswith(("+", "00")):
        digits = digits if written.startswith("+") else digits.removeprefix("00")
        if digits.startswith("860"):  # trunk prefix after the country code
            digits = "86" + digits[3:]
    elif _MOBILE.fullmatch(digits):
        digits = "86" + digits.removeprefix("86")
    else:
        digits = "86" + digits[1:] if re.fullmatch(r"0[1-9]\d{8,10}", digits) else ""
    if not re.fullmatch(r"[1-9]\d{6,14}", digits):
        raise InvalidInput(
            "must be a phone number with its area or country code", field="value", fault="not_a_phone_number"
        )
    return "+" + digits


def _address(text: str) -> str:
    expanded = (_STREET_WORDS.get(word, word) for word in _words(text).split(" "))
    written = _BETWEEN_HAN.sub("", " ".join(word for word in expanded if word))
    if re.search(rf"[{HAN}]", written):
        written = chinese(written)
    if len(written) < 4 or written.replace(" ", "") in _NOTHING:
        raise InvalidInput("must be an address of four characters or more", field="value", fault="not_an_address")
    return written


def spelling(name: str) -> str:
    """A name with its legal form, without what only its writing decides: case, width, script, punctuation."""
    return _words(_AND.sub(" and ", name))


def _name(text: str) -> str:
    written = _until_settled(_without_legal_form, spelling(text))
    if len(written) < 2 or written.replace(" ", "") in _NOTHING:
        raise InvalidInput("must be a name of two letters or more", field="value", fault="not_a_name")
    return written


def _without_legal_form(text: str) -> str:
    return _LEGAL_FORMS.sub("", _LEGAL_FORMS_HAN.sub("", text)).strip()


_RULES: dict[Kind, Callable[[str], str]] = {
    Kind.TAXPAYER_ID: partial(taxpayer_id, field="value"),
    Kind.PERSON: partial(resident_id, field="value"),
    Kind.DEVICE: _device,
    Kind.ACCOUNT: _account,
    Kind.PHONE: _phone,
    Kind.ADDRESS: partial(_until_settled, _address),
    Kind.NAME: _name,
}
