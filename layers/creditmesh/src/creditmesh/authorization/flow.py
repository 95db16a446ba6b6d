"""The redirect to a source and back: `state`, PKCE and the browser's nonce."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.authorization.scopes import SCOPES
from creditmesh.kernel.errors import InvalidInput

FLOW_SECONDS = 3600


class Flow(BaseModel):
    """One started redirect: application, taxpayer, tenant, right and institution."""

    model_config = ConfigDict(frozen=True)

    flow_id: str
    application_id: str
    taxpayer_index: str
    tenant: str
    scope: str
    institution_id: str
    verifier: str = Field(repr=False)
    """PKCE's secret (RFC 7636); sealed at rest."""
    nonce_sha256: str = ""
    """Hash of the nonce held by the browser that requested the link; empty for banks' customers."""
    expires_at: int
    """Seconds since the epoch; also the item's TTL."""
    used_at: str | None = None

    def state(self, key: bytes) -> str:
        """The signed `state` of the redirect; the signature covers the flow, its binding and its PKCE challenge."""
        parts = (self.application_id, self.scope, self.flow_id, str(self.expires_at))
        signed = "\x1f".join((*parts, self.taxpayer_index, self.tenant, self.institution_id, challenge(self.verifier)))
        mac = hmac.new(key, f"state\x1f{signed}".encode(), hashlib.sha256).hexdigest()[:40]
        return ".".join((*parts, mac))

    def is_from(self, nonce: str | None) -> bool:
        """Whether the returning browser is the one that started."""
        return not self.nonce_sha256 or hmac.compare_digest(self.nonce_sha256, fingerprint(nonce or ""))


@dataclass(frozen=True)
class Link:
    """Where the borrower logs in."""

    url: str
    flow_id: str
    nonce: str | None = field(repr=False)
    """For the browser's cookie; None if no browser of ours made the request."""


def challenge(verifier: str) -> str:
    """PKCE's S256 challenge of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def fingerprint(secret: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def flow_id_of(state: str, now: int) -> str:
    """The flow id in a returned `state`, unverified: only comparison with the flow's own `state` proves it.

    Raises:
        InvalidInput: malformed or too old.
    """
    parts = state.split(".")
    if len(parts) == 5 and parts[1] in SCOPES:
        until = parts[3]
        if until.isascii() and until.isdigit() and len(until) < 13 and int(until) >= now and 0 < len(parts[2]) < 60:
            return parts[2]
    raise not_ours()


def not_ours() -> InvalidInput:
    """The error for any invalid `state`, without the reason."""
    return InvalidInput("is not a state issued by this platform, or has expired", field="state", fault="unknown_state")
