"""Decodes texts as the WHATWG Encoding Standard reads their labels, and GB 18030 by its edition of 2022."""

from __future__ import annotations

import codecs
import re

_UNKNOWN_TO_PYTHON = {
    "x-gbk": "gbk", "gb_2312": "gb2312", "gb_2312-80": "gb2312", "csgb2312": "gb2312", "windows-936": "gbk",
    "unicode-1-1-utf-8": "utf-8", "unicode11utf8": "utf-8", "unicode20utf8": "utf-8", "x-unicode20utf8": "utf-8",
    "x-sjis": "shift_jis", "windows-31j": "cp932", "windows-949": "cp949", "x-x-big5": "big5", "x-cp1252": "cp1252",
}  # fmt: skip
_READ_AS = {
    "gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "tis-620": "cp874",
    "iso8859-11": "cp874", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
"""Sources name the smaller charset and send characters of the larger one."""
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_ASSIGNED = dict(zip(
    # Rows A3, A6, A8 and FE; Python's codec follows the edition of 2000, with private code points.
    "\ue5e5\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796\ue7c7"
    "\ue816\ue817\ue818\ue81e\ue826\ue82b\ue82c\ue831\ue832\ue83b\ue843\ue854\ue855\ue864",
    "\u3000\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19\u1e3f"
    "\U00020087\U00020089\U000200cc\u9fb4\u9fb5\u9fb6\u9fb7\U000215d7\u9fb8\U0002298f\u9fb9\u9fba\U000241fe\u9fbb",
    strict=True,
))  # fmt: skip
"""What GB 18030's two-byte codes mean today, by the private code point that Python decodes them to.

18 codes changed in GB 18030-2022 (Unicode L2/23-003R); six became duplicates of characters of extension B, and A8BC is
U+1E3F since 2005. The four-byte codes of the same characters are decoded to them too, so old and new senders agree.
"""
_PRIVATE = re.compile(f"[{''.join(_ASSIGNED)}]")
_GB_ERRORS = "creditmesh.gb18030"


def label_of(named: str) -> str:
    """The label of a charset as Python knows it.

    Raises:
        ValueError: not a charset, or one whose texts can hold halves of characters, as utf-7 and unicode_escape.
    """
    label = named.strip(" \t\r\n\f\"'").lower()
    label = _UNKNOWN_TO_PYTHON.get(label, label)
    try:
        # Python decodes an empty text in any charset, even an unknown one.
        if "a".encode(label).decode(label) == "a":
            "\ud83d".encode(label)
    except UnicodeEncodeError:
        return label
    except (LookupError, UnicodeError):
        pass
    raise ValueError("is not a known charset")


def decoded(label: str, content: bytes) -> str:
    """The text, without its byte order mark, which overrides the label.

    Raises:
        UnicodeError: not in this charset.
    """
    codec, errors = decoder(label, content)
    return modern(codec, content.decode(codec, errors)).removeprefix("\ufeff")


def decoder(label: str, content: bytes) -> tuple[str, str]:
    """Python's codec for a text, and its error handler."""
    for mark, codec in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return codec, "strict"
    codec = encoder(label)
    return codec, _GB_ERRORS if codec == "gb18030" else "strict"


def encoder(label: str) -> str:
    """Python's codec to write a text: the larger charset that readers of a label expect, as `decoder` does."""
    codec = codecs.lookup(label).name
    return _READ_AS.get(codec, codec)


def modern(codec: str, text: str) -> str:
    """A text decoded by Python's codec, with what GB 18030's private code points stand for."""
    return _PRIVATE.sub(lambda found: _ASSIGNED[found[0]], text) if codec == "gb18030" else text


def _euro(error: UnicodeError) -> tuple[str, int]:
    """The one byte of code page 936 that GB 18030 lacks."""
    if isinstance(error, UnicodeDecodeError) and error.object[error.start] == 0x80:
        return "€", error.start + 1
    raise error


codecs.register_error(_GB_ERRORS, _euro)
