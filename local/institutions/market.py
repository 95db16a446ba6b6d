"""The shop platform: OAuth 2.0 client credentials, and paged sales of a shop."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from institutions.access import issue_token, same, token_right
from institutions.config import Config
from institutions.population import Population
from institutions.shop_figures import shop_data

SCOPE = "sales.read"
PAGE_MONTHS = 6
_LARGEST_BODY = 8_192


class TokenRefused(Exception):
    """No token is issued; ``error`` is one of RFC 6749, section 5.2."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.status = error, status


class MarketSquare:
    """The platform's routes over the made-up population."""

    def __init__(self, name: str, config: Config) -> None:
        self._settings = config.institutions[name]
        self._config = config
        self._population = Population(config.seed, config.population)

    def routes(self) -> list[Route]:
        return [
            Route("/oauth/token", self.token, methods=["POST"]),
            Route("/v1/sales", self.sales, methods=["GET"]),
        ]

    async def token(self, request: Request) -> Response:
        """A token for the client's secret (RFC 6749, section 4.4)."""
        try:
            self._check(await request.body(), request.headers.get("authorization"))
        except TokenRefused as refusal:
            asks = {"www-authenticate": 'Basic realm="market-square"'} if refusal.status == 401 else {}
            return JSONResponse({"error": refusal.error}, refusal.status, headers={**asks, **_NO_STORE})
        token = issue_token(self._settings.client_secret, self._settings.token_seconds)
        granted = {"access_token": token, "token_type": "Bearer", "expires_in": self._settings.token_seconds}
        return JSONResponse({**granted, "scope": SCOPE}, headers=_NO_STORE)

    async def sales(self, request: Request) -> Response:
        """One page of a shop's months, oldest first."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return _unauthorized("")
        if not token_right(self._settings.client_secret, token.strip()):
            return _unauthorized(', error="invalid_token"')
        taxpayer_id = request.query_params.get("taxpayer_id", "")
        day = self._config.today()
        firm = self._population.by_taxpayer_id(taxpayer_id, day)
        shop = shop_data(firm, day) if firm else None
        if shop is None:
            return JSONResponse({"error": "no_shop"}, 404)
        first = _month_of(request.query_params.get("cursor"))
        if first is None:
            return JSONResponse({"error": "invalid_cursor"}, 400)
        return JSONResponse(_page(shop, first))

    def _check(self, body: bytes, authorization: str | None) -> None:
        """Raise TokenRefused unless the client is authenticated."""
        try:
            pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, errors="strict", max_num_fields=20)
        except ValueError as error:
            raise TokenRefused("invalid_request") from error
        form = dict(pairs)
        if len(body) > _LARGEST_BODY or len(form) != len(pairs) or "grant_type" not in form:
            raise TokenRefused("invalid_request")
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization is not None:
            if "client_secret" in form:
                raise TokenRefused("invalid_request")
            client_id, secret = _basic(authorization)
        if not (same(client_id, self._settings.client_id) and same(secret, self._settings.client_secret)):
            raise TokenRefused("invalid_client", 401)
        if form["grant_type"] != "client_credentials":
            raise TokenRefused("unsupported_grant_type")
        if form.get("scope", SCOPE) != SCOPE:
            raise TokenRefused("invalid_scope")


_NO_STORE = {"cache-control": "no-store"}


def _basic(authorization: str) -> tuple[str, str]:
    """Client id and secret of the header, which are form-encoded (RFC 6749, section 2.3.1)."""
    scheme, _, value = authorization.partition(" ")
    try:
        client_id, colon, secret = base64.b64decode(value.strip(), validate=True).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise TokenRefused("invalid_client", 401) from error
    if scheme.lower() != "basic" or not colon:
        raise TokenRefused("invalid_client", 401)
    return unquote_plus(client_id), unquote_plus(secret)


def _unauthorized(why: str) -> Response:
    asks = {"www-authenticate": f'Bearer realm="market-square"{why}'}
    return JSONResponse({"error": "invalid_token"}, 401, headers=asks)


def _page(shop: dict[str, Any], first: str) -> dict[str, Any]:
    """Six months from ``first`` on; a cursor names a month, so that a new month does not shift pages."""
    rows = zip(shop["orders"], shop["refunds"], shop["ratings"], strict=True)
    items = [
        {"month": orders["month"], "orders": _rest(orders), "refunds": _rest(refunds), "rating": _rest(rating)}
        for orders, refunds, rating in rows
        if orders["month"] >= first
    ]
    following = items[PAGE_MONTHS:]
    return {
        "shop": shop["shop"],
        "items": items[:PAGE_MONTHS],
        "next": _cursor(following[0]["month"]) if following else None,
        "currency": shop["currency"],
    }


def _rest(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "month"}


def _cursor(month: str) -> str:
    return base64.urlsafe_b64encode(f"from:{month}".encode()).decode().rstrip("=")


def _month_of(cursor: str | None) -> str | None:
    """The month of a cursor; the first of all without one; None if invalid."""
    if not cursor:
        return ""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        return None
    match = re.fullmatch(r"from:(\d{4}-\d\d)", text)
    return match[1] if match else None
