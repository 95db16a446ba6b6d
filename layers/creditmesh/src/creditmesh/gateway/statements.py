"""Features of the financial statements: two windows of twelve months that end with the latest statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from creditmesh.gateway.answer import Answer, Row, keyed
from creditmesh.gateway.exact import change_bps, month_index, ratio_bps, sum_known

Features = dict[str, int | str | bool | None]

YEAR = 12
WINDOW = 24
# A statement is due within a month of its quarter's end; later than two quarters, the figures are of another time.
STALE_AFTER_MONTHS = 6


@dataclass(frozen=True)
class Statement:
    """A statement's span of months, both ends included, and its figures in minor units."""

    first: int
    last: int
    revenue: int | None
    profit: int | None
    operating_cash_flow: int | None
    total_assets: int | None
    current_assets: int | None
    total_liabilities: int | None
    current_liabilities: int | None


def statement_features(answer: Answer, as_of: date) -> Features:
    """Revenue, profit, cash flow and balance-sheet features; null where a window is not wholly covered."""
    found = _read(answer, as_of)
    if found is None:
        return dict.fromkeys(_FEATURES)
    this_year, year_before = _window(answer, found, 0), _window(answer, found, YEAR)
    revenue, prior = _total(this_year, "revenue"), _total(year_before, "revenue")
    profit = _total(this_year, "profit")
    return {
        "revenue_12m_minor": revenue,
        "revenue_prior_12m_minor": prior,
        "revenue_growth_bps": change_bps(revenue, prior),
        "profit_12m_minor": profit,
        "profit_margin_bps": ratio_bps(profit, revenue),
        "operating_cash_flow_12m_minor": _total(this_year, "operating_cash_flow"),
        "statement_months": sum(one.last - one.first + 1 for one in found),
        **_balance_features(found[-1] if found else None),
    }


def _balance_features(last: Statement | None) -> Features:
    if last is None:
        return dict.fromkeys(_BALANCE)
    assets, liabilities = last.total_assets, last.total_liabilities
    return {
        "total_assets_minor": assets,
        "total_liabilities_minor": liabilities,
        "net_assets_minor": None if assets is None or liabilities is None else assets - liabilities,
        "debt_ratio_bps": ratio_bps(liabilities, assets),
        "current_ratio_bps": ratio_bps(last.current_assets, last.current_liabilities),
    }


def _read(answer: Answer, as_of: date) -> list[Statement] | None:
    """The statements of the last 24 months up to the latest, oldest first, none overlapping another."""
    by_day = keyed(answer, "statements", lambda row: row.day("period_end"))
    if by_day is None:
        return None
    found: list[Statement] = []
    for period_end in sorted(by_day, reverse=True):
        if period_end > as_of:
            by_day[period_end].note("period_end", "in_the_future")
            continue
        span = by_day[period_end].count("months")
        if span is None or not 1 <= span <= YEAR:
            answer.spoil("statements", "months_unreadable")
            return None
        last = month_index(period_end)
        if found and last >= found[-1].first:
            by_day[period_end].note("period_end", "overlap")
        elif not found or last - span + 1 > found[0].last - WINDOW:
            found.append(_statement(by_day[period_end], last - span + 1, last))
    if found and month_index(as_of) - found[0].last > STALE_AFTER_MONTHS:
        answer.note("statements", "stale")
    return found[::-1]


def _statement(row: Row, first: int, last: int) -> Statement:
    return Statement(
        first=first,
        last=last,
        revenue=row.amount("revenue"),
        profit=row.amount("profit", signed=True),
        operating_cash_flow=row.amount("operating_cash_flow", signed=True),
        total_assets=row.amount("total_assets"),
        current_assets=row.amount("current_assets"),
        total_liabilities=row.amount("total_liabilities"),
        current_liabilities=row.amount("current_liabilities"),
    )


def _window(answer: Answer, found: Sequence[Statement], back: int) -> list[Statement] | None:
    """The statements that cover exactly the twelve months ending ``back`` months before the latest; else None."""
    if not found:
        return None
    last = found[-1].last - back
    inside = [one for one in found if last - YEAR < one.first and one.last <= last]
    covered = sum(one.last - one.first + 1 for one in inside)
    if covered == YEAR:
        return inside
    if found[0].first <= last - YEAR + 1:
        answer.note("statements", "gap")
    return None


def _total(window: Sequence[Statement] | None, field: str) -> int | None:
    return None if window is None else sum_known(getattr(one, field) for one in window)


_BALANCE = ("total_assets_minor", "total_liabilities_minor", "net_assets_minor", "debt_ratio_bps", "current_ratio_bps")
_FEATURES = (
    "revenue_12m_minor",
    "revenue_prior_12m_minor",
    "revenue_growth_bps",
    "profit_12m_minor",
    "profit_margin_bps",
    "operating_cash_flow_12m_minor",
    "statement_months",
    *_BALANCE,
)
