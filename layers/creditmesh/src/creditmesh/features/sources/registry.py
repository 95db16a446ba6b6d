"""The company registry's answer: registration, annual reports, changes, pledges, penalties."""

from __future__ import annotations

import re
from datetime import date

from creditmesh.features.answer import Answer, Row
from creditmesh.features.cleaning import date_of
from creditmesh.features.row import FILING_YEARS
from creditmesh.features.schema import CHANGES, REGISTRATION_STATUSES, Values
from creditmesh.features.sources.common import day_number, listed, not_after

# A year's report is due by 30 June of the next one.
_FILING_MONTH = 6
_INDUSTRY = re.compile(r"[A-T][0-9]{2}")


def clean(answer: Answer, as_of: date) -> Values:
    registration = answer.section("registration")
    established_on = not_after(registration, "established_on", registration.day("established_on"), as_of)
    values = {
        "status": registration.choice("status", REGISTRATION_STATUSES),
        "industry": _industry(registration),
        "established_on": established_on,
        "registered_capital": registration.amount("registered_capital"),
    }
    operations = answer.section("operations")
    return {
        "registration": values if registration.present else None,
        "filings": _filings(answer, as_of, established_on),
        "changes": listed(answer, "changes", lambda row: {"kind": row.choice("kind", CHANGES), "on": row.day("on")}),
        "pledges": listed(answer, "pledges", lambda row: _pledge(row, day_number(as_of))),
        "operations": {"abnormal_listed": operations.flag("abnormal_listed")} if operations.present else None,
        "penalties": listed(answer, "penalties", lambda row: {"on": row.day("on"), "amount": row.amount("amount")}),
    }


def industry_code(text: str) -> str | None:
    """Section letter and division of an industry code; None if it is not one."""
    match = _INDUSTRY.match(text.upper())
    return match[0] if match else None


def _industry(registration: Row) -> str | None:
    text = registration.text("industry")
    code = industry_code(text) if text is not None else None
    if text is not None and code is None:
        registration.note("industry", "unknown_value")
    return code


def _pledge(row: Row, today: int) -> Values:
    registered_on = row.day("registered_on")
    released_on, known = row.optional_day("released_on")
    active = None
    if registered_on is not None and known:
        active = registered_on <= today and (released_on is None or released_on > today)
    return {"active": active, "amount": row.amount("amount")}


def _filings(answer: Answer, as_of: date, established_on: int | None) -> list[Values] | None:
    """The last years whose report is due, and whether it was filed; None if a row is unreadable."""
    rows = answer.rows("filings")
    if rows is None or established_on is None:
        return None
    filed: dict[int, int | None] = {}
    known = True
    for row in rows:
        year = row.count("year")
        filed_on, readable = row.optional_day("filed_on")
        known = known and year is not None and readable
        if year is not None and filed_on is not None and filed_on <= day_number(as_of):
            filed[year] = _insured(row)
    if not known:
        return None
    last_due = as_of.year - (1 if as_of.month > _FILING_MONTH else 2)
    first = max(date_of(established_on).year, last_due - FILING_YEARS + 1)
    return [
        {"year": year, "filed": year in filed, "insured_employees": filed.get(year)}
        for year in range(first, last_due + 1)
    ]


def _insured(row: Row) -> int | None:
    """Insured employees in a year's report; a firm may omit them, so their absence is no finding."""
    return row.count("insured_employees") if row.given("insured_employees") else None
