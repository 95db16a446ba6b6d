"""Authorisations: a code, the taxpayer it opens, and how long it is good for (C02)."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.clock import parse_instant
from creditmesh.kernel.errors import DomainError, InvalidInput

MAX_VALIDITY_DAYS = 3650
CONSENT_TEXT_VERSION = "2026-11"
_CODE = re.compile(r"[A-Za-z0-9._~-]{8,200}", re.ASCII)


class AuthorizationRequired(DomainError):
    """No valid authorisation is stored, or the source refused it: the borrower must be asked (C04, C08)."""

    code = "authorization_required"


class Standing(StrEnum):
    """What is known of a stored authorisation."""

    ACTIVE = "active"
    REJECTED = "rejected"


class Authorization(BaseModel):
    """One taxpayer's authorisation for one source. The code is sealed at rest and never logged."""

    model_config = ConfigDict(frozen=True)

    taxpayer_index: str
    source: str
    code: str = Field(repr=False)
    expires_at: str
    standing: Standing = Standing.ACTIVE
    granted_at: str
    granted_by: str
    purpose: str = "loan assessment"
    consent_text_version: str = CONSENT_TEXT_VERSION
    rejected_reason: str | None = None

    def problem(self, now: datetime) -> str | None:
        """Why it cannot be used now, or None if it can."""
        if self.standing is Standing.REJECTED:
            return self.rejected_reason or "rejected"
        return "code_expired" if parse_instant(self.expires_at) <= now else None


def check_code(code: str) -> str:
    """An authorisation code as a source issues them.

    Raises:
        InvalidInput: naming the rule.
    """
    if not _CODE.fullmatch(code):
        raise InvalidInput("must be 8 to 200 letters, digits or . _ ~ -", field="authorization_code")
    return code


def check_expiry(text: str, now: datetime) -> str:
    """The expiry a borrower brings back with a code.

    Raises:
        InvalidInput: no instant, or further away than any validity a source grants.
    """
    try:
        expires = parse_instant(text)
    except ValueError:
        raise InvalidInput("must be an ISO 8601 instant with its offset", field="expires_at") from None
    if expires > now + timedelta(days=MAX_VALIDITY_DAYS):
        raise InvalidInput(f"must lie at most {MAX_VALIDITY_DAYS} days ahead", field="expires_at")
    return text


def state_token(key: bytes, application_id: str, until: int) -> str:
    """The `state` that goes with the borrower to the source and proves on return which application he came from.

    Args:
        until: seconds since the epoch after which it is worth nothing.
    """
    mac = hmac.new(key, f"state\x1f{application_id}\x1f{until}".encode(), hashlib.sha256).hexdigest()[:40]
    return f"{application_id}.{until}.{mac}"


def read_state(key: bytes, state: str, now: int) -> str:
    """The application a returning `state` belongs to.

    Raises:
        InvalidInput: forged, altered or too old.
    """
    application_id, _, rest = state.partition(".")
    until = rest.partition(".")[0]
    timely = until.isascii() and until.isdigit() and len(until) < 13 and int(until) >= now
    if timely and hmac.compare_digest(state_token(key, application_id, int(until)).encode(), state.encode()):
        return application_id
    raise InvalidInput("is not a state this platform issued, or has run out", field="state")
