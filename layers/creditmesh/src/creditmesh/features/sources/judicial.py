"""The court register's answer: cases, enforcement, the list of dishonest debtors."""

from __future__ import annotations

from datetime import date

from creditmesh.features.answer import Answer, Row
from creditmesh.features.schema import CASES, ENFORCEMENT_STATUSES, ROLES, Values
from creditmesh.features.sources.common import by_id, day_number

_CASE_STATUSES = ("open", "closed")


def clean(answer: Answer, as_of: date) -> Values:
    today = day_number(as_of)
    cases = by_id(answer, "cases", lambda row: row.text("case_no"))
    enforcement = by_id(answer, "enforcement", lambda row: row.text("case_no"))
    return {
        "cases": None if cases is None else [_case(row, today) for row in cases],
        "enforcement": None if enforcement is None else [_enforcement(row) for row in enforcement],
        "dishonest_debtor": _listing(answer.section("dishonest_debtor"), today),
    }


def _case(row: Row, today: int) -> Values:
    filed_on = row.day("filed_on")
    return {
        "role": row.choice("role", ROLES),
        "kind": row.choice("kind", CASES),
        "filed_on": filed_on,
        "claim_amount": row.amount("claim_amount"),
        "open": _open(row, filed_on, today),
    }


def _open(row: Row, filed_on: int | None, today: int) -> bool | None:
    """Whether the case was open on the day; unknown if its status and its dates disagree."""
    status = row.choice("status", _CASE_STATUSES)
    closed_on, known = row.optional_day("closed_on")
    if filed_on is None or status is None or not known:
        return None
    if closed_on is not None and (closed_on < filed_on or (status == "open" and closed_on <= today)):
        row.note("closed_on", "contradictory")
        return None
    if closed_on is None:
        return status == "open" and filed_on <= today
    return filed_on <= today < closed_on


def _enforcement(row: Row) -> Values:
    return {
        "filed_on": row.day("filed_on"),
        "amount": row.amount("amount"),
        "status": row.choice("status", ENFORCEMENT_STATUSES),
    }


def _listing(row: Row, today: int) -> Values | None:
    """Whether the firm is listed; unknown if the answer says both listed and removed."""
    if not row.present:
        return None
    listed = row.flag("listed")
    listed_on, listed_known = row.optional_day("listed_on", ends=False)
    removed_on, removed_known = row.optional_day("removed_on")
    if not (listed_known and removed_known):
        return {"listed": None}
    removed = removed_on is not None and removed_on <= today
    pending = listed_on is not None and listed_on > today
    if listed and removed:
        row.note("listed", "contradictory")
        return {"listed": None}
    return {"listed": listed and not pending}
