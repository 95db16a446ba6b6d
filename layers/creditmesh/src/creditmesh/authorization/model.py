"""An authorisation: a right granted by a firm, with purposes, validity and state."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.authorization.scopes import TAX, Scope, Way, scope_of
from creditmesh.kernel.clock import iso, parse_instant
from creditmesh.kernel.errors import Conflict, DomainError, InvalidInput

REMIND_DAYS = (14, 3, 1)
"""Days before its end on which the firm is reminded, once each."""
DUE_SHARDS = 4
"""Partitions of the due-date index."""
NONE_STORED = "none_stored"
OTHER_PURPOSE = "purpose_not_consented"
SUPERSEDED = "superseded"
FIELDS_MISSING = "fields_missing"
PROBLEMS = (
    "code_expired", "consent_expired", FIELDS_MISSING, NONE_STORED, OTHER_PURPOSE, "rejected", SUPERSEDED, "withdrawn",
)  # fmt: skip
Problem = Annotated[
    str,
    Field(
        description="why the right cannot be used; a source's own code where it has refused the right",
        json_schema_extra={"anyOf": [{"enum": [*PROBLEMS]}, {"type": "string"}]},
    ),
]
_CODE = re.compile(r"[A-Za-z0-9._~-]{8,200}", re.ASCII)

Language = Literal["zh-CN", "en"]


class AuthorizationRequired(DomainError):
    """No usable authorisation is stored, the source refused it, or it ended while it was used."""

    code = "authorization_required"

    def __init__(self, reason: str, scope: str = TAX) -> None:
        super().__init__(reason)
        self.scope = scope
        """The missing right; the message is the reason's code."""


class RedirectUsed(Conflict):
    """A `state` was returned again; each is valid once."""

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
    """The tenant it was granted through; other tenants' applications never use it (docs/explanation/authorizations.md).
    """
    authorization_id: str
    code: str = Field(default="", repr=False)
    """Empty if the right needs none, and after its end."""
    code_verifier: str = Field(default="", repr=False)
    """For sources with PKCE; empty if the code came without our redirect."""
    fields: dict[str, str] = Field(default={}, repr=False)
    """What its sources want besides, by name; without values unless opened, and empty after its end."""
    standing: Standing = Standing.ACTIVE
    granted_at: str
    granted_by: str
    how: How
    expires_at: str
    consent: Consent
    renewal_of: str | None = None
    """The authorisation that it replaced."""
    ended_at: str | None = None
    rejected_reason: str | None = None
    last_used_at: str | None = None
    reminded_days: int | None = None
    renewal_requested_at: str | None = None
    due_queue: str | None = None
    due_at: str | None = None
    """When the sweep must look at it next."""

    @property
    def record(self) -> str:
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
    """Sort key of a tenant's authorisation for a scope; scope names contain no `#`."""
    return f"{scope}#{tenant}"


def due_queue(taxpayer_index: str) -> str:
    """Partition of the due-date index for a taxpayer."""
    return f"due-{int(taxpayer_index[:8], 16) % DUE_SHARDS}"


DUE_QUEUES = tuple(f"due-{shard}" for shard in range(DUE_SHARDS))


def next_due(expires_at: str, now: datetime) -> str | None:
    """When the next reminder or the end is due; None if both have passed."""
    end = parse_instant(expires_at)
    moments = [end - timedelta(days=days) for days in sorted(REMIND_DAYS, reverse=True)] + [end]
    return next((iso(moment) for moment in moments if moment > now), None)


def days_to_remind(expires_at: str, now: datetime) -> int:
    """The reminder that is due: the smallest of REMIND_DAYS that is reached."""
    end = parse_instant(expires_at)
    return min((days for days in REMIND_DAYS if end - timedelta(days=days) <= now), default=max(REMIND_DAYS))


def check_code(code: str) -> str:
    """Validate an authorisation code.

    Raises:
        InvalidInput: names the rule.
    """
    if not _CODE.fullmatch(code):
        raise InvalidInput(
            "must be 8 to 200 letters, digits or . _ ~ -", field="authorization_code", fault="wrong_form"
        )
    return code


def check_expiry(text: str, scope: Scope, now: datetime) -> str:
    """Validate the expiry that a borrower brings with a code; returns it in the format of `iso`.

    Raises:
        InvalidInput: not an instant, or beyond the right's longest validity.
    """
    expires = _instant(text, "expires_at")
    if expires > now + timedelta(days=scope.longest_days):
        raise InvalidInput(
            "must be at most {days} days ahead", field="expires_at", fault="too_late", days=scope.longest_days
        )
    return iso(expires)


def chosen_expiry(scope: Scope, now: datetime, *, valid_days: int | None, until: str | None) -> str:
    """The end of a consent given on the platform, as chosen by the borrower.

    Args:
        valid_days: 1 to the scope's longest validity; or
        until: an instant in the future within that.

    Raises:
        InvalidInput: names field and rule.
    """
    if (valid_days is None) == (until is None):
        raise InvalidInput(
            "either valid_days or until must be given", field="valid_days", fault="either_or", other="until"
        )
    if valid_days is not None:
        if not 1 <= valid_days <= scope.longest_days:
            raise InvalidInput(
                "must be between {min} and {max}",
                field="valid_days",
                fault="out_of_range",
                min=1,
                max=scope.longest_days,
            )
        return iso(now + timedelta(days=valid_days))
    end = _instant(until or "", "until")
    if not now < end <= now + timedelta(days=scope.longest_days):
        raise InvalidInput(
            "must be in the future, at most {days} days", field="until", fault="out_of_range", days=scope.longest_days
        )
    return iso(end)


def _instant(text: str, field: str) -> datetime:
    try:
        return parse_instant(text)
    except (ValueError, OverflowError):
        raise InvalidInput("must be an ISO 8601 instant with an offset", field=field, fault="not_an_instant") from None
