"""The authenticated caller: a subject with one role in one tenant."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A caller's role, which decides what they may do."""

    BORROWER = "borrower"
    MANAGER = "manager"
    LENDER = "lender"
    BANK = "bank"
    RISK_OFFICER = "risk_officer"
    """Decides: referrals, rules, models, lists."""
    OPERATOR = "operator"
    """Keeps processes going: tasks, channels, consents, observed repayment."""
    AUDITOR = "auditor"
    """Reads all, changes nothing."""


STAFF = frozenset({Role.MANAGER, Role.RISK_OFFICER, Role.OPERATOR, Role.AUDITOR})
"""Roles of the platform itself, which see every tenant's applications."""


@dataclass(frozen=True)
class Caller:
    """The subject of a verified token."""

    subject: str
    role: Role
    tenant: str
    """The firm, lender or bank it belongs to; `platform` for staff."""
