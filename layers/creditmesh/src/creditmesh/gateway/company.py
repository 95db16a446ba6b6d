"""Features of the company registry: standing, age, changes, filings, pledges, penalties."""

from __future__ import annotations

import re
from datetime import date

from creditmesh.gateway.answer import Answer, Row
from creditmesh.gateway.exact import full_months, month_index
from creditmesh.gateway.statements import WINDOW, Features

STATUSES = ("active", "cancelled", "revoked", "liquidation")
CHANGES = ("legal_representative", "address", "capital", "scope", "shareholder")
# A year's report is due by 30 June of the next one; older failings than five years are past.
FILING_YEARS = 5
_FILING_MONTH = 6
_INDUSTRY = re.compile(r"[A-T][0-9]{2}")


def registry_features(answer: Answer, as_of: date) -> Features:
    """What the registry tells about a firm on ``as_of``."""
    registration = answer.section("registration")
    established_on = registration.day("established_on")
    return {
        "registration_status": registration.choice("status", STATUSES),
        "industry": _industry(registration),
        "company_age_months": age_months(registration, "established_on", established_on, as_of),
        "registered_capital_minor": registration.amount("registered_capital"),
        "legal_rep_changes_24m": _recent(answer, "changes", as_of, "legal_representative"),
        "penalty_count_24m": _recent(answer, "penalties", as_of, None),
        "pledge_active_count": _active_pledges(answer, as_of),
        "abnormal_operation_listed": answer.section("operations").flag("abnormal_listed"),
        "annual_filings_missed": _missed_filings(answer, as_of, established_on),
    }


def age_months(row: Row, key: str, start: date | None, as_of: date) -> int | None:
    """Full months from ``start`` to ``as_of``; a start after it is an error of the source."""
    if start is None:
        return None
    if start > as_of:
        row.note(key, "in_the_future")
        return None
    return full_months(start, as_of)


def _industry(registration: Row) -> str | None:
    text = registration.text("industry")
    if text is None:
        return None
    match = _INDUSTRY.match(text.upper())
    if match is None:
        registration.note("industry", "unknown_value")
    return match[0] if match else None


def _recent(answer: Answer, section: str, as_of: date, kind: str | None) -> int | None:
    """Entries dated from the first of the 24 months on, the running month included."""
    rows = answer.rows(section)
    if rows is None:
        return None
    known, count = True, 0
    for row in rows:
        if kind is not None and row.choice("kind", CHANGES) not in (kind, None):
            continue
        on = row.day("on")
        known = known and on is not None
        count += on is not None and on <= as_of and month_index(on) >= month_index(as_of) - WINDOW
    return count if known else None


def _active_pledges(answer: Answer, as_of: date) -> int | None:
    rows = answer.rows("pledges")
    if rows is None:
        return None
    states = [_pledge_active(row, as_of) for row in rows]
    return None if None in states else sum(state is True for state in states)


def _pledge_active(row: Row, as_of: date) -> bool | None:
    registered_on = row.day("registered_on")
    released_on, known = row.optional_day("released_on")
    if registered_on is None or not known:
        return None
    return registered_on <= as_of and (released_on is None or released_on > as_of)


def _missed_filings(answer: Answer, as_of: date, established_on: date | None) -> int | None:
    """Years without a filing among the last five whose filing is due, from the year of establishment on."""
    rows = answer.rows("filings")
    if rows is None or established_on is None:
        return None
    filed: set[int] = set()
    for row in rows:
        year = row.count("year")
        filed_on, known = row.optional_day("filed_on")
        if year is None or not known:
            return None
        if filed_on is not None and filed_on <= as_of:
            filed.add(year)
    last_due = as_of.year - (1 if as_of.month > _FILING_MONTH else 2)
    first = max(established_on.year, last_due - FILING_YEARS + 1)
    return sum(year not in filed for year in range(first, last_due + 1))
