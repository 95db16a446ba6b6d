"""Normalises values that mean the same: width, case, punctuation, legal forms, dialling codes.

Idempotent: ``normalise(kind, normalise(kind, text)) == normalise(kind, text)``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import partial

from opencc import OpenCC

from creditmesh.kernel.errors import InvalidInput
from creditmesh.kernel.identifiers import resident_id, taxpayer_id
from creditmesh.screening.model import MAX_VALUE, Kind

_ROUNDS = 8
_AND = re.compile("[&＆]")
_NOT_WORD = re.compile(r"[\W_]+")
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_BETWEEN_HAN = re.compile(rf"(?<=[{_HAN}]) (?=[{_HAN}])")
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
_UNITS = re.compile(
    rf"^(?P<p>[{_HAN}]{{2,8}}?(?=省|自治区|特别行政区))?(?:省|(?:维吾尔|壮族|回族)?自治区|特别行政区)?"
    rf"(?P<c>[{_HAN}]{{2,7}}?(?=市|自治州|地区|盟))?(?:市|自治州|地区|盟)?"
    rf"(?P<d>[{_HAN}]{{1,6}}?(?=新区|区|县|旗))?(?:新区|区|县|旗)?"
)
_COUNTRY = re.compile(r"^(?:中华人民共和国|中国)")
_POSTCODE = re.compile(r"(?:邮政编码|邮编)?\d{6}$")
_EXTENSION = re.compile(r"(?:ext|x|转|分机)[.:]?\s*\d{1,6}$")
_MOBILE = re.compile(r"(?:86)?(?:1[3-9]\d{9}|[48]00\d{7})", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)


def _simplified() -> dict[int, str]:
    """Traditional characters and their simplified forms, by OpenCC, each by itself.

    OpenCC on whole texts would depend on neighbouring characters, which normalising removes.
    """
    han = [chr(code) for code in range(0x3400, 0xA000)]
    simplified = OpenCC("t2s").convert("\n".join(han)).split("\n")
    found = {ord(one): other for one, other in zip(han, simplified, strict=True) if one != other}
    return found | {ord("钜"): "巨"}  # firms use it as the simplified form of 鉅, which OpenCC converts to 巨


_SIMPLIFIED = _simplified()


def normalise(kind: Kind, text: str) -> str:
    """The normal form of a value of this kind.

    Raises:
        InvalidInput: field ``value``; not a valid value of this kind.
    """
    if len(text) > MAX_VALUE:
        raise InvalidInput(f"must be at most {MAX_VALUE} characters", field="value")
    return _RULES[kind](text)


def _folded(text: str) -> str:
    """Half-width, lower case, simplified characters, without invisible characters."""
    if text.isascii() and text.isprintable():
        return text.lower()
    for _ in range(_ROUNDS):  # folding may produce characters to fold again, for a few rounds
        before = text
        text = unicodedata.normalize("NFKC", text).casefold().translate(_SIMPLIFIED)
        if not text.isprintable():
            text = "".join(letter if letter.isprintable() else " " * letter.isspace() for letter in text)
        if text == before:
            break
    return text


def _words(text: str) -> str:
    return _BETWEEN_HAN.sub("", _NOT_WORD.sub(" ", _folded(text)).strip())


def _until_settled(step: Callable[[str], str], text: str) -> str:
    while (after := step(text)) != text:
        text = after
    return text


def _compact(text: str) -> str:
    return _NOT_WORD.sub("", _folded(text))


def _device(text: str) -> str:
    written = _compact(text)
    if not re.fullmatch(r"[a-z0-9]{8,128}", written):
        raise InvalidInput("must be 8 to 128 letters and digits, such as an IMEI, MAC address or UUID", field="value")
    return written


def _account(text: str) -> str:
    written = _compact(text).upper()
    if not re.fullmatch(r"[A-Z0-9]{8,34}", written) or not _DIGITS.search(written):
        raise InvalidInput("must be an account number of 8 to 34 digits or letters", field="value")
    return written


def _phone(text: str) -> str:
    written = _EXTENSION.sub("", _folded(text).strip())
    digits = "".join(_DIGITS.findall(written))
    if re.search(r"[^\W\d_]", written):
        raise InvalidInput("must be a phone number", field="value")
    if written.startswith(("+", "00")):
        digits = digits if written.startswith("+") else digits.removeprefix("00")
        if digits.startswith("860"):  # trunk prefix after the country code
            digits = "86" + digits[3:]
    elif _MOBILE.fullmatch(digits):
        digits = "86" + digits.removeprefix("86")
    else:
        digits = "86" + digits[1:] if re.fullmatch(r"0\d{9,11}", digits) else ""
    if not re.fullmatch(r"[1-9]\d{6,14}", digits):
        raise InvalidInput("must be a phone number with its area or country code", field="value")
    return "+" + digits


def _address(text: str) -> str:
    written = _words(text)
    words = [_STREET_WORDS.get(word, word) for word in written.split(" ")]
    written = _BETWEEN_HAN.sub("", " ".join(word for word in words if word))
    if re.search(rf"[{_HAN}]", written):
        written = _until_settled(_without_units, written.replace(" ", ""))
    if len(written) < 4:
        raise InvalidInput("must be an address of four characters or more", field="value")
    return written


def _without_units(text: str) -> str:
    """Removes the words for province, city and district, the country and the postcode."""
    text = _POSTCODE.sub("", _COUNTRY.sub("", text)) or text
    match = _UNITS.match(text)
    if match is None:
        return text
    return "".join(part or "" for part in match.groupdict().values()) + text[match.end() :]


def _name(text: str) -> str:
    written = _until_settled(_without_legal_form, _words(_AND.sub(" and ", text)))
    if len(written) < 2:
        raise InvalidInput("must be a name of two letters or more", field="value")
    return written


def _without_legal_form(text: str) -> str:
    return _LEGAL_FORMS.sub("", _LEGAL_FORMS_HAN.sub("", text)).strip()


_RULES: dict[Kind, Callable[[str], str]] = {
    Kind.TAXPAYER_ID: partial(taxpayer_id, field="value"),
    Kind.PERSON: partial(resident_id, field="value"),
    Kind.DEVICE: _device,
    Kind.ACCOUNT: _account,
    Kind.PHONE: _phone,
    Kind.ADDRESS: _address,
    Kind.NAME: _name,
}
