"""Identifiers are built by the standards' formulas, damaged in one place, and written as people write them (F5, X7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from creditmesh.kernel.errors import InvalidInput
from creditmesh.kernel.identifiers import DamagedValue, compact, resident_id, taxpayer_id

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
PROVINCES = [*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82, 83]  # fmt: skip  # noqa: E501
SEPARATORS = ["", " ", "\t", "\n", "\u00a0", "\u3000", "\u2009", "-", "\u2010", "\u2014", "\uff0d", "\u200b", "\ufeff", "\u202d"]  # fmt: skip  # noqa: E501


def organisation(body: str) -> str:
    """With its check character: the weighted sum and it make a multiple of eleven (GB 11714)."""
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    values = {letter: place for place, letter in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
    total = sum(weight * values[letter] for weight, letter in zip(weights, body, strict=True))
    return body + next(letter for value, letter in enumerate("0123456789X") if (total + value) % 11 == 0)


def social_credit(body: str) -> str:
    """With its check character by the standard's formula (GB 32100)."""
    total = sum(ALPHABET.index(letter) * pow(3, place, 31) for place, letter in enumerate(body))
    return body + ALPHABET[-total % 31]


def resident(body: str) -> str:
    """With its check digit: ISO 7064 MOD 11-2, from right to left by powers of two."""
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(body))
    return body + next(letter for value, letter in enumerate("0123456789X") if (total + value) % 11 == 1)


AUTHORITIES = st.text(ALPHABET, min_size=2, max_size=2).filter(lambda text: text[0] != "0")
AREAS = st.text("0123456789", min_size=6, max_size=6)
BODIES = st.text(ALPHABET, min_size=8, max_size=8)
CODES = st.builds(lambda who, where, body: social_credit(who + where + organisation(body)), AUTHORITIES, AREAS, BODIES)
RESIDENTS = st.builds(
    lambda foreign, province, area, born, order: resident(
        f"{'9' * foreign}{province}{area:0{4 - foreign}d}{born:%Y%m%d}{order:03d}"
    ),
    st.booleans(),
    st.sampled_from(PROVINCES),
    st.integers(0, 999),
    st.dates(date(1800, 1, 1), date(2099, 12, 31)),
    st.integers(0, 999),
)


def person(text: str) -> str:
    return resident_id(text, field="person")


EITHER = st.one_of(st.tuples(st.just(taxpayer_id), CODES), st.tuples(st.just(person), RESIDENTS))


def valid(rule: Callable[[str], str], text: str) -> bool:
    try:
        return rule(text) == text
    except InvalidInput:
        return False


@given(EITHER)
@example((taxpayer_id, "N2320205MA1MP9TX4J"))
@example((taxpayer_id, "91350100M000100Y43"))
@example((person, "11010519491231002X"))
def test_a_built_id_is_valid_and_no_other_last_character_is(one: tuple[Callable[[str], str], str]) -> None:
    rule, code = one
    assert [letter for letter in ALPHABET if valid(rule, code[:-1] + letter)] == [code[-1]]


@given(EITHER, st.integers(0, 17), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.*?"))
def test_a_wrong_character_is_noticed(one: tuple[Callable[[str], str], str], place: int, letter: str) -> None:
    rule, code = one
    assume(code[place] != letter)
    assert not valid(rule, code[:place] + letter + code[place + 1 :])


@given(EITHER, st.integers(0, 16))
def test_two_swapped_neighbours_are_noticed(one: tuple[Callable[[str], str], str], place: int) -> None:
    rule, code = one
    assume(code[place] != code[place + 1])
    assert not valid(rule, code[:place] + code[place + 1] + code[place] + code[place + 2 :])


@given(EITHER, st.integers(0, 17))
def test_a_lost_or_doubled_character_is_noticed(one: tuple[Callable[[str], str], str], place: int) -> None:
    rule, code = one
    assert not valid(rule, code[:place] + code[place + 1 :])
    assert not valid(rule, code[:place] + code[place] + code[place:])


@given(EITHER, st.lists(st.sampled_from(SEPARATORS), min_size=19, max_size=19), st.data())
def test_as_people_and_spreadsheets_write_it(
    one: tuple[Callable[[str], str], str], separators: list[str], data: st.DataObject
) -> None:
    rule, code = one
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in code)
    for letters in (code, code.lower(), wide, wide.lower()):
        written = separators[0] + "".join(map(str.__add__, letters, separators[1:]))
        quoted = data.draw(st.sampled_from(["{}", "'{}", "\u2018{}", '="{}"', '"{}"', "\uff07{}"]))
        assert rule(quoted.format(written)) == compact(quoted.format(written)) == code


@given(BODIES, AREAS, st.sampled_from(ALPHABET))
def test_the_organisation_codes_own_character_is_checked(body: str, area: str, letter: str) -> None:
    right = organisation(body)
    assume(letter != right[-1])
    assert not valid(taxpayer_id, social_credit(f"91{area}{body}{letter}"))


@given(RESIDENTS)
def test_a_resident_id_is_a_taxpayer_id_only_by_both_checks(number: str) -> None:
    passes = "X" not in number[:17] and social_credit(number[:17]) == number and organisation(number[8:16]) == number[8:17]  # fmt: skip  # noqa: E501
    assert valid(taxpayer_id, number) == passes


