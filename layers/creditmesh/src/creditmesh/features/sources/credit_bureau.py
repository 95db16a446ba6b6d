"""The credit bureau's answer: accounts, overdue months, enquiries."""

from __future__ import annotations

from datetime import date

from creditmesh.features.answer import Answer, Row, keyed
from creditmesh.features.schema import ACCOUNTS, ENQUIRIES, KINDS, Values
from creditmesh.features.sources.common import by_id, day_number, listed

_MOST_MONTHS = KINDS["small"].high
_MOST_DAYS = KINDS["days"].high


def clean(answer: Answer, as_of: date) -> Values:
    accounts = by_id(answer, "accounts", lambda row: row.text("account_id"))
    today = day_number(as_of)
    return {
        "accounts": None if accounts is None else [_account(row, today) for row in accounts],
        "overdue": _overdue(answer),
        "enquiries": listed(answer, "enquiries", _enquiry),
    }


def _account(row: Row, today: int) -> Values:
    opened_on = row.day("opened_on")
    closed_on, known = row.optional_day("closed_on")
    is_open = None
    if opened_on is not None and known:
        is_open = opened_on <= today and (closed_on is None or closed_on > today)
        if closed_on is not None and closed_on < opened_on:
            row.note("closed_on", "contradictory")
            is_open = None
    return {
        "kind": row.choice("kind", ACCOUNTS),
        "lender": row.text("lender"),
        "opened_on": opened_on,
        "open": is_open,
        "credit_limit": row.amount("credit_limit"),
        "balance": row.amount("balance"),
        "monthly_payment": row.amount("monthly_payment"),
        "overdue_amount": row.amount("overdue_amount"),
        "worst_months": row.count("worst_months_past_due_24m", _MOST_MONTHS),
    }


def _overdue(answer: Answer) -> list[Values] | None:
    rows = keyed(answer, "overdue", _key)
    if rows is None:
        return None
    return [
        {"month": month, "days_past_due": row.count("days_past_due", _MOST_DAYS), "amount": row.amount("amount")}
        for (_, month), row in rows.items()
    ]


def _key(row: Row) -> tuple[str, int] | None:
    account, month = row.text("account_id"), row.month("month")
    return None if account is None or month is None else (account, month)


def _enquiry(row: Row) -> Values:
    return {"on": row.day("on"), "reason": row.choice("reason", ENQUIRIES)}
