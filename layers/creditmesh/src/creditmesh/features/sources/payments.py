"""Tax payments: paid, late, and by how many days."""

from __future__ import annotations

from datetime import date

from creditmesh.features.answer import Answer, Row, keyed
from creditmesh.features.schema import TAX_TYPES, Values
from creditmesh.features.sources.common import day_number


def clean_payments(answer: Answer, as_of: date) -> list[Values] | None:
    """One row per tax and period, in document order; None if the section or a row's key is unknown."""
    rows = keyed(answer, "payments", _key)
    if rows is None:
        return None
    today = day_number(as_of)
    return [_payment(row, tax_type, period, today) for (tax_type, period), row in rows.items()]


def _key(row: Row) -> tuple[str, int] | None:
    tax_type, period = row.choice("tax_type", TAX_TYPES), row.month("period")
    return None if tax_type is None or period is None else (tax_type, period)


def _payment(row: Row, tax_type: str, period: int, today: int) -> Values:
    due_on = row.day("due_on")
    paid_on, known = row.optional_day("paid_on")
    paid = (paid_on is not None and paid_on <= today) if known else None
    late, days_late = None, None
    if due_on is not None and known:
        days_late = max(0, (paid_on if paid and paid_on is not None else today) - due_on)
        late = days_late > 0
    return {
        "tax_type": tax_type,
        "period": period,
        # A refund was paid out; one that is still owed must not offset arrears.
        "amount": row.amount("amount", signed=paid is True),
        "paid": paid,
        "late": late,
        "days_late": days_late,
    }
