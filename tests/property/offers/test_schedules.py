"""Every schedule adds up to the cent, whatever the terms (S01, S03)."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from creditmesh.kernel.calendars import after_months, whole_months
from creditmesh.kernel.day_counts import DayCount, year_fraction
from creditmesh.kernel.yearly_cost import Flow, apr_actuarial, effective_rate, years_between
from creditmesh.offers.schedule import Method, dated, due_days, undated

PRINCIPAL = st.integers(1, 10**12)
RATE = st.integers(0, 3_600).map(lambda bps: Fraction(bps, 10_000))
COUNT = st.integers(1, 60)
DAYS = st.dates(date(2000, 1, 1), date(2060, 1, 1))


@st.composite
def graces(draw: st.DrawFn) -> tuple[int, int]:
    count = draw(COUNT)
    return count, draw(st.integers(0, count - 1))


@given(PRINCIPAL, RATE, st.sampled_from(Method), graces(), st.sampled_from(DayCount), DAYS, st.booleans())
def test_principal_is_repaid_and_interest_is_that_of_the_balance(
    principal: int,
    rate: Fraction,
    method: Method,
    lengths: tuple[int, int],
    convention: DayCount,
    start: date,
    monthly: bool,
) -> None:
    count, grace = lengths
    due = due_days(start, count) if monthly else due_days(start, count, days=14)
    rows = dated(principal, rate, method, start, due, convention, grace=grace)
    assert sum(row.principal for row in rows) == principal
    assert rows[-1].balance == 0
    assert all(row.principal >= 0 and row.interest >= 0 for row in rows)
    balance, before = principal, start
    for row in rows:
        exact = balance * rate * year_fraction(convention, before, row.due or start)
        if method is Method.BULLET:
            exact = (
                principal
                * rate
                * sum((year_fraction(convention, *pair) for pair in zip([start, *due], due, strict=False)), Fraction())
            )
        assert abs(row.interest - exact) <= Fraction(1, 2)
        balance, before = balance - row.principal, row.due or start
        assert row.balance == balance
    assert all(row.principal == 0 for row in rows[:grace] if method is not Method.BULLET)


@given(PRINCIPAL, RATE, graces())
def test_an_annuity_differs_by_rounding_only(principal: int, rate: Fraction, lengths: tuple[int, int]) -> None:
    """What half a cent of rounding a period leaves, with interest on it, is in the last instalment."""
    count, grace = lengths
    rows = undated(principal, rate, Method.ANNUITY, count, grace=grace)[grace:]
    regular = {row.payment for row in rows[:-1] if row.balance}
    assert len(regular) <= 1
    spread = sum((1 + rate / 12) ** number for number in range(len(rows)))
    for payment in regular:
        assert abs(rows[-1].payment - payment) <= spread + 1


@given(st.integers(100_000, 10**12), st.integers(1, 3_600), st.integers(1, 120))
def test_the_yearly_cost_of_an_annuity_without_fees_is_its_rate(principal: int, bps: int, count: int) -> None:
    rows = undated(principal, Fraction(bps, 10_000), Method.ANNUITY, count)
    apr = apr_actuarial(principal, [Flow(row.payment, row.number) for row in rows], 12)
    assert abs(float(apr) - bps / 100) < 0.05
    effective = effective_rate(principal, [(row.payment, Fraction(row.number, 12)) for row in rows])
    assert abs(float(effective) - ((1 + float(apr) / 1200) ** 12 - 1) * 100) < 1e-6


@given(st.integers(10_000, 10**9), st.integers(0, 5_000), st.integers(30, 3_000))
def test_more_paid_back_is_a_higher_rate(net: int, earned: int, days: int) -> None:
    years = years_between(date(2020, 1, 1), date.fromordinal(date(2020, 1, 1).toordinal() + days))
    low, high = (effective_rate(net, [(net + more, years)]) for more in (earned, earned + 100))
    assert low < high


@given(DAYS, st.integers(0, 240), st.integers(0, 30))
def test_whole_months_are_the_inverse_of_months_added(start: date, months: int, more: int) -> None:
    end = after_months(start, months)
    assert whole_months(start, end) == months
    later = date.fromordinal(end.toordinal() + more)
    assert (
        after_months(start, whole_months(start, later)) <= later < after_months(start, whole_months(start, later) + 1)
    )


@given(DAYS, st.integers(1, 1_000), st.integers(1, 1_000), st.sampled_from([d for d in DayCount if d != "30/360"]))
def test_shares_of_a_year_add_up(start: date, first: int, second: int, convention: DayCount) -> None:
    middle, end = (date.fromordinal(start.toordinal() + days) for days in (first, first + second))
    whole = year_fraction(convention, start, end)
    assert whole == year_fraction(convention, start, middle) + year_fraction(convention, middle, end)
