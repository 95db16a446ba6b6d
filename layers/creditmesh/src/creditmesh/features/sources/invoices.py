"""Monthly invoices as a series of the 24 full months before the as-of day, without gaps."""

from __future__ import annotations

from datetime import date

from creditmesh.features.answer import Answer, Row, keyed
from creditmesh.features.cleaning import date_of
from creditmesh.features.row import WINDOW
from creditmesh.features.schema import Values
from creditmesh.features.sources.common import month_index, tell_gap

_NOTHING = {
    "active": False,
    "count": 0,
    "void_count": 0,
    "amount": 0,
    "customer_count": 0,
    "top_customer_amount": 0,
}


def clean_invoices(answer: Answer, as_of: date, registered_on: int | None) -> list[Values] | None:
    """The series. Months before ``registered_on`` (a day number) are not lived; if it is unknown, all are."""
    found = keyed(answer, "invoices", lambda row: row.month("month"))
    if found is None:
        return None
    now = month_index(as_of)
    born = now - WINDOW if registered_on is None else month_index(date_of(registered_on))
    months = range(now - WINDOW, now)
    tell_gap(answer, "invoices", [month for month in months if month >= born and month not in found])
    return [
        {"month": month, "lived": month >= born, **(_month(found[month]) if month in found else _NOTHING)}
        for month in months
    ]


def _month(row: Row) -> Values:
    count, amount = row.count("count"), row.amount("amount", signed=True)
    net_negative = amount is not None and amount < 0
    void_count, top_amount = row.count("void_count"), row.amount("top_customer_amount", signed=net_negative)
    if count is not None and void_count is not None and void_count > count:
        row.note("void_count", "more_than_all")
        void_count = None
    if amount is not None and not net_negative and top_amount is not None and top_amount > amount:
        row.note("top_customer_amount", "more_than_all")
        top_amount = None
    return {
        "active": count > 0 if count is not None else amount != 0 if amount is not None else None,
        "count": count,
        "void_count": void_count,
        "amount": amount,
        "customer_count": row.count("customer_count"),
        "top_customer_amount": top_amount,
    }
