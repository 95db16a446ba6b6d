"""What texts from outside may contain (F22)."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from creditmesh.kernel.text import faults, line_of, name_of, shown, text_of

NEVER = (
    "\x00", "\x07", "\x1b", "\x7f", "\x85", "\x9f", "\u202a", "\u202e", "\u2066", "\u2069", "\ud800", "\udfff",
    "\ufffd", "\ufffe", "\uffff", "\ufdd0", "\U0010ffff", "\ufff9", "\U000e0041",
)  # fmt: skip
BREAKS = ("\n", "\r", "\r\n", "\t", "\u2028", "\u2029")
UNSEEN = (
    "\u00ad", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\ufeff", "\u061c", "\u034f", "\u115f",
    "\u1160", "\u3164", "\uffa0", "\u2800", "\ufe0f", "\U000e0100", "\ue000", "\U000f0000", "\u0378",
)  # fmt: skip
GOOD_NAMES = (
    "Müller & Söhne GmbH", "江苏测试有限公司", "江苏测试(集团)有限公司", "O’Brien—Smith, Inc.", "무역 주식회사",
    "শক্তি লিমিটেড", "\U00031350\U0002ebf0商行", "3M", "Ǆ 公司", "شركة الاختبار",
)  # fmt: skip


def refused(check: Callable[[str], str], text: str) -> PydanticCustomError:
    with pytest.raises(PydanticCustomError) as error:
        check(text)
    return error.value


@pytest.mark.parametrize("check", [text_of, line_of, name_of])
@pytest.mark.parametrize("character", NEVER)
def test_no_text_contains_these(check: Callable[[str], str], character: str) -> None:
    error = refused(check, f"Good{character} Firm")
    assert (error.type, error.context) == ("character_not_allowed", {"character": f"U+{ord(character):04X}"})
    assert [place.path for place in faults({"a": [f"b{character}"]})] == [("a", 0)]
    assert len(list(faults({f"a{character}": "b"}))) == 1


@pytest.mark.parametrize("breaks", BREAKS)
def test_a_line_and_a_name_are_one_line(breaks: str) -> None:
    assert text_of(f"two{breaks}lines") == f"two{breaks}lines"
    for check in (line_of, name_of):
        assert refused(check, f"two{breaks}lines").type == "character_not_allowed"


@pytest.mark.parametrize("character", UNSEEN)
def test_a_name_contains_only_what_is_seen(character: str) -> None:
    assert refused(name_of, f"Good{character} Firm").type == "character_not_allowed"
    assert refused(text_of, character * 2).type == refused(line_of, character * 2).type == "nothing_visible"


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_of_all_scripts(name: str) -> None:
    assert name_of(unicodedata.normalize("NFD", name)) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("name", ["--", "。。", "…", "&&", "\u0301\u0301"])
def test_a_name_has_a_letter_or_digit(name: str) -> None:
    assert refused(name_of, name).type == "no_letter"


@pytest.mark.parametrize("written", ["Good  Firm", "Good\u00a0Firm", "Good\u3000\u2009Firm", " Good Firm "])
def test_spaces_of_a_name_are_single(written: str) -> None:
    assert name_of(written) == "Good Firm"


def test_joined_letters_and_emoji_are_text() -> None:
    for text in ("می‌خواهم", "👩‍👩‍👧 shop", "a\ufeffb", ""):
        assert text_of(text) == text


@given(st.text(st.characters(codec=None, categories=None)))
def test_what_is_accepted_is_stable_and_can_be_stored(text: str) -> None:
    for check in (text_of, line_of, name_of):
        try:
            written = check(text)
        except PydanticCustomError:
            continue
        assert check(written) == written
        assert written.encode().decode() == written
        assert list(faults(written)) == []
    assert shown(text).isprintable()
    assert len(shown(text)) <= 1000


def test_a_document_is_walked_wholly() -> None:
    document: Any = {"a": [{"b": "x\x00"}, 1, None, True], "c\n": {"d": 1.5}, "e": "fine\n"}
    assert [place.path for place in faults(document)] == [("a", 0, "b"), ("c\\u000a",)]
