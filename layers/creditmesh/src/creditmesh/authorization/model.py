"""An authorisation: a right that a firm granted, its purposes, validity and state. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.authorization.scopes import TAX, Scope, Way, scope_of
from creditmesh.kernel.clock import iso, parse_instant
from creditmesh.kernel.errors import Conflict, DomainError, InvalidInput

REMIND_DAYS = (14, 3, 1)
"""So many days before its end the firm is reminded of an authorisation, each time once."""
DUE_SHARDS = 4
"""Partitions of the index of what falls due."""
NONE_STORED = "none_stored"
OTHER_PURPOSE = "purpose_not_consented"
SUPERSEDED = "superseded"
_CODE = re.compile(r"[A-Za-z0-9._~-]{8,200}", re.ASCII)

Language = Literal["zh-CN", "en"]


class AuthorizationRequired(DomainError):
    """No usable authorisation is stored, the source refused it, or it ended while it was used."""

    code = "authorization_required"

    def __init__(self, reason: str, scope: str = TAX) -> None:
        super().__init__(reason)
        self.scope = scope
        """The right that is lacking; the message is the reason's code."""


class RedirectUsed(Conflict):
    """A `state` was returned a second time; each is valid once."""

    code = "state_used"


class Standing(StrEnum):
    """State of an authorisation. Expiry is not a state: compare `expires_at`."""

    ACTIVE = "active"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class How(StrEnum):
    """How it came to the platform."""

    REDIRECT = "redirect"
    API = "api"
    PLATFORM = "platform"


class Consent(BaseModel):
    """What was consented to: text, version, hash and language, so that it can be shown again."""

    model_config = ConfigDict(frozen=True)

    purposes: tuple[str, ...]
    text_key: str
    text_version: str
    text_sha256: str
    language: Language


class Authorization(BaseModel):
    """One right that one tenant holds for one taxpayer. The code is sealed at rest and never logged."""

    model_config = ConfigDict(frozen=True)

    taxpayer_index: str
    scope: str
    tenant: str
    """Through whom it was granted; another tenant's application never uses it (docs/explanation/authorizations.md)."""
    authorization_id: str
    code: str = Field(default="", repr=False)
    """Empty where the right needs none, and once it has ended."""
    code_verifier: str = Field(default="", repr=False)
    """For sources that verify PKCE; empty where the code came without a redirect of ours."""
    standing: Standing = Standing.ACTIVE
    granted_at: str
    granted_by: str
    how: How
    expires_at: str
    consent: Consent
    renewal_of: str | None = None
    """The authorisation in whose place it came."""
    ended_at: str | None = None
    rejected_reason: str | None = None
    last_used_at: str | None = None
    reminded_days: int | None = None
    renewal_requested_at: str | None = None
    due_queue: str | None = None
    due_at: str | None = None
    """When the sweep has to look at it next."""

    @property
    def record(self) -> str:
        """Its sort key."""
        return record_key(self.scope, self.tenant)

    def problem(self, now: datetime) -> str | None:
        """Why it cannot be used now; None if it can."""
        if self.standing is Standing.REJECTED:
            return self.rejected_reason or "rejected"
        if self.standing is Standing.WITHDRAWN:
            return "withdrawn"
        if parse_instant(self.expires_at) > now:
            return None
        return "code_expired" if scope_of(self.scope).way is Way.REDIRECT else "consent_expired"


def record_key(scope: str, tenant: str) -> str:
    """Sort key of the authorisation that a tenant holds for a scope; a scope's name has no `#`."""
    return f"{scope}#{tenant}"


def due_queue(taxpayer_index: str) -> str:
    """The partition of the due-date index a taxpayer's authorisations lie in."""
    return f"due-{int(taxpayer_index[:8], 16) % DUE_SHARDS}"


DUE_QUEUES = tuple(f"due-{shard}" for shard in range(DUE_SHARDS))


def next_due(expires_at: str, now: datetime) -> str | None:
    """When the next reminder or the end is due; None if both have passed."""
    end = parse_instant(expires_at)
    moments = [end - timedelta(days=days) for days in sorted(REMIND_DAYS, reverse=True)] + [end]
    return next((iso(moment) for moment in moments if moment > now), None)


def days_to_remind(expires_at: str, now: datetime) -> int:
    """Which reminder is due: the nearest of REMIND_DAYS that has been reached."""
    end = parse_instant(expires_at)
    return min((days for days in REMIND_DAYS if end - timedelta(days=days) <= now), default=max(REMIND_DAYS))


def check_code(code: str) -> str:
    """Validate an authorisation code.

    Raises:
        InvalidInput: naming the rule.
    """
    if not _CODE.fullmatch(code):
        raise InvalidInput("must be 8 to 200 letters, digits or . _ ~ -", field="authorization_code")
    return code


def check_expiry(text: str, scope: Scope, now: datetime) -> str:
    """The expiry a borrower brings back with a code, in the form `iso` writes.

    Raises:
        InvalidInput: no instant, or further away than the right may reach.
    """
    expires = _instant(text, "expires_at")
    if expires > now + timedelta(days=scope.longest_days):
        raise InvalidInput(f"must lie at most {scope.longest_days} days ahead", field="expires_at")
    return iso(expires)


def chosen_expiry(scope: Scope, now: datetime, *, valid_days: int | None, until: str | None) -> str:
    """When a consent ends that is given on the platform, as the borrower chose.

    Args:
        valid_days: 1 to the scope's longest validity; or
        until: an instant in the future, no further away than that.

    Raises:
        InvalidInput: naming field and rule.
    """
    if (valid_days is None) == (until is None):
        raise InvalidInput("either valid_days or until must be given", field="valid_days")
    if valid_days is not None:
        if not 1 <= valid_days <= scope.longest_days:
            raise InvalidInput(f"must lie between 1 and {scope.longest_days}", field="valid_days")
        return iso(now + timedelta(days=valid_days))
    end = _instant(until or "", "until")
    if not now < end <= now + timedelta(days=scope.longest_days):
        raise InvalidInput(f"must lie ahead, at most {scope.longest_days} days", field="until")
    return iso(end)


def _instant(text: str, field: str) -> datetime:
    try:
        return parse_instant(text)
    except (ValueError, OverflowError):
        raise InvalidInput("must be an ISO 8601 instant with its offset", field=field) from None
