"""Users in the Cognito pool and their id tokens; a user is made when first needed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from run.places import write_private

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

_RENEW_SECONDS = 300.0


class Users:
    """Gives tokens for (role, tenant).

    Passwords are made from a random key of this machine, so only that one secret is kept.

    Args:
        key_file: where the key lies; made with mode 0600 if there is none.
    """

    def __init__(self, cognito: CognitoIdentityProviderClient, pool_id: str, client_id: str, key_file: Path) -> None:
        self._cognito, self._pool_id, self._client_id = cognito, pool_id, client_id
        if not key_file.exists():
            write_private(key_file, secrets.token_hex(32))
        self._key = key_file.read_text().strip().encode()
        self._tokens: dict[str, tuple[str, float]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def token(self, role: str, tenant: str) -> Callable[[], str]:
        """What gives a valid id token of a user with that role in that tenant whenever it is called."""
        name = f"{role}-{tenant}"

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
        known = (self._cognito.exceptions.UserNotFoundException, self._cognito.exceptions.NotAuthorizedException)
        try:
            return self._authenticate(name)
        except known:  # Cognito may not tell an unknown user from a wrong password
            self._create(name, role, tenant)
            return self._authenticate(name)

    def _authenticate(self, name: str) -> tuple[str, float]:
        answer = self._cognito.initiate_auth(
            ClientId=self._client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": name, "PASSWORD": self._password(name)},
        )["AuthenticationResult"]
        return answer["IdToken"], float(answer["ExpiresIn"])

    def _create(self, name: str, role: str, tenant: str) -> None:
        with suppress(self._cognito.exceptions.UsernameExistsException):  # made under another key of this machine
            self._cognito.admin_create_user(
                UserPoolId=self._pool_id,
                Username=name,
                MessageAction="SUPPRESS",
                TemporaryPassword=self._password(name),
                UserAttributes=[{"Name": "custom:tenant", "Value": tenant}],
            )
        self._cognito.admin_set_user_password(
            UserPoolId=self._pool_id, Username=name, Password=self._password(name), Permanent=True
        )
        self._cognito.admin_add_user_to_group(UserPoolId=self._pool_id, Username=name, GroupName=role)

    def _password(self, name: str) -> str:
        """A password with every class of characters a pool may ask for."""
        return f"Aa1!{hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()[:28]}"
