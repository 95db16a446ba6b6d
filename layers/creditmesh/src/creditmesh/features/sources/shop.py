"""The trading platform's answer: a shop's monthly orders, refunds and ratings."""

from __future__ import annotations

from datetime import date

from creditmesh.features.answer import Answer, Row, keyed
from creditmesh.features.cleaning import date_of
from creditmesh.features.row import WINDOW
from creditmesh.features.schema import SHOP_STATUSES, Values
from creditmesh.features.sources.common import month_index, not_after, tell_gap

_BEST_X100 = 500
_NOTHING = {"count": 0, "amount": 0, "cancelled_count": 0}


def clean(answer: Answer, as_of: date) -> Values:
    shop = answer.section("shop")
    opened_on = not_after(shop, "opened_on", shop.day("opened_on"), as_of)
    values = {"opened_on": opened_on, "status": shop.choice("status", SHOP_STATUSES)}
    refunds, ratings = keyed(answer, "refunds", _month_of), keyed(answer, "ratings", _month_of)
    return {
        "shop": values if shop.present else None,
        "orders": _orders(answer, as_of, opened_on),
        "refunds": None if refunds is None else [_refund(row, month) for month, row in refunds.items()],
        "ratings": None if ratings is None else [_rating(row, month) for month, row in ratings.items()],
    }


def _month_of(row: Row) -> int | None:
    return row.month("month")


def _orders(answer: Answer, as_of: date, opened_on: int | None) -> list[Values] | None:
    """A series of 24 full months without gaps; the month of opening is not a full one."""
    found = keyed(answer, "orders", _month_of)
    if found is None:
        return None
    now = month_index(as_of)
    first = now - WINDOW if opened_on is None else month_index(date_of(opened_on)) + 1
    months = range(now - WINDOW, now)
    tell_gap(answer, "orders", [month for month in months if month >= first and month not in found])
    return [
        {"month": month, "lived": month >= first, **(_order(found[month]) if month in found else _NOTHING)}
        for month in months
    ]


def _order(row: Row) -> Values:
    count, cancelled = row.count("count"), row.count("cancelled_count")
    if count is not None and cancelled is not None and cancelled > count:
        row.note("cancelled_count", "more_than_all")
        cancelled = None
    return {"count": count, "amount": row.amount("amount", signed=True), "cancelled_count": cancelled}


def _refund(row: Row, month: int) -> Values:
    return {"month": month, "count": row.count("count"), "amount": row.amount("amount", signed=True)}


def _rating(row: Row, month: int) -> Values:
    count = row.count("count")
    average = 0 if count == 0 else row.hundredths("average", _BEST_X100)
    return {"month": month, "average_x100": average, "count": count}
