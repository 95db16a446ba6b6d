"""A value written in any known notation is read back exactly: the writers below are the readers' inverse (C10)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from creditmesh.features.answer import Answer
from creditmesh.features.cleaning import MAX_MINOR, date_of, read_count, read_date, read_minor, read_month, read_text
from creditmesh.features.findings import Quality

MINOR = st.integers(0, MAX_MINOR)
NEGATIVE = ("-{}", "−{}", "–{}", "—{}", "－{}", "△{}", "▲{}", "({})", "（{}）", "- {}")
CURRENCIES = (
    "{}",
    "¥{}",
    "￥ {}",
    "CNY {}",
    "rmb{}",
    "人民币{}",
    "人民幣{}",
    "{}元",
    "{}圆",
    "{}元人民币",
    "{} CNY",
    "CN¥{}",
)
UNITS = {"": 0, "万": 4, "萬元": 4, "百万": 6, "千万": 7, "亿": 8, "億元": 8, "千": 3, "万亿": 12}
ZONES = st.sampled_from(["Asia/Shanghai", "UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
DAYS = st.dates(date(1971, 1, 1), date(2099, 12, 29))
FULL_WIDTH = str.maketrans("0123456789.,-", "０１２３４５６７８９．，－")


def fixed(minor: int, shift: int = 0) -> str:
    """A decimal without exponent."""
    return f"{Decimal(minor).scaleb(-2 - shift):f}"


@st.composite
def numbers(draw: st.DrawFn, minor: int) -> str:
    """An amount's number in one of the notations, without sign and currency."""
    notation = draw(st.sampled_from(["plain", "grouped", "spaced", "wide", "scientific", *UNITS]))
    if notation == "scientific":
        return f"{Decimal(minor).scaleb(-2):E}"
    if notation in UNITS:
        return fixed(minor, UNITS[notation]) + notation
    grouped = f"{Decimal(minor).scaleb(-2):,f}"
    forms = {"grouped": grouped, "spaced": grouped.replace(",", " "), "wide": grouped.translate(FULL_WIDTH)}
    return forms.get(notation, fixed(minor))


@settings(max_examples=600, deadline=None)
@given(data=st.data(), minor=MINOR)
def test_amounts(data: st.DataObject, minor: int) -> None:
    number = data.draw(numbers(minor))
    currency = data.draw(st.sampled_from(CURRENCIES)) if not number.endswith(("元", "圆")) else "{}"
    sign = data.draw(st.sampled_from(("{}", "+{}", *NEGATIVE)))
    inside = data.draw(st.booleans())
    written = sign.format(currency.format(number)) if inside or "(" in sign else currency.format(sign.format(number))
    assert read_minor(written) == (-minor if sign in NEGATIVE else minor, None), written


@settings(max_examples=200, deadline=None)
@given(minor=st.integers(1, MAX_MINOR), first=st.sampled_from(NEGATIVE), second=st.sampled_from(NEGATIVE))
def test_two_signs_are_never_read(minor: int, first: str, second: str) -> None:
    value, finding = read_minor(first.format(second.format(fixed(minor))))
    assert value is None
    assert finding in ("double_sign", "not_a_number")


@given(minor=st.integers(0, 10**6), most=st.sampled_from([500, 1_000]))
def test_hundredths(minor: int, most: int) -> None:
    """Percentages and ratings: two decimals within bounds, or a finding."""
    quality = Quality()
    row = Answer("test", {"row": {"rate": fixed(minor)}}, quality, money=False).section("row")
    assert row.hundredths("rate", most) == (minor if minor <= most else None)
    assert [note.finding for note in quality.notes] == ([] if minor <= most else ["out_of_range"])


@given(count=st.integers(0, 10**9), form=st.sampled_from(["{}", "{:,}", "{}.0", "{:E}"]))
def test_counts(count: int, form: str) -> None:
    assert read_count(form.format(Decimal(count) if "E" in form else count)) == (count, None)


@settings(max_examples=400, deadline=None)
@given(
    day=DAYS,
    form=st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日", "%Y.%m.%d"]),
    at=st.none() | st.times(),
    wide=st.booleans(),
)
def test_days_and_local_times(day: date, form: str, at: time | None, wide: bool) -> None:
    written = day.strftime(form) + (f" {at:%H:%M:%S}" if at else "")
    assert read_date(written.translate(FULL_WIDTH) if wide else written, ZoneInfo("Asia/Shanghai")) == (day, None)


@settings(max_examples=400, deadline=None)
@given(
    instant=st.datetimes(datetime(1971, 1, 3), datetime(2099, 12, 27), timezones=st.just(UTC)),
    minutes=st.integers(-14 * 60, 14 * 60),
    zone=ZONES,
    form=st.sampled_from(["T", " "]),
)
def test_instants(instant: datetime, minutes: int, zone: str, form: str) -> None:
    """An instant, told with any offset, is the day that it is in the zone."""
    written = instant.astimezone(timezone(timedelta(minutes=minutes))).isoformat(form)
    assert read_date(written, ZoneInfo(zone)) == (instant.astimezone(ZoneInfo(zone)).date(), None)


@given(day=st.integers(1, 47_000), form=st.sampled_from(["%Y-%m", "%Y/%m", "%Y%m", "%Y年%m月"]))
def test_months(day: int, form: str) -> None:
    at = date_of(day)
    assert read_month(at.strftime(form)) == (at.year * 12 + at.month - 1, None)


@given(start=st.text("x", min_size=150, max_size=400), ends=st.lists(st.text("abc1", max_size=9), max_size=6))
def test_texts_are_as_different_as_they_were_written(start: str, ends: list[str]) -> None:
    read = {read_text(start + end) for end in ends}
    assert len(read) == len(set(ends))
    assert all(text is not None and len(text) <= 200 for text in read)