def test_a_resident_id_that_passes_one_check_by_chance_is_no_taxpayer_id() -> None:
    found = [
        number
        for order in range(1000)
        if social_credit((number := resident(f"11010519491231{order:03d}"))[:17]) == number
    ]
    assert len(found) > 5
    assert [number for number in found if valid(taxpayer_id, number)] == [
        number for number in found if organisation(number[8:16]) == number[8:17]
    ]


@pytest.mark.parametrize(
    "old", ["320205123456789", "110105491231002", "32020512345678900001", "MA1MP9TX4", "320205MA1MP9TX4"]
)
def test_the_ids_of_before_are_no_taxpayer_ids(old: str) -> None:
    with pytest.raises(InvalidInput, match="18 characters"):
        taxpayer_id(old)


@given(st.integers(0, 99), st.dates(date(1900, 1, 1), date(1999, 12, 31)), st.integers(0, 999))
def test_fifteen_digits_are_the_eighteen_of_the_last_century(area: int, born: date, order: int) -> None:
    old, new = f"1101{area:02d}{born:%y%m%d}{order:03d}", f"1101{area:02d}{born:%Y%m%d}{order:03d}"
    assert person(old) == resident(new)


@pytest.mark.parametrize("area", ["000000", "110000", "320205"])
def test_no_authority_has_the_number_zero(area: str) -> None:
    for category in "019":
        assert not valid(taxpayer_id, social_credit(f"0{category}{area}{organisation('00000000')}"))


INVISIBLE = ["\u00ad", "\u034f", "\u061c", "\u115f\u1160", "\u17b4\u17b5", "\u180b\u180f", "\u200b\u200f", "\u202a\u202e", "\u2060\u206f", "\u3164", "\ufe00\ufe0f", "\ufeff", "\uffa0", "\U000e0000\U000e0fff"]  # fmt: skip  # noqa: E501


@pytest.mark.parametrize("letters", INVISIBLE)
def test_what_is_invisible_is_no_part_of_a_key(letters: str) -> None:
    assert compact(f"{letters}9{letters}1{letters}") == "91"


@pytest.mark.parametrize("letter", ["\u115e", "\u1161", "\u17b6", "\u180a", "\u2070", "\ufe20", "\ufffc", "\ufffd", "\u0001", "\u007f"])  # fmt: skip  # noqa: E501
def test_what_is_visible_or_a_control_is_not_dropped(letter: str) -> None:
    assert len(compact(f"9{letter}1")) == 3


NO_DAYS = ["20230229", "19000229", "19491301", "19490001", "19490431", "19491200", "19490132", "00000101", "17991231", "21000101"]  # fmt: skip  # noqa: E501


@pytest.mark.parametrize("born", NO_DAYS)
def test_a_day_of_birth_that_does_not_exist(born: str) -> None:
    with pytest.raises(InvalidInput, match="day of birth"):
        person(resident(f"110105{born}002"))


@pytest.mark.parametrize("area", ["000000", "100000", "160101", "240101", "550101", "660101", "720101", "840101", "900101", "916001", "990105"])  # fmt: skip  # noqa: E501
def test_an_area_that_does_not_exist(area: str) -> None:
    with pytest.raises(InvalidInput, match="area"):
        person(resident(f"{area}19491231002"))


@pytest.mark.parametrize("area", ["110105", "810000", "820000", "830000", "710000", "911156", "944840", "658001"])
def test_an_area_that_does(area: str) -> None:
    assert person(number := resident(f"{area}19491231002")) == number


DAMAGES = {
    "digits_lost": [
        "9.13202E+17",
        "9,13202E+17",
        "1.10105e17",
        "\uff19.\uff11\uff25+\uff11\uff17",
        "'6.22202E+18",
        "9E+17",
        "#####",
        "1 E+17",
    ],  # fmt: skip
    "written_as_number": [
        "913202051234567890.0",
        "110105194912310021.00",
        "110105491231002,0",
        "13800138000.0",
        "22345.0",
    ],
    "spreadsheet_error": ["#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"],
}


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in DAMAGES.items() for text in texts])
@pytest.mark.parametrize("check", [taxpayer_id, person])
def test_what_a_spreadsheet_has_damaged_is_told_by_its_damage(
    check: Callable[[str], str], rule: str, text: str
) -> None:
    with pytest.raises(DamagedValue) as refused:
        check(text)
    assert refused.value.rule == rule
    assert refused.value.field in ("taxpayer_id", "person")
    assert text not in refused.value.message


@given(st.text(max_size=40))
def test_any_text_is_a_code_or_a_clear_refusal(text: str) -> None:
    for field, rule in (("taxpayer_id", taxpayer_id), ("person", person)):
        if valid(rule, compact(text)):
            assert rule(text) == compact(text)
        else:
            with pytest.raises(InvalidInput) as refused:
                rule(text)
            assert refused.value.field == field


@given(st.text(st.characters(categories=["Co"]), max_size=5))
@example("\U00031350\U0002ebf0")
def test_a_private_or_unknown_character_is_never_dropped(rare: str) -> None:
    assert compact(f"9{rare}1") == f"9{rare}1"
