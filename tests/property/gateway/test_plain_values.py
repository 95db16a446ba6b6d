"""The short path for plainly written values gives what the long one does, or nothing (C10)."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from creditmesh.features.answer import Answer
from creditmesh.features.cleaning import (
    plain_day,
    plain_minor,
    plain_month,
    read_any_minor,
    read_count,
    read_day,
    read_minor,
    read_month,
)
from creditmesh.features.findings import Quality

DIGITS = st.text("0123456789.-,１٣ ", max_size=18)
PLAIN = st.from_regex(r"-?[0-9]{1,13}\.[0-9]{2}", fullmatch=True)
DAYS = st.one_of(st.dates().map(str), st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True), DIGITS)
MONTHS = st.one_of(st.from_regex(r"[0-9]{4}-[0-9]{2}", fullmatch=True), DIGITS)


@settings(max_examples=1000, deadline=None)
@given(st.one_of(PLAIN, DIGITS, st.text(max_size=20)))
@example("-0.00")
@example(".45")
@example("999999999999.99")
@example("1000000000000.00")
@example("1٣.00")
def test_amounts(text: str) -> None:
    assert read_minor(text) == read_any_minor(text)
    assert plain_minor(text) in (None, read_any_minor(text)[0])


@settings(max_examples=500, deadline=None)
@given(DAYS, MONTHS)
def test_days_and_months(day: str, month: str) -> None:
    assert plain_day(day) in (None, read_day(day)[0])
    assert plain_month(month) in (None, read_month(month)[0])


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.integers(-3, 2_000), st.booleans(), st.floats(), DIGITS), st.integers(0, 2_000))
def test_counts(written: object, most: int) -> None:
    """A number within bounds is taken without a note; any other as the long way says."""
    quality = Quality()
    row = Answer("test", {"row": {"n": written}}, quality, money=False).section("row")
    value, fault = (None, "missing") if written == "" else read_count(written)
    if value is not None and value > most:
        value, fault = None, "out_of_range"
    assert (row.count("n", most), [note.finding for note in quality.notes]) == (value, [fault] if fault else [])


def test_plain_values_take_the_short_path() -> None:
    assert (plain_minor("123.45"), plain_minor("-0.01"), plain_minor("1,000.00")) == (12_345, -1, None)
    assert (plain_day("1970-01-02"), plain_day("1970-1-2"), plain_day("1970-02-30")) == (1, None, None)
    assert (plain_month("2026-09"), plain_month("2026-13")) == (2026 * 12 + 8, None)
