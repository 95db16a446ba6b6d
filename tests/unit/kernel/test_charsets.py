"""Charsets as sources label and use them (F12, X6)."""

from __future__ import annotations

import codecs

import pytest
from pydantic import ValidationError

from creditmesh.gateway.channels.document import Response
from creditmesh.kernel.charsets import decoded, label_of

GB18030_2022 = {
    "A6D9": 0xFE10, "A6DA": 0xFE12, "A6DB": 0xFE11, "A6DC": 0xFE13, "A6DD": 0xFE14, "A6DE": 0xFE15, "A6DF": 0xFE16,
    "A6EC": 0xFE17, "A6ED": 0xFE18, "A6F3": 0xFE19, "FE59": 0x9FB4, "FE61": 0x9FB5, "FE66": 0x9FB6, "FE67": 0x9FB7,
    "FE6D": 0x9FB8, "FE7E": 0x9FB9, "FE90": 0x9FBA, "FEA0": 0x9FBB,
}  # fmt: skip
"""Two-byte codes whose character changed with the edition of 2022 (Unicode L2/23-003R, table of 18)."""
DUPLICATES = {"FE51": 0x20087, "FE52": 0x20089, "FE53": 0x200CC, "FE6C": 0x215D7, "FE76": 0x2298F, "FE91": 0x241FE}
"""Codes that GB/T 22321.1-2018 gives up as duplicates of characters of extension B."""
FOUR_BYTES = {"82359037": 0x9FB4, "82359134": 0x9FBB, "84318236": 0xFE10, "95329031": 0x20087, "9635B630": 0x241FE}


@pytest.mark.parametrize(
    ("code", "character"), [*GB18030_2022.items(), *DUPLICATES.items(), *FOUR_BYTES.items(), ("A8BC", 0x1E3F)]
)
@pytest.mark.parametrize("label", ["gb18030", "gbk"])
def test_gb18030_of_2022(label: str, code: str, character: int) -> None:
    assert decoded(label, b"a" + bytes.fromhex(code) + b"b") == f"a{chr(character)}b"


def test_a_private_character_of_another_charset_is_left_to_its_source() -> None:
    assert decoded("utf-8", "\ue81e".encode()) == "\ue81e"


@pytest.mark.parametrize(
    ("label", "content", "text"),
    [
        ("gb2312", b"\xe9\x46", "镕"),
        ("gbk", b"\xfe\x9f", "䶮"),
        ("gbk", b"5\x80", "5€"),
        ("gb2312", b"\x80", "€"),
        ("gbk", b"\xa2\xe3", "€"),
        ("gb18030", b"\x95\x32\x82\x36", "𠀀"),
        ("x-gbk", b"\xc3\xfb", "名"),
        ("GB_2312-80", b"\xc3\xfb", "名"),
        ("gb2312", b"\xa1\xa4\xa1\xaa", "·—"),
        ("cp936", b"\xfe\x9f", "䶮"),
        ("iso-8859-1", b"\x80\x93", "€“"),
        ("latin1", b"\xe9", "é"),
        ("big5", b"\xf9\xd6", "碁"),
        ("utf8", "名".encode(), "名"),
        ('"UTF-8"', "名".encode(), "名"),
        (" utf-8 ", "名".encode(), "名"),
        ("unicode-1-1-utf-8", "名".encode(), "名"),
    ],
)
def test_labels_are_read_as_the_encoding_standard_reads_them(label: str, content: bytes, text: str) -> None:
    assert decoded(Response(charset=label).charset, content) == text


@pytest.mark.parametrize(
    ("mark", "codec"),
    [
        (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("label", ["gbk", "utf-8", "iso-8859-1", "utf-16", "ascii"])
def test_a_byte_order_mark_overrides_the_label(label: str, mark: bytes, codec: str) -> None:
    assert decoded(label, mark + "a名𠮷".encode(codec)) == "a名𠮷"
    assert decoded(label, mark + mark + "名".encode(codec)) == "名", "as files joined of several have it"


@pytest.mark.parametrize(
    ("label", "content"),
    [
        ("gbk", b"\xff"), ("gb18030", b"\x81"), ("gb2312", b"\x81\x20"), ("gbk", b"\x81\x30\x81"), ("ascii", b"\x80"),
        ("utf-8", b"\xc0\xaf"), ("utf-8", b"\xe0\x80\xaf"), ("utf-8", b"\xf0\x80\x80\xaf"), ("utf-8", b"\xed\xa0\xbd"),
        ("utf-8", b"\xf4\x90\x80\x80"), ("utf-16", b"\xff\xfe\x3d\xd8"), ("utf-16-le", b"\x3d\xd8a\0"),
        ("utf-16", b"\xff\xfea"), ("iso-8859-1", b"\x81"),
    ],
)  # fmt: skip
def test_what_is_not_of_the_charset_is_refused(label: str, content: bytes) -> None:
    with pytest.raises(UnicodeError):
        decoded(label, content)


@pytest.mark.parametrize(
    "label",
    [
        "", "nope", "utf-7", "unicode_escape", "raw_unicode_escape", "punycode", "idna", "rot13", "base64", "undefined",
        "mbcs", "gbk\0", "../utf-8",
    ],
)  # fmt: skip
def test_a_charset_that_is_none_or_knows_half_characters(label: str) -> None:
    with pytest.raises(ValueError, match="charset|null"):
        label_of(label)
    with pytest.raises(ValidationError):
        Response(charset=label)


def test_a_byte_order_mark_is_one_at_the_beginning_only() -> None:
    assert decoded("gbk", b"a\xef\xbb\xbf\x5d") == "a锘縘" == b"a\xef\xbb\xbf\x5d".decode("gbk")
    assert decoded("utf-8", "a\ufeffb".encode()) == "a\ufeffb"
