"""Features of the tax payments: what was paid for the window's periods, what was late, what is still owed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from creditmesh.gateway.answer import Answer, Row, keyed
from creditmesh.gateway.exact import month_index, sum_known
from creditmesh.gateway.statements import WINDOW, YEAR, Features

TAX_TYPES = ("VAT", "CIT", "PIT", "STAMP")


@dataclass(frozen=True)
class Payment:
    """One tax of one period; ``paid`` and ``late`` are None where a date cannot be read."""

    period: int
    amount: int | None
    paid: bool | None
    late: bool | None


def payment_features(answer: Answer, as_of: date) -> Features:
    """Tax paid, lateness and arrears as the tax bureau's payments show them on ``as_of``."""
    found = _read(answer, as_of)
    if found is None:
        return dict.fromkeys(_FEATURES)
    now = month_index(as_of)
    lateness = [one.late for one in found if now - WINDOW <= one.period < now]
    return {
        "tax_paid_12m_minor": _paid(found, now - YEAR, now),
        "tax_paid_prior_12m_minor": _paid(found, now - WINDOW, now - YEAR),
        "tax_late_count_24m": None if None in lateness else sum(late is True for late in lateness),
        "tax_arrears_minor": sum_known(_owed(one) for one in found),
    }


def _read(answer: Answer, as_of: date) -> list[Payment] | None:
    rows = keyed(answer, "payments", _key)
    if rows is None:
        return None
    return [_payment(row, period, as_of) for (_, period), row in rows.items()]


def _key(row: Row) -> tuple[str, int] | None:
    tax_type, period = row.choice("tax_type", TAX_TYPES), row.month("period")
    return None if tax_type is None or period is None else (tax_type, period)


def _payment(row: Row, period: int, as_of: date) -> Payment:
    due_on = row.day("due_on")
    paid_on, known = row.optional_day("paid_on")
    paid = (paid_on is not None and paid_on <= as_of) if known else None
    late = None
    if due_on is not None and known:
        late = (paid_on if paid and paid_on else as_of) > due_on
    return Payment(period=period, amount=row.amount("amount"), paid=paid, late=late)


def _paid(found: list[Payment], first: int, end: int) -> int | None:
    inside = [one for one in found if first <= one.period < end]
    return sum_known(0 if one.paid is False else one.amount if one.paid else None for one in inside)


def _owed(one: Payment) -> int | None:
    """What is due and unpaid; nothing where it was paid or is not due yet."""
    if one.paid is True or one.late is False:
        return 0
    return None if one.paid is None or one.late is None else one.amount


_FEATURES = ("tax_paid_12m_minor", "tax_paid_prior_12m_minor", "tax_late_count_24m", "tax_arrears_minor")
