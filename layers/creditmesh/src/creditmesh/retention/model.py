"""What stays of an application after an erasure, until when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from creditmesh.intake.model import Application, Outcome, Status
from creditmesh.kernel.clock import Clock, parse_instant
from creditmesh.platform.country import Country, Kind, Language, Rule


@dataclass(frozen=True)
class Kept:
    """What stays after an erasure."""

    kind: Kind
    days: int
    after: Literal["application_end", "loan_end", "consent_end"]
    """From when the days count."""
    until: date | None
    """None while that end is open."""
    reason: Mapping[Language, str]
    """By language."""


def kept_after_erasure(application: Application, rules: Country, clock: Clock) -> list[Kept]:
    """What an erasure leaves of an application and its consents."""
    return [_kept(kind, rule, application, clock) for kind, rule in rules.retention.items()]


def _kept(kind: Kind, rule: Rule, application: Application, clock: Clock) -> Kept:
    if kind is Kind.CONSENTS:
        return Kept(kind, rule.without_loan_days, "consent_end", None, rule.reason)
    days, ended = rule.without_loan_days, application.status is Status.CLOSED
    if loan := application.outcome is Outcome.DISBURSED:
        days, ended = rule.after_loan_days, application.loan_ended_at is not None
    until = clock.day_of(parse_instant(application.status_at)) + timedelta(days=days) if ended else None
    return Kept(kind, days, "loan_end" if loan else "application_end", until, rule.reason)
