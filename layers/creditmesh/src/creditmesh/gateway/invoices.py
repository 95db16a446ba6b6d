"""Features of the monthly invoices over the 12 and 24 full calendar months before the as-of date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from creditmesh.gateway.answer import Answer, Row, keyed
from creditmesh.gateway.exact import change_bps, divide_half_up, month_index, ratio_bps, sum_known, volatility_bps
from creditmesh.gateway.statements import WINDOW, YEAR, Features

HALF_YEAR = 6
# Two or fewer points say nothing about how much a series swings.
FEWEST_FOR_VOLATILITY = 3


@dataclass(frozen=True)
class Month:
    """One month of invoices; ``active`` is None where neither count nor amount can be read."""

    count: int | None
    void_count: int | None
    amount: int | None
    customers: int | None
    top_amount: int | None
    active: bool | None


_NOTHING = Month(count=0, void_count=0, amount=0, customers=0, top_amount=0, active=False)


def invoice_features(answer: Answer, as_of: date, registered_on: date | None) -> Features:
    """Turnover, regularity, trend and concentration of what the firm invoices.

    Months before ``registered_on`` are not months without an invoice; where it is unknown, every month counts.
    """
    found = keyed(answer, "invoices", lambda row: row.month("month"))
    if found is None:
        return dict.fromkeys(_FEATURES)
    now = month_index(as_of)
    born = now - WINDOW if registered_on is None else month_index(registered_on)
    series = [_month(found[index]) if index in found else _NOTHING for index in range(now - WINDOW, now)]
    lived = max(0, min(WINDOW, now - born))
    year = series[-YEAR:]
    return {
        "invoice_total_12m_minor": sum_known(one.amount for one in year),
        "invoice_months_active_12m": sum_known(None if one.active is None else int(one.active) for one in year),
        "invoice_gap_months_max_24m": _longest_gap(series[WINDOW - lived :]),
        "invoice_volatility_bps": _volatility(year[YEAR - min(lived, YEAR) :]),
        "invoice_trend_bps": _trend(year) if lived >= YEAR else None,
        "invoice_void_rate_bps": ratio_bps(
            sum_known(one.void_count for one in year), sum_known(one.count for one in year)
        ),
        **_customer_features([one for one in year if one.active is not False]),
    }


def _customer_features(active: Sequence[Month]) -> Features:
    customers = sum_known(one.customers for one in active)
    top, total = sum_known(one.top_amount for one in active), sum_known(one.amount for one in active)
    return {
        "top_customer_share_bps": ratio_bps(top, total),
        "customer_count_12m": None if customers is None or not active else divide_half_up(customers, len(active)),
    }


def _month(row: Row) -> Month:
    count, amount = row.count("count"), row.amount("amount")
    void_count, top_amount = row.count("void_count"), row.amount("top_customer_amount")
    if count is not None and void_count is not None and void_count > count:
        row.note("void_count", "more_than_all")
        void_count = None
    if amount is not None and top_amount is not None and top_amount > amount:
        row.note("top_customer_amount", "more_than_all")
        top_amount = None
    active = count > 0 if count is not None else amount > 0 if amount is not None else None
    return Month(count, void_count, amount, row.count("customer_count"), top_amount, active)


def _longest_gap(months: Sequence[Month]) -> int | None:
    longest = run = 0
    for one in months:
        if one.active is None:
            return None
        run = 0 if one.active else run + 1
        longest = max(longest, run)
    return longest


def _volatility(months: Sequence[Month]) -> int | None:
    return volatility_bps([one.amount for one in months]) if len(months) >= FEWEST_FOR_VOLATILITY else None


def _trend(year: Sequence[Month]) -> int | None:
    before, now = (sum_known(one.amount for one in half) for half in (year[:HALF_YEAR], year[HALF_YEAR:]))
    return change_bps(now, before)


_FEATURES = (
    "invoice_total_12m_minor",
    "invoice_months_active_12m",
    "invoice_gap_months_max_24m",
    "invoice_volatility_bps",
    "invoice_trend_bps",
    "invoice_void_rate_bps",
    "top_customer_share_bps",
    "customer_count_12m",
)
