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
    if application.outcome is Outcome.DISBURSED:
        return Kept(kind, rule.after_loan_days, "loan_end", None, rule.reason)
    until = None
    if application.status is Status.CLOSED:
        until = clock.day_of(parse_instant(application.updated_at)) + timedelta(days=rule.without_loan_days)
    return Kept(kind, rule.without_loan_days, "application_end", until, rule.reason)
