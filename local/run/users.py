"""Users in the Cognito pools and their id tokens; users are created when first needed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from run.places import write_private

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

STAFF = ("manager", "risk_officer", "operator", "auditor")
AUTHENTICATORS = "authenticators"
"""Folder of the authenticator apps' secrets."""
_RENEW_SECONDS = 300.0


class Pool(NamedTuple):
    """A user pool and the client for logins."""

    pool_id: str
    client_id: str


class Users:
    """Provides tokens by role, tenant and person.

    Passwords are derived from a random key of this machine. The staff's pool requires a second factor: this class acts
    as their authenticator apps, whose secrets lie beside the key, and recreates users whose app another machine has.

    Args:
        members: the pool of borrowers, lenders and banks.
        staff: the staff's pool.
        key_file: file of the key; created with mode 0600 if missing.
    """

    def __init__(self, cognito: CognitoIdentityProviderClient, members: Pool, staff: Pool, key_file: Path) -> None:
        self._cognito, self._members, self._staff = cognito, members, staff
        if not key_file.exists():
            write_private(key_file, secrets.token_hex(32))
        self._key = key_file.read_text().strip().encode()
        self._apps = key_file.parent / AUTHENTICATORS
        self._tokens: dict[str, tuple[str, float]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def token(self, role: str, tenant: str, person: str | None = None) -> Callable[[], str]:
        """A function that returns a valid id token of a user with that role and tenant.

        Args:
            person: distinguishes persons of one role and tenant.
        """
        name = f"{role}-{person or tenant}"

        def current() -> str:
            with self._guard:
                lock = self._locks.setdefault(name, threading.Lock())
            with lock:
                token, renew_at = self._tokens.get(name, ("", 0.0))
                if time.monotonic() >= renew_at:
                    token, lifetime = self._log_in(name, role, tenant)
                    self._tokens[name] = token, time.monotonic() + max(lifetime - _RENEW_SECONDS, 30.0)
                return token

        return current

    def _log_in(self, name: str, role: str, tenant: str) -> tuple[str, float]:
        refusals = self._cognito.exceptions
        pool = self._staff if role in STAFF else self._members
        for _ in range(2):  # another process may have set both, another password and an app
            try:
                return self._authenticate(pool, name)
            except (refusals.UserNotFoundException, refusals.NotAuthorizedException):
                # Cognito may not distinguish an unknown user from a wrong password.
                self._create(pool, name, role, tenant)
            except AppElsewhere:
                self._cognito.admin_delete_user(UserPoolId=pool.pool_id, Username=name)
                self._create(pool, name, role, tenant)
        return self._authenticate(pool, name)

    def _authenticate(self, pool: Pool, name: str) -> tuple[str, float]:
        answer: Any = self._cognito.initiate_auth(
            ClientId=pool.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": name, "PASSWORD": self._password(name)},
        )
        challenge = answer.get("ChallengeName")
        if challenge == "MFA_SETUP":
            answer = self._respond(pool, challenge, self._register_app(name, answer["Session"]), USERNAME=name)
        elif challenge == "SOFTWARE_TOKEN_MFA":
            if not (app := self._apps / name).exists():
                raise AppElsewhere
            code = one_time_code(app.read_text(), time.time())
            answer = self._respond(pool, challenge, answer["Session"], USERNAME=name, SOFTWARE_TOKEN_MFA_CODE=code)
        given = answer["AuthenticationResult"]
        return given["IdToken"], float(given["ExpiresIn"])

    def _respond(self, pool: Pool, challenge: Any, session: str, **responses: str) -> Any:
        return self._cognito.respond_to_auth_challenge(
            ClientId=pool.client_id, ChallengeName=challenge, Session=session, ChallengeResponses=responses
        )

    def _register_app(self, name: str, session: str) -> str:
        """Register an authenticator app; returns the session to continue with."""
        begun = self._cognito.associate_software_token(Session=session)
        write_private(self._apps / name, begun["SecretCode"])
        code = one_time_code(begun["SecretCode"], time.time())
        return self._cognito.verify_software_token(Session=begun["Session"], UserCode=code)["Session"]

    def _create(self, pool: Pool, name: str, role: str, tenant: str) -> None:
        with suppress(self._cognito.exceptions.UsernameExistsException):  # created with another key of this machine
            self._cognito.admin_create_user(
                UserPoolId=pool.pool_id,
                Username=name,
                MessageAction="SUPPRESS",
                TemporaryPassword=self._password(name),
                UserAttributes=[{"Name": "custom:tenant", "Value": tenant}],
            )
        self._cognito.admin_set_user_password(
            UserPoolId=pool.pool_id, Username=name, Password=self._password(name), Permanent=True
        )
        self._cognito.admin_add_user_to_group(UserPoolId=pool.pool_id, Username=name, GroupName=role)

    def _password(self, name: str) -> str:
        """A password with every class of characters that a pool may require."""
        return f"Aa1!{hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()[:28]}"


class AppElsewhere(Exception):
    """The user has registered an authenticator app elsewhere."""


def one_time_code(secret: str, now: float) -> str:
    """The code of an authenticator app (RFC 6238: SHA-1, 30 seconds, six digits)."""
    mac = hmac.new(base64.b32decode(secret), int(now // 30).to_bytes(8, "big"), hashlib.sha1).digest()
    place = mac[-1] & 15
    return f"{(int.from_bytes(mac[place : place + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"
