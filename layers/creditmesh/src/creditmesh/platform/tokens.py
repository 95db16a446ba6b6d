"""Who sends a request: tokens of OIDC issuers (RS256), and guests' tokens of our own (HS256).

Each algorithm belongs to one kind of key and one issuer, so no token can be checked with the other's: an RS256 token
meets only RSA keys from the issuer's key set, an HS256 token only the platform's guest key. Any other algorithm, `none`
among them, is refused before a key is looked for.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt

from creditmesh.kernel.caller import STAFF, Caller, Role
from creditmesh.kernel.errors import DomainError
from creditmesh.platform.http import HttpClient, InstitutionUnavailable

GUEST_ISSUER = "creditmesh-guest"
GUEST_AUDIENCE = "creditmesh"
GUEST_PREFIX = "guest:"
GUEST_VALIDITY = timedelta(days=7)
LEEWAY_SECONDS = 30
KEYS_SECONDS = 3600
KEYS_PAUSE_SECONDS = 30
GUEST_KEYS_SECONDS = 300
MIN_RSA_BITS = 2048
_TENANT = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class TokenRefused(DomainError):
    """A token does not prove who sends it; the answer never says why."""

    code = "token_refused"


@dataclass(frozen=True)
class Issuer:
    """An OIDC issuer the platform trusts."""

    issuer: str
    audiences: tuple[str, ...]
    """Any of them must be in `aud`."""
    roles: frozenset[Role] = frozenset(Role)
    """Those that its tokens may carry."""
    keys_url: str | None = None
    """Where the key set is; None: as the issuer's discovery document says."""
    role_claim: str = "cognito:groups"
    """Claim that holds the role, a text or a list of which exactly one is a role of ours."""
    tenant_claim: str = "custom:tenant"
    """Claim that holds the tenant; staff may lack it."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> list[Issuer]:
        """From OIDC_ISSUER, OIDC_AUDIENCE (several with commas), OIDC_JWKS_URL, ROLE_CLAIM and TENANT_CLAIM.

        STAFF_ISSUER, STAFF_AUDIENCE and STAFF_JWKS_URL name the staff's own issuer; then neither vouches for the
        other's roles. Without them the one issuer vouches for all.
        """
        given = {name: environment.get(f"{name}_ISSUER", "") for name in ("OIDC", "STAFF")}
        own = {"OIDC": frozenset(Role) - STAFF, "STAFF": STAFF} if given["STAFF"] else {"OIDC": frozenset(Role)}
        return [
            cls(
                issuer=given[name],
                audiences=tuple(part.strip() for part in environment[f"{name}_AUDIENCE"].split(",") if part.strip()),
                roles=roles,
                keys_url=environment.get(f"{name}_JWKS_URL") or None,
                role_claim=environment.get("ROLE_CLAIM") or "cognito:groups",
                tenant_claim=environment.get("TENANT_CLAIM") or "custom:tenant",
            )
            for name, roles in own.items()
            if given[name]
        ]


@dataclass
class KeySet:
    """An issuer's public keys, kept for an hour.

    An unknown key id makes them be read again, but at most twice a minute: strangers can make up key ids.
    """

    issuer: Issuer
    http: HttpClient
    monotonic: Callable[[], float] = time.monotonic
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict, repr=False)
    _read_at: float | None = None

    def get(self, key_id: str) -> jwt.PyJWK:
        """The RSA key of that id.

        Raises:
            TokenRefused: the issuer has none.
            InstitutionUnavailable: the issuer does not answer.
        """
        age = None if self._read_at is None else self.monotonic() - self._read_at
        if age is None or age > KEYS_SECONDS or (key_id not in self._keys and age > KEYS_PAUSE_SECONDS):
            self._keys = self._fetch()
            self._read_at = self.monotonic()
        try:
            return self._keys[key_id]
        except KeyError:
            raise TokenRefused("unknown key") from None

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        try:
            found = jwt.PyJWKSet.from_dict(self._get(self.issuer.keys_url or self._discovered()))
        except jwt.PyJWTError:
            raise InstitutionUnavailable("the issuer's key set cannot be read") from None
        return {key.key_id: key for key in found if key.key_id and _is_strong_rsa(key)}

    def _discovered(self) -> str:
        document = self._get(f"{self.issuer.issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self.issuer.issuer or not isinstance(document.get("jwks_uri"), str):
            raise InstitutionUnavailable("the issuer's discovery document is not its own")
        return str(document["jwks_uri"])

    def _get(self, url: str) -> dict[str, Any]:
        found = self.http.call("GET", url, headers={"accept": "application/json"})
        document = found.json() if found.status == 200 else None
        if not isinstance(document, dict):
            raise InstitutionUnavailable(f"the issuer answered {found.status}")
        return document


@dataclass
class GuestKeys:
    """The keys of guests' tokens: the current one signs, the one before it still verifies.

    Read again after five minutes, and sooner where neither key fits, but at most twice a minute: a process that lives
    through a rotation meets tokens of the new key.
    """

    read: Callable[[], Sequence[bytes]]
    """Gives the keys, the current one first."""
    monotonic: Callable[[], float] = time.monotonic
    _keys: Sequence[bytes] = field(default=(), repr=False)
    _read_at: float = 0.0

    @property
    def current(self) -> bytes:
        """The key that signs."""
        return self.all()[0]

    def all(self, *, older_than: float = GUEST_KEYS_SECONDS) -> Sequence[bytes]:
        """The keys, read again if they were read longer ago than that."""
        if not self._keys or self.monotonic() - self._read_at > older_than:
            self._keys, self._read_at = self.read(), self.monotonic()
        return self._keys

    def fitting(self, fits: Callable[[bytes], bool]) -> bytes | None:
        """The first key that fits, if there is one."""
        for older_than in (GUEST_KEYS_SECONDS, KEYS_PAUSE_SECONDS):
            if found := next((key for key in self.all(older_than=older_than) if fits(key)), None):
                return found
        return None


@dataclass(frozen=True)
class Verifier:
    """Tells who a token belongs to."""

    guest_keys: Callable[[], GuestKeys] = field(repr=False)
    """Gives the keys of guests' tokens."""
    keys: Sequence[KeySet]
    """The issuers' keys; none where only guests are known."""

    def caller(self, token: str) -> Caller:
        """The caller of a valid token.

        Raises:
            TokenRefused: whatever is wrong with it.
            InstitutionUnavailable: its issuer's keys cannot be had now.
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") == "HS256":
                return self._guest(token)
            if header.get("alg") == "RS256" and isinstance(header.get("kid"), str):
                return self._member(token, self._keys_of(token), header["kid"])
        except jwt.PyJWTError:
            raise TokenRefused("not authentic") from None
        raise TokenRefused("not an algorithm of ours")

    def _guest(self, token: str) -> Caller:
        key = self.guest_keys().fitting(lambda one: _signed_by(one, token))
        if key is None:
            raise TokenRefused("not authentic")
        claims = jwt.decode(
            token,
            key,
            algorithms=["HS256"],
            audience=GUEST_AUDIENCE,
            issuer=GUEST_ISSUER,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iat", "iss", "aud", "sub", "application_id"]},
        )
        return Caller(subject=claims["sub"], role=Role.BORROWER, tenant=claims["sub"])

    def _keys_of(self, token: str) -> KeySet:
        """The keys of the issuer that a token claims to come from."""
        claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
        for keys in self.keys:
            if keys.issuer.issuer == claimed:
                return keys
        raise TokenRefused("not an issuer of ours")

    def _member(self, token: str, keys: KeySet, key_id: str) -> Caller:
        claims = jwt.decode(
            token,
            keys.get(key_id),
            algorithms=["RS256"],
            audience=keys.issuer.audiences,
            issuer=keys.issuer.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        role = _role(claims.get(keys.issuer.role_claim))
        if role not in keys.issuer.roles:
            raise TokenRefused("not a role that its issuer vouches for")
        tenant = claims.get(keys.issuer.tenant_claim, "platform" if role in STAFF else None)
        if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
            raise TokenRefused("no tenant")
        return Caller(subject=claims["sub"], role=role, tenant=tenant)


def _signed_by(key: bytes, token: str) -> bool:
    try:
        jwt.PyJWS().decode(token, key, algorithms=["HS256"])
    except jwt.InvalidSignatureError:
        return False
    return True


def guest_tenant(key: bytes, idempotency_key: str) -> str:
    """The tenant of a guest's one application.

    A guest has no account: what makes an application his is the Idempotency-Key he drew, so it must be long and random
    (`functions/api` asks for 22 characters, 130 bits). The tenant follows from the key under a secret of ours, so that
    neither tenant nor application id betrays the key. Repeating a request gives the token again only with the same body
    to the last field, and never a longer-lived one; with any other body the answer is 422 and no token. So a stranger
    who guesses a key still has no token: he would have to guess the whole request with it.
    """
    mac = hmac.new(key, f"guest-tenant\x1f{idempotency_key}".encode(), hashlib.sha256).hexdigest()
    return f"{GUEST_PREFIX}{mac[:40]}"


def guest_token(key: bytes, *, tenant: str, application_id: str, issued_at: datetime) -> str:
    """The token that opens one guest's application for seven days; equal arguments give the same token."""
    claims = {
        "iss": GUEST_ISSUER,
        "aud": GUEST_AUDIENCE,
        "sub": tenant,
        "application_id": application_id,
        "iat": int(issued_at.timestamp()),
        "exp": int((issued_at + GUEST_VALIDITY).timestamp()),
    }
    return jwt.encode(claims, key, algorithm="HS256")


def _role(claim: Any) -> Role:
    named = claim if isinstance(claim, list) else [claim]
    known = {Role(name) for name in named if isinstance(name, str) and name in set(Role)}
    if len(known) != 1:
        raise TokenRefused("not exactly one role")
    return known.pop()


def _is_strong_rsa(key: jwt.PyJWK) -> bool:
    return (
        key.key_type == "RSA"
        and key.algorithm_name == "RS256"
        and key.public_key_use in (None, "sig")
        and key.key.key_size >= MIN_RSA_BITS
    )
