"""Schedules with outside figures: Fineract's tests, worked examples, a calculator (S01, S02)."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from creditmesh.kernel.day_counts import DayCount
from creditmesh.offers.schedule import Instalment, Method, dated, due_days, undated


def rate(percent: str) -> Fraction:
    return Fraction(percent) / 100


def days(*texts: str) -> list[date]:
    return [date.fromisoformat(text) for text in texts]


def test_fineracts_annuity_of_a_hundred() -> None:
    rows = undated(100_00, rate("9.4822"), Method.ANNUITY, 6)
    assert [row.payment for row in rows] == [1713] * 6
    assert [row.interest for row in rows] == [79, 66, 53, 40, 27, 13]


@pytest.mark.parametrize(
    ("principal", "percent", "count", "first"),
    [(1_000_000_00, "6.3", 3, 336_839_44), (630_000_00, "4.90", 360, 3_343_58), (10_000_00, "8.25", 6, 1_707_00)],
)
def test_instalments_of_annuities(principal: int, percent: str, count: int, first: int) -> None:
    assert undated(principal, rate(percent), Method.ANNUITY, count)[0].payment == first


def test_the_interest_of_ten_years() -> None:
    rows = undated(120_000_00, rate("4.86"), Method.ANNUITY, 120)
    assert sum(row.interest for row in rows) == 31_750_84
    assert sum(row.payment for row in rows) == 151_750_84


def test_equal_parts_of_principal() -> None:
    rows = undated(1_000_000_00, rate("6.3"), Method.EQUAL_PRINCIPAL, 3)
    assert [row.payment for row in rows] == [338_583_33, 336_833_33, 335_083_34]


ISDA = days("2024-01-12", "2024-02-12", "2024-03-12", "2024-04-12", "2024-05-12", "2024-06-12")


@pytest.mark.parametrize(
    ("principal", "percent", "convention", "start", "due", "interest", "parts"),
    [
        (10_000_00, "9.4822", DayCount.ACT_ACT_ISDA, "2023-12-12", ISDA,
         [8046, 6720, 5050, 4063, 2632, 1365], [163267, 164593, 166263, 167250, 168681, 169946]),
        (10_000_00, "12", DayCount.ACT_ACT_ISDA, "2025-01-31", days("2025-03-01", "2025-03-31", "2025-05-01"),
         [9534, 6605, 3429], [330322, 333251, 336427]),
        (100_00, "12", DayCount.THIRTY_360, "2024-01-01", days("2024-03-01", "2024-05-01", "2024-07-01"),
         [200, 135, 68], [3268, 3333, 3399]),
        (100_00, "9.4822", DayCount.ACT_360, "2024-01-01", due_days(date(2024, 1, 1), 6, days=14),
         [37, 31, 25, 19, 12, 6], [1651, 1657, 1663, 1669, 1676, 1684]),
    ],
)  # fmt: skip
def test_dated_annuities(
    principal: int, percent: str, convention: DayCount, start: str, due: list[date], interest: Any, parts: Any
) -> None:
    rows = dated(principal, rate(percent), Method.ANNUITY, date.fromisoformat(start), due, convention)
    assert [row.due for row in rows] == due
    assert [row.interest for row in rows] == interest
    assert [row.principal for row in rows] == parts


def test_a_bullet_loan_is_one_payment() -> None:
    start, due = date(2023, 1, 1), date(2023, 2, 1)
    assert dated(1_000_00, rate("12"), Method.BULLET, start, [due]) == [Instalment(1, due, 1_000_00, 10_19, 0)]
    assert undated(1_000_00, rate("12"), Method.BULLET, 6) == [Instalment(1, None, 1_000_00, 60_00, 0)]


def test_interest_first_and_principal_at_the_end() -> None:
    rows = undated(1_000_00, rate("12"), Method.INTEREST_ONLY, 3)
    assert [(row.interest, row.principal, row.balance) for row in rows] == [
        (10_00, 0, 1_000_00), (10_00, 0, 1_000_00), (10_00, 1_000_00, 0),
    ]  # fmt: skip


def test_grace_leaves_the_end_where_it_is() -> None:
    rows = undated(1_000_00, rate("12"), Method.ANNUITY, 6, grace=2)
    assert [row.principal for row in rows[:2]] == [0, 0]
    assert [row.interest for row in rows[:3]] == [10_00, 10_00, 10_00]
    assert (len(rows), rows[-1].balance) == (6, 0)
    assert {row.payment for row in rows[2:5]} == {256_28}


@pytest.mark.parametrize(
    ("start", "day", "due"),
    [
        ("2025-01-31", None, ["2025-02-28", "2025-03-31", "2025-04-30"]),
        ("2025-01-20", 25, ["2025-02-25", "2025-03-25", "2025-04-25"]),
        ("2025-01-20", 31, ["2025-02-28", "2025-03-31", "2025-04-30"]),
        ("2025-01-05", 25, ["2025-01-25", "2025-02-25", "2025-03-25"]),
        ("2025-01-10", 25, ["2025-01-25", "2025-02-25", "2025-03-25"]),
        ("2025-01-11", 25, ["2025-02-25", "2025-03-25", "2025-04-25"]),
        ("2024-12-28", 1, ["2025-02-01", "2025-03-01", "2025-04-01"]),
    ],
)
def test_due_days_come_from_the_anchor(start: str, day: int | None, due: list[str]) -> None:
    assert due_days(date.fromisoformat(start), 3, day=day) == days(*due)


@pytest.mark.parametrize(
    ("principal", "percent", "count", "grace"),
    [(0, "5", 6, 0), (-1, "5", 6, 0), (100, "-1", 6, 0), (100, "5", 0, 0), (100, "5", 6, 6), (100, "5", 481, 0)],
)
def test_terms_that_cannot_be_meant(principal: int, percent: str, count: int, grace: int) -> None:
    with pytest.raises(ValueError, match="must"):
        undated(principal, rate(percent), Method.ANNUITY, count, grace=grace)
