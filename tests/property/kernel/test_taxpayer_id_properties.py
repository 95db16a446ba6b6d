"""Unified social credit codes: one valid check character for each body (GB 32100-2015)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from creditmesh.kernel.errors import InvalidInput
from creditmesh.kernel.identifiers import taxpayer_id

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
bodies = st.tuples(
    st.sampled_from(["91", "92", "93", "11", "12", "51"]),
    st.text("0123456789", min_size=6, max_size=6),
    st.text(ALPHABET, min_size=9, max_size=9),
).map("".join)


def valid(code: str) -> bool:
    try:
        return taxpayer_id(code) == code
    except InvalidInput:
        return False


def check(body: str) -> str:
    """The check character worked out by the standard's formula, independently of the library."""
    total = sum(ALPHABET.index(letter) * pow(3, place, 31) for place, letter in enumerate(body))
    return ALPHABET[-total % 31]


@given(bodies)
def test_one_check_character_is_right(body: str) -> None:
    assert [letter for letter in ALPHABET if valid(body + letter)] == [check(body)]


@given(bodies, st.integers(0, 17), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(body: str, place: int, letter: str) -> None:
    code = body + check(body)
    assume(code[place] != letter)
    assert not valid(code[:place] + letter + code[place + 1 :])


@given(bodies, st.integers(0, 18))
def test_how_people_paste_it(body: str, place: int) -> None:
    code = body + check(body)
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in code)
    for pasted in (code.lower(), wide, f" {code} ", f"{code[:place]} {code[place:]}"):
        assert taxpayer_id(pasted) == code


@given(st.text(max_size=40))
def test_any_text_is_a_code_or_a_clear_refusal(text: str) -> None:
    folded = unicodedata.normalize("NFKC", text).replace(" ", "").upper()
    if valid(folded):
        assert taxpayer_id(text) == folded
    else:
        with pytest.raises(InvalidInput) as refused:
            taxpayer_id(text)
        assert refused.value.field == "taxpayer_id"
