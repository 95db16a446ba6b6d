"""Who is asking: an authenticated subject with one role in one tenant."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a caller may do at all."""

    BORROWER = "borrower"
    MANAGER = "manager"
    LENDER = "lender"
    BANK = "bank"
    OPERATOR = "operator"
    AUDITOR = "auditor"


STAFF = frozenset({Role.MANAGER, Role.OPERATOR, Role.AUDITOR})
"""Roles of the platform itself, which see every tenant's applications."""


@dataclass(frozen=True)
class Caller:
    """The subject of a verified token."""

    subject: str
    """The token's `sub`."""
    role: Role
    """The one role it carries."""
    tenant: str
    """The firm, lender or bank it belongs to; `platform` for staff."""
