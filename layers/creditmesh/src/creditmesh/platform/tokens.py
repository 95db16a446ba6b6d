"""Authenticates callers: tokens of OIDC issuers (RS256), and our own tokens for guests (HS256).

Each algorithm is bound to one kind of key and issuer: RS256 tokens are verified only with RSA keys from the issuer's
key set, HS256 tokens only with the platform's guest keys. Any other algorithm, including `none`, is refused before a
key is looked up.
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
    """A token does not authenticate its sender; the response never says why."""

    code = "token_refused"


@dataclass(frozen=True)
class Issuer:
    """A trusted OIDC issuer."""

    issuer: str
    audiences: tuple[str, ...]
    """`aud` must contain one of them."""
    roles: frozenset[Role] = frozenset(Role)
    """Roles that its tokens may carry."""
    keys_url: str | None = None
    """URL of the key set; None: from the issuer's discovery document."""
    role_claim: str = "cognito:groups"
    """Claim with the role: a text, or a list with exactly one of our roles."""
    tenant_claim: str = "custom:tenant"
    """Claim with the tenant; optional for staff."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> list[Issuer]:
        """From OIDC_ISSUER, OIDC_AUDIENCE (comma-separated), OIDC_JWKS_URL, ROLE_CLAIM and TENANT_CLAIM.

        STAFF_ISSUER, STAFF_AUDIENCE and STAFF_JWKS_URL configure a separate issuer for staff; then neither may assign
        the other's roles. Without them the one issuer may assign all.
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
    """An issuer's public keys, cached for an hour.

    An unknown key id reloads them, at most twice a minute, since anybody can make up key ids.
    """

    issuer: Issuer
    http: HttpClient
    monotonic: Callable[[], float] = time.monotonic
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict, repr=False)
    _read_at: float | None = None

    def get(self, key_id: str) -> jwt.PyJWK:
        """The RSA key with that id.

        Raises:
            TokenRefused: unknown id.
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
            raise InstitutionUnavailable("issuer_keys_unreadable") from None
        return {key.key_id: key for key in found if key.key_id and _is_strong_rsa(key)}

    def _discovered(self) -> str:
        document = self._get(f"{self.issuer.issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self.issuer.issuer or not isinstance(document.get("jwks_uri"), str):
            raise InstitutionUnavailable("issuer_not_discovered")
        return str(document["jwks_uri"])

    def _get(self, url: str) -> dict[str, Any]:
        found = self.http.call("GET", url, headers={"accept": "application/json"})
        document = found.json() if found.status == 200 else None
        if not isinstance(document, dict):
            raise InstitutionUnavailable("answered", status=found.status)
        return document


@dataclass
class GuestKeys:
    """The keys of guests' tokens: the current one signs, the previous one still verifies.

    Reloaded after five minutes, or at most twice a minute if no key matches: during a rotation a process may meet
    tokens of the new key.
    """

    read: Callable[[], Sequence[bytes]]
    """Returns the keys, the current one first."""
    monotonic: Callable[[], float] = time.monotonic
    _keys: Sequence[bytes] = field(default=(), repr=False)
    _read_at: float = 0.0

    @property
    def current(self) -> bytes:
        return self.all()[0]

    def all(self, *, older_than: float = GUEST_KEYS_SECONDS) -> Sequence[bytes]:
        """The keys, reloaded if older than that."""
        if not self._keys or self.monotonic() - self._read_at > older_than:
            self._keys, self._read_at = self.read(), self.monotonic()
        return self._keys

    def fitting(self, fits: Callable[[bytes], bool]) -> bytes | None:
        """The first key for which `fits` is true, or None."""
        for older_than in (GUEST_KEYS_SECONDS, KEYS_PAUSE_SECONDS):
            if found := next((key for key in self.all(older_than=older_than) if fits(key)), None):
                return found
        return None


@dataclass(frozen=True)
class Verifier:
    """Authenticates tokens."""

    guest_keys: Callable[[], GuestKeys] = field(repr=False)
    keys: Sequence[KeySet]
    """The issuers' keys; empty if only guests are supported."""

    def caller(self, token: str) -> Caller:
        """The caller of a valid token.

        Raises:
            TokenRefused: for any fault.
            InstitutionUnavailable: the issuer's keys are unavailable.
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") == "HS256":
                return self._guest(token)
            if header.get("alg") == "RS256" and isinstance(header.get("kid"), str):
                return self._member(token, self._keys_of(token), header["kid"])
        except jwt.PyJWTError:
            raise TokenRefused("not authentic") from None
        raise TokenRefused("unsupported algorithm")

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
        """The keys of the issuer that a token names."""
        claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
        for keys in self.keys:
            if keys.issuer.issuer == claimed:
                return keys
        raise TokenRefused("unknown issuer")

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
            raise TokenRefused("the issuer may not assign this role")
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

    A guest has no account: the Idempotency-Key that he drew makes an application his, so it must be long and random
    (`functions/api` requires 22 characters, 130 bits). The tenant is derived from the key under a secret, so that
    neither tenant nor application id reveals the key. A repeated request returns the token only if the whole body is
    the same, and never with a longer validity; otherwise the answer is 422 without a token. So guessing the key is not
    enough for an attacker: the whole request would have to be guessed.
    """
    mac = hmac.new(key, f"guest-tenant\x1f{idempotency_key}".encode(), hashlib.sha256).hexdigest()
    return f"{GUEST_PREFIX}{mac[:40]}"


def guest_token(key: bytes, *, tenant: str, application_id: str, issued_at: datetime) -> str:
    """The token for one guest's application, valid for seven days; deterministic."""
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
        raise TokenRefused("must have exactly one role")
    return known.pop()


def _is_strong_rsa(key: jwt.PyJWK) -> bool:
    return (
        key.key_type == "RSA"
        and key.algorithm_name == "RS256"
        and key.public_key_use in (None, "sig")
        and key.key.key_size >= MIN_RSA_BITS
    )
