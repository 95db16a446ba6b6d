"""Money is read and written without loss, and in one form only (DESIGN 4)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creditmesh.kernel.clock import iso, parse_instant
from creditmesh.kernel.errors import InvalidInput
from creditmesh.kernel.ids import derived_id, new_id
from creditmesh.kernel.money import MAX_MINOR, MINOR_UNITS, Money, format_minor

minors = st.integers(0, MAX_MINOR)
currencies = st.sampled_from(sorted(MINOR_UNITS))
FORM = re.compile(r"(0|[1-9][0-9]*)\.[0-9]{2}", re.ASCII)


@given(minors, currencies)
def test_what_is_written_is_read_again(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.parse(str(money), currency) == money
    assert str(money) == format_minor(minor)
    assert FORM.fullmatch(str(money))


@given(st.one_of(st.text(max_size=20), st.from_regex(r"[-+ 0-9.,eE]{0,20}", fullmatch=True), st.decimals().map(str)))
def test_what_is_read_is_written_again_or_refused(text: str) -> None:
    fits = bool(FORM.fullmatch(text)) and int(text.replace(".", "")) <= MAX_MINOR
    if fits:
        assert str(Money.parse(text, "CNY")) == text
    else:
        with pytest.raises(InvalidInput) as refused:
            Money.parse(text, "CNY", field="here")
        assert refused.value.field == "here"


@given(minors, minors)
def test_the_order_is_that_of_the_amounts(one: int, other: int) -> None:
    assert (Money(one, "CNY") < Money(other, "CNY")) == (one < other)


@given(st.integers(-MAX_MINOR, MAX_MINOR))
def test_a_figure_keeps_its_sign_and_cents(minor: int) -> None:
    text = format_minor(minor)
    assert int(text.replace(".", "")) == minor
    assert text.startswith("-") == (minor < 0)


@given(st.integers(max_value=-1) | st.integers(min_value=MAX_MINOR + 1))
def test_out_of_range(minor: int) -> None:
    with pytest.raises(InvalidInput):
        Money(minor, "CNY")


instants = st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1)).map(
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
)


@given(instants, instants, st.integers(-14 * 60, 14 * 60))
def test_instants_are_read_again_and_sort_as_text(one: datetime, other: datetime, offset: int) -> None:
    assert parse_instant(iso(one)) == one
    assert parse_instant(one.astimezone(timezone(timedelta(minutes=offset))).isoformat()) == one
    assert (iso(one) < iso(other)) == (one < other)
    if abs((one - other).total_seconds()) >= 0.001:
        assert (new_id("x", one) < new_id("x", other)) == (one < other)


parts = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x1f"), max_size=5), max_size=3)


@given(parts, parts)
def test_different_parts_give_different_ids(one: list[str], other: list[str]) -> None:
    same = (one or [""]) == (other or [""])
    assert (derived_id("x", *one) == derived_id("x", *other)) == same
