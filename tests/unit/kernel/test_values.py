"""Money, identifiers, ids, clock and caller."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from creditmesh.kernel.clock import FixedClock, SystemClock, iso, parse_instant
from creditmesh.kernel.errors import InvalidInput
from creditmesh.kernel.identifiers import taxpayer_id
from creditmesh.kernel.ids import derived_id, new_id
from creditmesh.kernel.money import Money, format_minor

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "minor"),
    [("0.00", 0), ("0.01", 1), ("100000.00", 10_000_000), ("12345678901.99", 1_234_567_890_199)],
)
def test_money_is_read_exactly(text: str, minor: int) -> None:
    assert Money.parse(text, "CNY") == Money(minor, "CNY")
    assert str(Money(minor, "CNY")) == text


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.0", "1.000", "01.00", "-1.00", "+1.00", "1,000.00", " 1.00", "1.00 ", "1.00\n", "1e2", "NaN", "１.00",
     "٣.00", ".50"],
)  # fmt: skip
def test_money_in_any_other_form_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Money.parse(text, "CNY", field="min_amount")
    assert refused.value.field == "min_amount"


def test_too_much_money_is_refused_by_its_field() -> None:
    assert Money.parse("10000000000000.00", "CNY").minor == 10**15
    with pytest.raises(InvalidInput) as refused:
        Money.parse("10000000000000.01", "CNY", field="max_amount")
    assert refused.value.field == "max_amount"


@pytest.mark.parametrize(("minor", "currency"), [(-1, "CNY"), (10**15 + 1, "CNY"), (1, "XXX"), (1, "cny")])
def test_money_that_cannot_be(minor: int, currency: str) -> None:
    with pytest.raises(InvalidInput):
        Money(minor, currency)


def test_figures_of_a_report_may_be_negative() -> None:
    assert [format_minor(minor) for minor in (-1, -100, -12345, 0, 7)] == ["-0.01", "-1.00", "-123.45", "0.00", "0.07"]


# shared vectors, social_credit_code: valid and invalid codes of GB 32100-2015
@pytest.mark.parametrize("code", ["91350100M000100Y43", "91110000600037341L"])
def test_a_valid_social_credit_code(code: str) -> None:
    assert taxpayer_id(code) == code
    assert taxpayer_id(f" {code[:8]} {code[8:].lower()} ") == code
    assert taxpayer_id("".join(chr(ord(letter) + 0xFEE0) for letter in code)) == code


@pytest.mark.parametrize(
    "code", ["91350200M000000510", "", "91350100M000100Y4", "91350100M000100Y433", "91350100O000100Y43"]
)
def test_an_invalid_social_credit_code(code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        taxpayer_id(code)
    assert refused.value.field == "taxpayer_id"
    assert not code or code not in str(refused.value)


def test_new_ids_sort_by_time_and_differ() -> None:
    earlier, later = new_id("app", NOON), new_id("app", NOON + timedelta(milliseconds=1))
    assert earlier < later
    assert new_id("app", NOON) != new_id("app", NOON)
    assert new_id("app", NOON, b"12345678") == new_id("app", NOON, b"12345678") == "app_01a1fdfa46003132333435363738"


def test_derived_ids_follow_their_parts_alone() -> None:
    assert derived_id("app", "a", "b") == derived_id("app", "a", "b")
    assert len({derived_id("app", *parts) for parts in (("a", "b"), ("ab", ""), ("", "ab"), ("b", "a"))}) == 4


def test_instants_are_text_that_sorts_by_time() -> None:
    assert iso(NOON) == "2026-11-21T12:00:00.000Z"
    assert iso(NOON.astimezone(timezone(timedelta(hours=8)))) == iso(NOON)
    assert iso(parse_instant("1900-01-01T00:00:00Z")) == "1900-01-01T00:00:00.000Z"
    assert parse_instant("2026-11-21T20:00:00+08:00") == parse_instant("2026-11-21T12:00:00.000Z") == NOON


@pytest.mark.parametrize(
    "text",
    ["2026-11-21T12:00:00", "2026-11-21", "noon", "", "1899-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00",
     "9999-12-31T23:59:59-14:00"],
)  # fmt: skip
def test_an_instant_without_its_offset_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"offset|Invalid isoformat"):
        parse_instant(text)


def test_clocks() -> None:
    clock = FixedClock(NOON)
    clock.advance(1.5)
    assert clock.now() - NOON == timedelta(seconds=1.5)
    assert abs(SystemClock().now() - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("zone", "instant", "day"),
    [
        ("Asia/Shanghai", "2026-11-30T18:00:00Z", "2026-12-01"),
        ("Asia/Shanghai", "2026-11-30T15:59:59.999Z", "2026-11-30"),
        ("Europe/Berlin", "2027-03-27T22:59:59Z", "2027-03-27"),
        ("Europe/Berlin", "2027-03-28T22:00:00Z", "2027-03-29"),  # an hour earlier in summer
        ("Pacific/Kiritimati", "2026-12-31T10:00:00Z", "2027-01-01"),
        ("America/St_Johns", "2026-12-01T03:00:00Z", "2026-11-30"),
    ],
)
def test_days_are_those_of_the_zone(zone: str, instant: str, day: str) -> None:
    """F4"""
    clock = FixedClock(parse_instant(instant), ZoneInfo(zone))
    assert clock.today() == date.fromisoformat(day)
    begins, ends = (clock.beginning(clock.today() + timedelta(days=days)) for days in (0, 1))
    assert begins <= clock.now() < ends
    assert begins.tzinfo is ends.tzinfo is UTC
    assert clock.day_of(begins) == clock.today() != clock.day_of(begins - timedelta(microseconds=1))
