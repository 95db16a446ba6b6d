"""APR and effective rate, with published figures (S03)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from creditmesh.kernel.yearly_cost import Flow, NoRate, apr_actuarial, effective_rate, unit_periods, years_between


def monthly(*runs: tuple[int, int], first: int = 1, part: Fraction = Fraction()) -> list[Flow]:
    """Payments in whole currency, each run with its number, one a period."""
    amounts = [amount * 100 for amount, count in runs for _ in range(count)]
    return [Flow(amount, first + number, part) for number, amount in enumerate(amounts)]


@pytest.mark.parametrize(
    ("amount", "flows", "per_year", "apr"),
    [
        # Regulation Z, Appendix J(c).
        (5_000, monthly((230, 24)), 12, "9.69"),
        (6_000, monthly((200, 36), part=Fraction(19, 30)), 12, "11.82"),
        (5_000, monthly((250, 1), (230, 23)), 12, "10.08"),
        (5_000, monthly((250, 1), (230, 22), (280, 1)), 12, "10.90"),
        # simontreanor/FSharp.Finance.Personal, AprUsActuarialTests.
        (10_000, monthly((385, 40), part=Fraction(8, 90)), 4, "9.15"),
        (1_000, monthly((250, 5), first=0, part=Fraction(6, 7)), 52, "434.30"),
    ],
)
def test_regulation_z(amount: int, flows: list[Flow], per_year: int, apr: str) -> None:
    assert f"{apr_actuarial(amount * 100, flows, per_year):.2f}" == apr


def twelfths(payments: list[int]) -> list[tuple[int, Fraction]]:
    return [(payment, Fraction(number, 12)) for number, payment in enumerate(payments, 1)]


@pytest.mark.parametrize(
    ("net", "flows", "digits", "rate"),
    [
        # Directive 98/7/EC, annex III.
        (100_000, [(120_000, Fraction(546, 365))], 2, "12.96"),
        (100_000, [(60_000, Fraction(1)), (60_000, Fraction(2))], 2, "13.07"),
        # European Commission, Examples for the calculation of the APRC (2015), example 12.
        (19_600_000, twelfths([190_000 - 450 * n for n in range(222)] + [20_100]), 6, "6.492533"),
        # curo's calculator: a fee with the first payment.
        (1_000_000, twelfths([175_700, *[170_700] * 5]), 2, "10.45"),
        # The United Kingdom's regulator, as in php-apr-calculator.
        (1_000_000, twelfths([22_244] * 60), 1, "12.7"),
        (20_000, twelfths([25_000]), 1, "1355.2"),
        (50_000, [(51_000, years_between(date(2012, 10, 10), date(2012, 10, 15)))], 3, "324.436"),
        (20_000_000, twelfths([1_680_667] * 12), 2, "1.56"),
    ],
)
def test_the_directives_rate(net: int, flows: list[tuple[int, Fraction]], digits: int, rate: str) -> None:
    assert f"{effective_rate(net, flows):.{digits}f}" == rate


@pytest.mark.parametrize(
    ("start", "end", "lengths", "found"),
    [
        ("1978-06-23", "1978-10-01", {"months": 3}, (1, Fraction(8, 90))),
        ("2023-11-24", "2023-11-30", {"days": 7}, (0, Fraction(6, 7))),
        ("2024-01-01", "2024-01-24", {"days": 14}, (1, Fraction(9, 14))),
        ("2025-01-31", "2025-02-28", {}, (0, Fraction(28, 30))),
        ("2025-02-28", "2025-03-31", {}, (1, Fraction(0))),
        ("2025-01-10", "2025-03-20", {}, (2, Fraction(10, 30))),
        ("2024-02-29", "2025-02-28", {}, (11, Fraction(28, 30))),
    ],
)
def test_unit_periods_are_counted_back(
    start: str, end: str, lengths: dict[str, int], found: tuple[int, Fraction]
) -> None:
    assert unit_periods(date.fromisoformat(start), date.fromisoformat(end), **lengths) == found


def test_nothing_earned_is_a_rate_of_zero_and_a_loss_is_negative() -> None:
    assert abs(effective_rate(100, [(100, Fraction(1))])) < Decimal("1e-9")
    assert f"{effective_rate(10_000, [(9_000, Fraction(1))]):.4f}" == "-10.0000"


@pytest.mark.parametrize(
    ("net", "flows"), [(0, [(1, Fraction(1))]), (-5, [(1, Fraction(1))]), (100, []), (1, [(10**15, Fraction(1))])]
)
def test_there_may_be_no_rate(net: int, flows: list[tuple[int, Fraction]]) -> None:
    with pytest.raises(NoRate):
        effective_rate(net, flows)
