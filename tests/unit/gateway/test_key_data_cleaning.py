"""One value at a time: what is understood, what is refused, and how halves round (C10)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from creditmesh.features.cleaning import read_count, read_date, read_flag, read_minor, read_month
from creditmesh.features.exact import divide_half_up, full_months, ratio_bps, volatility_bps

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("written", "minor", "finding"),
    [
        ("1234.50", 123_450, None),
        ("1,234.5", 123_450, None),
        ("１，２３４．５０", 123_450, None),
        ("￥1,234.50元", 123_450, None),
        ("CNY 12", 1_200, None),
        ("3.5万", 3_500_000, None),
        ("1.2亿元", 12_000_000_000, None),
        ("-0.01", -1, None),
        ("\u221212.00", -1_200, None),
        ("(12.00)", -1_200, None),
        (12, 1_200, None),
        (0.1, 10, None),
        (Decimal("0.105"), 11, "rounded"),
        ("0.005", 1, "rounded"),
        ("-0.005", -1, "rounded"),
        ("0.0049999999999999999999999999999999999", 0, "rounded"),
        ("1,23.00", None, "not_a_number"),
        ("12.00.00", None, "not_a_number"),
        ("1e5", 10_000_000, None),
        ("1.5E+06", 150_000_000, None),
        ("-2.5e-1", -25, None),
        ("1,000e3", None, "not_a_number"),
        ("1e5万", None, "not_a_number"),
        ("1e999999999", None, "not_a_number"),
        ("(-5,000,000.00)", None, "double_sign"),
        ("(5,000,000.00)", -500_000_000, None),
        ("（5,000.00）元", -500_000, None),
        ("(5.00万)", -5_000_000, None),
        ("(5.00)万元", -5_000_000, None),
        ("(5.00", None, "not_a_number"),
        ("5.00)", None, "not_a_number"),
        ("--5", None, "double_sign"),
        ("+-5", None, "double_sign"),
        ("-(5)", None, "double_sign"),
        ("△(5)", None, "double_sign"),
        ("−−5", None, "double_sign"),
        ("△5.00", -500, None),
        ("▲ 5.00", -500, None),
        ("–5.00", -500, None),
        ("—5.00", -500, None),
        ("-¥5.00", -500, None),
        (".5", 50, None),
        ("-.5", -50, None),
        ("+5.", 500, None),
        (".", None, "not_a_number"),
        ("5.5.5", None, "not_a_number"),
        ("¥-5.00", -500, None),
        ("500万元人民币", 500_000_000, None),
        ("人民币500万元整", 500_000_000, None),
        ("RMB 5,000.00", 500_000, None),
        ("CN¥5", 500, None),
        ("1千万", 1_000_000_000, None),
        ("５００萬元", 500_000_000, None),
        ("3百万", 300_000_000, None),
        ("0.5億圓", 5_000_000_000, None),
        ("2千", 200_000, None),
        ("0.5万亿", 50_000_000_000_000, None),
        ("1 234 567.00", 123_456_700, None),
        ("12 34", None, "not_a_number"),
        ("1CNY2", None, "not_a_number"),
        ("5万(万)", None, "not_a_number"),
        ("5²", None, "not_a_number"),
        ("USD 5.00", None, "wrong_currency"),
        ("$5.00", None, "wrong_currency"),
        ("5万美元", None, "wrong_currency"),
        ("€5.00", None, "wrong_currency"),
        ("5.00港币", None, "wrong_currency"),
        ("5.00 JPY", None, "wrong_currency"),
        pytest.param("12" + " " * 200 + "99", None, "not_a_number", id="cut"),
        ("about ten", None, "not_a_number"),
        ("٣", None, "not_a_number"),
        (True, None, "not_a_number"),
        ([], None, "not_a_number"),
        (float("nan"), None, "not_a_number"),
        (float("inf"), None, "not_a_number"),
        (1e300, None, "out_of_range"),
        pytest.param(10**5000, None, "out_of_range", id="unprintable"),
        ("9" * 35, None, "out_of_range"),
        pytest.param("9" * 5000, None, "not_a_number", id="long text"),
    ],
)
def test_amounts(written: object, minor: int | None, finding: str | None) -> None:
    assert read_minor(written) == (minor, finding)


@pytest.mark.parametrize(
    ("written", "count", "finding"),
    [
        (40, 40, None),
        ("４０", 40, None),
        (40.0, 40, None),
        ("1,000", 1000, None),
        (-1, None, "negative"),
        (2.5, None, "not_a_whole_number"),
        (10**10, None, "out_of_range"),
        (False, None, "not_a_number"),
    ],
)
def test_counts(written: object, count: int | None, finding: str | None) -> None:
    assert read_count(written) == (count, finding)


@pytest.mark.parametrize(
    "written",
    [
        "2026-09-03", "2026/9/3", "20260903", "2026年9月3日", "２０２６-09-03", "2026-09-03T10:00:00Z",
        "2026/9/3 0:00:00", "2026/9/3 12:00:00 AM", "2026年9月3日16时30分", "20260903235959", "2026-09-02T24:00:00",
        "2026-09-03+08:00", "2026-09-02T16:00:00.000Z", "2026-09-02 16:00:00 +0000", "20260902T160000Z",
        "2026-09-04T00:59:59+09:00", "2026-09-02T15:59:59-00:01", "2026-09-03T15:59:60Z",
    ],
)  # fmt: skip
def test_dates(written: str) -> None:
    """The day in China, also of instants with another offset."""
    assert read_date(written, SHANGHAI) == (date(2026, 9, 3), None)


def test_a_day_with_the_offset_of_another_zone_is_taken_as_written_and_told() -> None:
    assert read_date("2026-09-03Z", SHANGHAI) == (date(2026, 9, 3), "other_zone")
    assert read_date("2026-09-03Z") == (date(2026, 9, 3), None)
    assert read_date(datetime(2026, 9, 2, 16, tzinfo=UTC), SHANGHAI) == (date(2026, 9, 3), None)


def test_summer_time_counts() -> None:
    paris = ZoneInfo("Europe/Paris")
    assert read_date("2026-07-01T22:30:00Z", paris) == (date(2026, 7, 2), None)
    assert read_date("2026-01-01T22:30:00Z", paris) == (date(2026, 1, 1), None)


@pytest.mark.parametrize(
    ("written", "finding"),
    [
        ("0000-00-00", "no_date"), ("0000-00-00 00:00:00", "no_date"), ("1900-01-01", "no_date"),
        ("1900/1/1 0:00:00", "no_date"), ("0001-01-01T00:00:00Z", "no_date"), ("18991230", "no_date"),
        ("9999-12-31", "no_end"), ("9999-12-31T23:59:59Z", "no_end"), ("2099-12-31", "no_end"),
        ("2999年12月31日", "no_end"), ("99999999", "no_end"), (date(9999, 12, 31), "no_end"),
        ("1970-01-01", "out_of_range"), ("1970-01-01T00:00:00Z", "out_of_range"), ("1890-05-05", "out_of_range"),
    ],
)  # fmt: skip
def test_placeholders_are_no_days(written: object, finding: str) -> None:
    assert read_date(written, SHANGHAI) == (None, finding)


@pytest.mark.parametrize(
    "written",
    [
        "2026-02-30", "03.09.2026", "2026-9", "", None, 20260903, "0000-01-01", "2026-09-30Tnoon", "2026-09-30T25:00",
        "2026-09-30T24:00:01", "2026-09-30T10:60", "2026-09-30T10:00+15:00", "2026-9-316:30", "2026-09-30" + " " * 200,
    ],
)  # fmt: skip
def test_no_dates(written: object) -> None:
    assert read_date(written) == (None, "not_a_date")


@pytest.mark.parametrize(
    "written", ["2026-09", "2026/9", "202609", "2026年9月", "2026-09Z", "2026-09+08:00", "2026-09-05:00"]
)
def test_months(written: str) -> None:
    assert read_month(written) == (2026 * 12 + 8, None)


@pytest.mark.parametrize("written", ["2026-13", "2026-00", "26-09", 202609, "2026-09-30", "2026-09+8"])
def test_no_months(written: object) -> None:
    assert read_month(written) == (None, "not_a_month")


@pytest.mark.parametrize(
    ("written", "flag"),
    [
        (True, True), ("False", False), ("是", True), ("maybe", None), (1, None), ("1", True), ("0", False),
        (" true\n", True), ("01", None), ("2", None), ("", None),
    ],
)  # fmt: skip
def test_flags(written: object, flag: bool | None) -> None:
    assert read_flag(written) == (flag, None if flag is not None else "not_a_boolean")


@pytest.mark.parametrize(("numerator", "quotient"), [(5, 3), (-5, -3), (4, 2), (3, 2), (-3, -2), (0, 0)])
def test_halves_round_away_from_zero(numerator: int, quotient: int) -> None:
    assert divide_half_up(numerator, 2) == quotient


def test_ratios_have_no_sense_over_nothing_and_are_capped() -> None:
    assert ratio_bps(1, 0) is None
    assert ratio_bps(1, -1) is None
    assert ratio_bps(10**14, 1) == 1_000_000_000
    assert ratio_bps(-(10**14), 1) == -1_000_000_000


def test_volatility_is_exact_where_floats_are_not() -> None:
    assert volatility_bps([100, 100, 100]) == 0
    assert volatility_bps([0, 200]) == 10_000
    # √(3·(1+4+9) − 36) / 6 = √6 / 6 = 0.40824829…
    assert volatility_bps([1, 2, 3]) == 4_082
    # Adding a common scale changes nothing, even beyond what a double can hold.
    assert volatility_bps([10**14, 2 * 10**14, 3 * 10**14]) == 4_082
    assert volatility_bps([0, 0, 0]) is None
    assert volatility_bps([1, None, 3]) is None


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        (date(2026, 1, 31), date(2026, 2, 28), 1),
        (date(2026, 1, 31), date(2026, 2, 27), 0),
        (date(2024, 2, 29), date(2025, 2, 28), 12),
        (date(2026, 1, 15), date(2026, 1, 15), 0),
        (date(2025, 12, 22), date(2026, 11, 21), 10),
    ],
)
def test_full_months(start: date, end: date, months: int) -> None:
    assert full_months(start, end) == months
