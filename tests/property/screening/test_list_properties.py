"""Normal forms, similarity and the index of names, for whatever may come (M05)."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from creditmesh.kernel.errors import InvalidInput
from creditmesh.screening.model import MIN_SCORE_BPS, Kind, ListName
from creditmesh.screening.normalise import normalise
from creditmesh.screening.segment import MAX_COMPARED, IndexSegment
from creditmesh.screening.segment_builder import Row, SegmentBuilder
from creditmesh.screening.similarity import FULL, jaro_winkler_bps, keys, score_bps, skeletons

PIECES = st.sampled_from(
    [*"天邦恒达市省区县路号镇乡村中国上海 （）()·,.&-＆Ａａ１1転東乾隆縣ﬁİß\u200b\u00ad", "有限公司", "有限责任公司",
     "股份有限公司", "集团", "广东省", "自治区", "co", " ltd", " Co., Ltd.", "limited", "rd", " no ", "518000", "邮编"]
)  # fmt: skip
TEXTS = st.one_of(st.lists(PIECES, max_size=14).map("".join), st.text(max_size=24))
DIGITS = st.text("0123456789+-() 转x", max_size=18)
NAMES = st.one_of(
    st.text("天邦恒达州运输科贸", min_size=1, max_size=9),
    st.lists(st.text("abcdeklmnot1", min_size=1, max_size=6), min_size=1, max_size=4).map(" ".join),
)


@given(st.sampled_from(Kind), st.one_of(TEXTS, DIGITS))
@example(Kind.ADDRESS, "中国中国广东省省市市区")
@example(Kind.NAME, "有限公司有限公司")
@example(Kind.PHONE, "00860 10 1234 5678")
@example(Kind.PHONE, "0+044629(97464")
@example(Kind.PHONE, ")00 -351361( +1+9")
@example(Kind.ADDRESS, "邮编市518000天邦路")
@example(Kind.ADDRESS, "天邦路Y\u00af\u021b")
@example(Kind.ADDRESS, "天邦路 518000 518000")
@settings(max_examples=600)
def test_a_normal_form_is_its_own_normal_form(kind: Kind, text: str) -> None:
    try:
        once = normalise(kind, text)
    except InvalidInput:
        return
    assert normalise(kind, once) == once


@given(st.text("天邦恒达abc12 ", min_size=2, max_size=10))
def test_width_case_and_punctuation_make_no_other_name(name: str) -> None:
    try:
        plain = normalise(Kind.NAME, name)
    except InvalidInput:
        return
    wide = "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in name.upper())
    assert normalise(Kind.NAME, wide) == plain
    assert normalise(Kind.NAME, f"  {name}．") == plain


@given(NAMES, NAMES)
def test_similarity_is_symmetric_and_bounded(one: str, other: str) -> None:
    score = score_bps(one, other)
    assert score == score_bps(other, one)
    assert 0 <= score <= FULL
    assert jaro_winkler_bps(one, one) == FULL
    if sorted(one.split(" ")) != sorted(other.split(" ")):
        assert score < FULL


@given(NAMES, NAMES)
def test_similarity_is_jaro_and_winklers_to_the_last_digit(one: str, other: str) -> None:
    """Against the definition in exact fractions, written down another way."""
    assume(one != other)
    one, other = sorted((one, other))
    reach = max(max(len(one), len(other)) // 2 - 1, 0)
    free = set(range(len(other)))
    pairs = []
    for place, letter in enumerate(one):
        fits = [there for there in sorted(free) if other[there] == letter and abs(there - place) <= reach]
        if fits:
            free.remove(fits[0])
            pairs.append((letter, fits[0]))
    common = len(pairs)
    if not common:
        assert jaro_winkler_bps(one, other) == 0
        return
    there = [other[place] for _, place in sorted(pairs, key=lambda pair: pair[1])]
    swapped = sum(letter != against for (letter, _), against in zip(pairs, there, strict=True)) // 2
    jaro = (Fraction(common, len(one)) + Fraction(common, len(other)) + Fraction(common - swapped, common)) / 3
    prefix = next((n for n in range(4) if one[n : n + 1] != other[n : n + 1] or n >= len(one)), 4)
    winkler = jaro + Fraction(prefix, 10) * (1 - jaro)
    assert jaro_winkler_bps(one, other) == int(winkler * FULL)


def edited(whole: str, place: int, kind: str, letter: str) -> str:
    head, rest = whole[:place], whole[place:]
    return {
        "lost": head + rest[1:],
        "added": head + letter + rest,
        "replaced": head + letter + rest[1:],
        "swapped": head + rest[1:2] + rest[:1] + rest[2:],
    }[kind]


EDITS = st.sampled_from(["lost", "added", "replaced", "swapped"])


@given(st.text("天邦恒达州运输科贸易", min_size=4, max_size=12), st.integers(0, 11), EDITS, st.sampled_from("天邦新"))
def test_one_edit_leaves_a_key_in_common(whole: str, place: int, kind: str, letter: str) -> None:
    other = edited(whole, min(place, len(whole) - 1), kind, letter)
    assume(len(other) > 3 or kind == "lost")
    assert set(keys(whole)) & set(keys(other))


@given(st.lists(st.text("abcdeklmnot", min_size=2, max_size=6), min_size=1, max_size=4), st.randoms())
def test_the_order_of_words_makes_no_other_key(words: list[str], chance: object) -> None:
    shuffled = list(words)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert set(skeletons(" ".join(words))) & set(skeletons(" ".join(shuffled)))


@given(st.lists(st.text("bcdghkmnpt", min_size=2, max_size=6), min_size=2, max_size=4), st.integers(0, 20), EDITS)
def test_one_edit_anywhere_in_a_latin_name_leaves_a_key_in_common(words: list[str], place: int, kind: str) -> None:
    """Of consonants: a vowel may take part in one more change, where it begins a word. Words may grow together."""
    name = re.sub(r"(.)\1+", r"\1", " ".join(words))
    other = edited(name, min(place, len(name) - 1), kind, "k").strip()
    assume(not re.search(r"(.)\1", other) and len(other.replace(" ", "")) > 3)
    assert set(keys(name)) & set(keys(other))


@pytest.mark.parametrize("name", ["bbak", "bbbak", "bbakk", "bakkkk", "baak", "baaaakk"])
def test_letters_repeated_once_or_more_make_no_other_key(name: str) -> None:
    assert keys(name) == keys("bak")


@pytest.mark.parametrize(("listed", "complete"), [(MAX_COMPARED, True), (MAX_COMPARED + 1, False)])
def test_a_name_is_compared_with_so_many_others(listed: int, complete: bool) -> None:
    builder = SegmentBuilder()
    builder.add(
        (Row(number, ListName.BLACK, Kind.NAME, f"天邦恒达{chr(0x4E00 + number)}", "R"), number)
        for number in range(listed)
    )
    found, is_complete = IndexSegment(builder.build()[0]).similar("天邦恒达")
    assert (len(found), is_complete) == (min(listed, MAX_COMPARED), complete)


@given(st.lists(NAMES, min_size=1, max_size=30, unique=True), NAMES)
@settings(max_examples=150)
def test_the_index_finds_what_comparing_with_everything_finds(listed: list[str], asked: str) -> None:
    """Of names that share a key; an index of a few names compares with all of them."""
    builder = SegmentBuilder()
    builder.add(
        (Row(number, ListName.BLACK, Kind.NAME, name, f"R{number % 3}"), number * 2**50)
        for number, name in enumerate(listed)
    )
    content, entries = builder.build()
    assert entries == len(listed)
    found, complete = IndexSegment(content).similar(asked)
    assert complete
    alike = {number: score_bps(asked, name) for number, name in enumerate(listed) if set(keys(name)) & set(keys(asked))}
    expected = {number: score for number, score in alike.items() if score >= MIN_SCORE_BPS}
    assert {one.line: score for score, one in found} == expected


@given(
    st.lists(
        st.tuples(st.sampled_from(ListName), st.sampled_from(Kind), st.integers(0, 12), st.integers(0, 5)), max_size=60
    )
)
def test_the_index_holds_of_each_list_and_subject_the_last_line(rows: list[tuple[ListName, Kind, int, int]]) -> None:
    builder, expected = SegmentBuilder(), {}
    for line, (name, kind, mark, begins) in enumerate(rows, 1):
        fingerprint = mark * 0x1234567812345678 % 2**64
        builder.add([(Row(line, name, kind, "a", f"R{line}", begins, begins + 10), fingerprint)])
        expected[name, kind, fingerprint] = (line, f"R{line}", begins, begins + 10)
    content, entries = builder.build()
    assert entries == len(expected)
    segment = IndexSegment(content)
    found = {
        (one.list_name, kind, one.fingerprint): (one.line, one.reason_code, one.begins, one.ends)
        for kind in Kind
        for mark in range(14)
        for one in segment.exact(kind, mark * 0x1234567812345678 % 2**64)
    }
    assert found == expected
