"""Authentication of calls: keys, signatures, tokens, certificates. Secrets are passed by reference only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote_plus, urlencode, urlsplit

from creditmesh.gateway.channels import rendering
from creditmesh.gateway.channels.document import ApiKey, Channel, HmacSignature, MutualTls, OAuth2
from creditmesh.gateway.channels.reasons import NoSourceAnswer
from creditmesh.kernel.clock import Clock
from creditmesh.platform.http import Answer, HttpClient, InstitutionUnavailable
from creditmesh.platform.institutions import Keys, SecretMissing

TOKEN_MARGIN = timedelta(seconds=30)
_SHORTEST_TOKEN = timedelta(seconds=60)
_LONGEST_TOKEN_ANSWER = 100_000
_SHORTEST_SIGNING_KEY = 14
"""Bytes: the 112 bits that NIST SP 800-131A asks of an HMAC key."""


@dataclass(frozen=True)
class Prepared:
    """A rendered HTTP request before authentication."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Credentials:
    """The headers and certificates that authenticate a request."""

    headers: dict[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = None


class Authenticator:
    """Authenticates requests.

    Args:
        nonce: returns a fresh random text.
    """

    def __init__(
        self,
        http: HttpClient,
        clock: Clock,
        nonce: Callable[[], str] = lambda: base64.b16encode(os.urandom(16)).decode(),
    ) -> None:
        self._http, self._clock, self._nonce = http, clock, nonce
        self._tokens: dict[tuple[str, ...], tuple[str, float]] = {}

    def credentials(self, channel: Channel, keys: Keys, origin: str, request: Prepared, seconds: float) -> Credentials:
        """The headers and certificates of one request.

        Args:
            seconds: time limit for obtaining them.

        Raises:
            SecretMissing: a secret that the channel refers to is missing or unusable.
            InstitutionUnavailable: no token was issued; the source itself was not called.
        """
        scheme = channel.authentication
        if isinstance(scheme, ApiKey):
            return Credentials({scheme.header: scheme.prefix + _sendable(scheme.secret, keys.secret(scheme.secret))})
        if isinstance(scheme, HmacSignature):
            return Credentials(self._signature(scheme, keys, request))
        if isinstance(scheme, OAuth2):
            token = self._token(channel, scheme, keys, origin, seconds)
            return Credentials({"authorization": f"Bearer {token}"})
        if isinstance(scheme, MutualTls):
            return Credentials(tls=_own_certificate(scheme, keys))
        return Credentials()

    def forget_token(self, channel: Channel, origin: str) -> bool:
        """Drop a token that the institution rejects; returns whether there was one."""
        scheme = channel.authentication
        return isinstance(scheme, OAuth2) and self._tokens.pop(_token_key(channel, scheme, origin), None) is not None

    def _signature(self, scheme: HmacSignature, keys: Keys, request: Prepared) -> dict[str, str]:
        stamp, nonce = str(int(self._clock.now().timestamp())), self._nonce()
        body = request.body or b""
        parts = urlsplit(request.url)
        values = {
            "timestamp": stamp, "nonce": nonce, "method": request.method,
            "path": parts.path + (f"?{parts.query}" if parts.query else ""),
            "body": body.decode("utf-8", "surrogateescape"), "body_sha256": hashlib.sha256(body).hexdigest(),
        }  # fmt: skip
        signed = rendering.text(scheme.over, values).encode("utf-8", "surrogateescape")
        digest = hmac.new(_signing_key(scheme.secret, keys.secret(scheme.secret)), signed, scheme.algorithm).digest()
        signature = digest.hex() if scheme.encoding == "hex" else base64.b64encode(digest).decode()
        headers = {scheme.header: signature}
        client_id = _sendable("client_id", keys.client_id)
        for name, value in (
            (scheme.timestamp_header, stamp), (scheme.nonce_header, nonce), (scheme.client_header, client_id)
        ):  # fmt: skip
            if name:
                headers[name] = value
        return headers

    def _token(self, channel: Channel, scheme: OAuth2, keys: Keys, origin: str, seconds: float) -> str:
        key = _token_key(channel, scheme, origin)
        token, until = self._tokens.get(key, ("", 0.0))
        now = self._clock.now().timestamp()
        if now < until:
            return token
        # RFC 6749, 2.3.1: both are form-encoded within the header.
        client = f"{quote_plus(keys.client_id)}:{quote_plus(keys.secret(scheme.secret))}"
        answer = self._ask_for_token(channel, scheme, origin, base64.b64encode(client.encode()).decode(), seconds)
        document = answer.json() if answer.status == 200 else None
        found = document.get("access_token") if isinstance(document, dict) else None
        if not isinstance(found, str) or not found or not found.isascii() or not found.isprintable():
            raise NoSourceAnswer("token_answered", sent=False, status=answer.status)
        lasts = (document or {}).get("expires_in")
        span = lasts if isinstance(lasts, int) and lasts > 0 else _SHORTEST_TOKEN.total_seconds()
        self._tokens[key] = (found, now + max(0, span - TOKEN_MARGIN.total_seconds()))
        return found

    def _ask_for_token(self, channel: Channel, scheme: OAuth2, origin: str, basic: str, seconds: float) -> Answer:
        form = {"grant_type": "client_credentials"} | ({"scope": scheme.scope} if scheme.scope else {})
        headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
        try:
            answer = self._http.call(
                "POST", origin + scheme.token_path, headers=headers, body=urlencode(form).encode(),
                connect_seconds=channel.limits.connect_seconds, total_seconds=seconds,
                answer_bytes=_LONGEST_TOKEN_ANSWER,
            )  # fmt: skip
            if answer.status == 200:
                answer.json()
        except InstitutionUnavailable as failure:
            # The source itself was not called, so nothing was charged.
            named = {name: value for name, value in failure.parameters.items() if name != "status"}
            raise NoSourceAnswer(
                f"token_{failure.fault}", sent=False, status=failure.status, retry_after=failure.retry_after, **named
            ) from None
        return answer


def _token_key(channel: Channel, scheme: OAuth2, origin: str) -> tuple[str, ...]:
    return origin, channel.institution, scheme.token_path, scheme.secret, scheme.scope or ""


def _sendable(name: str, secret: str) -> str:
    """A secret that fits into a header; a line break would be refused later, in a message that quotes it."""
    if not secret.isascii() or not secret.isprintable():
        raise SecretMissing("secret_unfit_for_header", secret=name)
    return secret


def _signing_key(name: str, secret: str) -> bytes:
    """A secret that signs; pasted white space would make every signature wrong without a sign of the cause."""
    if not secret.isprintable() or secret != secret.strip() or len(key := secret.encode()) < _SHORTEST_SIGNING_KEY:
        raise SecretMissing("secret_too_short", secret=name, min=_SHORTEST_SIGNING_KEY)
    return key


def _own_certificate(scheme: MutualTls, keys: Keys) -> ssl.SSLContext:
    authority = keys.secret(scheme.authority) if scheme.authority else None
    try:
        return _tls(keys.secret(scheme.certificate), keys.secret(scheme.private_key), authority)
    except (ssl.SSLError, ValueError):
        raise SecretMissing(
            "certificate_unfit", certificate=scheme.certificate, private_key=scheme.private_key
        ) from None


@lru_cache(maxsize=32)
def _tls(certificate: str, private_key: str, authority: str | None) -> ssl.SSLContext:
    """A context with a client certificate. OpenSSL reads files only, so they exist for a moment."""
    context = ssl.create_default_context(cadata=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pair.pem"
        file.touch(mode=0o600)
        file.write_text(f"{private_key}\n{certificate}\n", "ascii")
        context.load_cert_chain(file)
    return context
