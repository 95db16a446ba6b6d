"""Results of applications: one row each, and medians."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from client import Journey
from client.views import PaymentOrder, TimelineEntry
from run.cases import Case

STAGES = ("received", "authorized", "collected", "assessed", "offered", "submitted", "approved", "signed", "ended")
_SHOWN_AS = {"closed": "ended"}


class Row(BaseModel):
    """One application's result."""

    persona: str
    firm: str
    taxpayer_id: str
    application_id: str | None = None
    outcome: str | None = None
    note: str | None = None
    expected: str
    as_expected: bool
    asked: str | None
    """The amount requested."""
    chosen: str | None = None
    """The amount chosen, or as a counter-offer that was accepted has it."""
    apr: str | None = None
    """Yearly cost of what was chosen, fees included, in per cent."""
    refusals: list[str] = []
    """Codes of choices that came too late for what is left of the limit."""
    score: int | None = None
    grade: str | None = None
    limit: str | None = None
    engine: str | None = None
    """Engine that computed the score."""
    product: str | None = None
    lender: str | None = None
    cancel_asked: bool = False
    """Whether an operator has asked the lender not to carry out the last order to pay."""
    logins: int = 0
    """Logins at the tax bureau; 0 if a stored authorisation was reused."""
    stages: dict[str, float] = {}
    """Seconds from the application's receipt until each stage was (last) reached."""
    error: str | None = None


def seconds_of(timeline: Sequence[TimelineEntry]) -> dict[str, float]:
    """Seconds from the first entry until each stage."""
    begin = _instant(timeline[0].at)
    return {
        _SHOWN_AS.get(entry.status, entry.status): round((_instant(entry.at) - begin).total_seconds(), 3)
        for entry in timeline
    }


def row_of(case: Case, journey: Journey, engine: str | None, payment: PaymentOrder | None) -> Row:
    """The row of an application that has ended; `engine` is known to staff only."""
    view = journey.application
    return Row(
        persona=case.persona,
        firm=case.firm.name,
        taxpayer_id=case.firm.taxpayer_id,
        application_id=view.application_id,
        outcome=view.outcome,
        note=view.outcome_note,
        expected=case.expected_outcome,
        as_expected=case.met_by(view.outcome, [entry.status for entry in journey.timeline]),
        asked=case.application.get("amount"),
        chosen=view.chosen.amount if view.chosen else None,
        apr=view.chosen.cost.apr_percent if view.chosen else None,
        refusals=journey.refusals,
        score=view.score,
        grade=view.grade,
        limit=view.limit,
        engine=engine,
        product=view.chosen.product_id if view.chosen else None,
        lender=view.chosen.lender_id if view.chosen else None,
        cancel_asked=payment is not None and payment.cancel_asked_at is not None,
        logins=journey.logins,
        stages=seconds_of(journey.timeline),
    )


def failed_row(case: Case, problem: BaseException) -> Row:
    """The row of an application that did not end, or was not accepted."""
    error = f"{type(problem).__name__}: {problem}"
    return Row(
        persona=case.persona,
        firm=case.firm.name,
        taxpayer_id=case.firm.taxpayer_id,
        expected=case.expected_outcome,
        as_expected=False,
        asked=case.application.get("amount"),
        error=error,
    )


def medians(rows: Sequence[Row]) -> dict[str, float | None]:
    """Median seconds from receipt to report and to disbursement, over those that came so far."""
    assessed = [row.stages["assessed"] for row in rows if "assessed" in row.stages]
    disbursed = [row.stages["ended"] for row in rows if row.outcome == "disbursed"]
    return {"to_report_seconds": _median(assessed), "to_disbursement_seconds": _median(disbursed)}


def summary(rows: Sequence[Row], wall_seconds: float) -> dict[str, Any]:
    """All results in figures."""
    return {
        "applications": len(rows),
        "ended": sum(row.outcome is not None for row in rows),
        "as_expected": sum(row.as_expected for row in rows),
        "wall_seconds": round(wall_seconds, 2),
        **medians(rows),
    }


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
