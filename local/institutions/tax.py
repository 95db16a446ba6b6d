"""The tax bureau: login, grant, revocation, and taxpayer data for a valid code."""

from __future__ import annotations

import hmac
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from institutions.access import key_right
from institutions.codes import LONGEST_VALIDITY_DAYS, CodeRefused, Codes, Session
from institutions.config import Config, InstitutionConfig
from institutions.database import instant
from institutions.pages import code_page, grant_page, login_page, message_page
from institutions.population import Firm, Population, expired_code, password, persona_id
from institutions.tax_figures import tax_data

_LOCAL_SUFFIXES = (".localhost", ".localhost.localstack.cloud")


class TaxBureau:
    """The bureau's routes over its register of codes and the made-up population."""

    def __init__(self, name: str, config: Config) -> None:
        self._settings: InstitutionConfig = config.institutions[name]
        self._config = config
        self._population = Population(config.seed, config.population)
        self._codes = Codes(config.state_dir, name)
        self._codes.add_expired(expired_code(config.seed), persona_id(config.seed, "expired_code"))

    def routes(self) -> list[Route]:
        return [
            Route("/oauth/authorize", self.authorize, methods=["GET"]),
            Route("/oauth/login", self.login, methods=["POST"]),
            Route("/oauth/grant", self.grant, methods=["POST"]),
            Route("/oauth/revoke", self.revoke, methods=["POST"]),
            Route("/api/v1/taxpayer-data", self.taxpayer_data, methods=["POST"]),
        ]

    async def authorize(self, request: Request) -> Response:
        """Show the login page, unless the request is invalid."""
        fields = {name: request.query_params.get(name, "") for name in _REQUEST_FIELDS}
        return self._refused(fields) or login_page(fields)

    async def login(self, request: Request) -> Response:
        """Check the password; then ask for the grant."""
        form = await _form(request)
        fields = {name: form.get(name, "") for name in _REQUEST_FIELDS}
        refused = self._refused(fields)
        if refused is not None:
            return refused
        firm = self._firm(fields["taxpayer_id"].strip().upper())
        given, expected = form.get("password", ""), password(firm.taxpayer_id) if firm else ""
        if firm is None or not hmac.compare_digest(given.encode(), expected.encode()):
            message = "纳税人识别号或密码错误 · Wrong taxpayer id or password"
            return login_page(fields, message, status_code=401)
        session = Session(firm.taxpayer_id, fields["client_id"], fields["redirect_uri"], fields["state"])
        return grant_page(self._codes.open_session(session), f"{firm.name} · {firm.name_latin}", session.client_id)

    async def grant(self, request: Request) -> Response:
        """Issue a code, or record the refusal, and redirect back."""
        form = await _form(request)
        days = form.get("validity_days", "")
        if not days.isascii() or not days.isdigit() or len(days) > 4 or not 1 <= int(days) <= LONGEST_VALIDITY_DAYS:
            return message_page("有效期 · Validity", f"1–{LONGEST_VALIDITY_DAYS} 天 · days", 400)
        if form.get("decision") not in ("allow", "deny"):
            return message_page("授权 · Grant access", "allow / deny", 400)
        session = self._codes.close_session(form.get("session", ""))
        if session is None:
            return message_page("会话已失效 · Session over", "请重新登录 · Log in again", 400)
        if form["decision"] == "deny":
            return self._answer(session, {"error": "access_denied"}) or message_page(
                "已拒绝 · Denied", "access_denied", 200
            )
        code, expires = self._codes.issue(session.taxpayer_id, int(days))
        answer = {"code": code, "expires_at": instant(expires), "taxpayer_id": session.taxpayer_id}
        return self._answer(session, answer) or code_page(code, instant(expires), session.taxpayer_id)

    async def revoke(self, request: Request) -> Response:
        if not key_right(request.headers, self._settings.api_key):
            return JSONResponse({"error": "invalid_api_key"}, status_code=401)
        asked = await _taxpayer_and_code(request)
        if asked is None:
            return JSONResponse({"error": "invalid_request"}, status_code=400)
        self._codes.revoke(*asked)
        return Response(status_code=204)

    async def taxpayer_data(self, request: Request) -> Response:
        """Verify the code and return the data."""
        if not key_right(request.headers, self._settings.api_key):
            return JSONResponse({"error": "invalid_api_key"}, status_code=401)
        asked = await _taxpayer_and_code(request)
        if asked is None:
            return JSONResponse({"error": "invalid_request"}, status_code=400)
        try:
            self._codes.check(*asked)
        except CodeRefused as refusal:
            return JSONResponse({"error": refusal.reason}, status_code=403)
        firm = self._firm(asked[0])
        if firm is None:
            return JSONResponse({"error": "no_data"}, status_code=404)
        return JSONResponse(tax_data(firm, self._config.today()))

    def _firm(self, taxpayer_id: str) -> Firm | None:
        return self._population.by_taxpayer_id(taxpayer_id, self._config.today())

    def _refused(self, fields: dict[str, str]) -> Response | None:
        """A code goes only to a registered redirect URI; other requests are refused here without a redirect."""
        if fields["client_id"] != self._settings.client_id:
            return message_page("未知应用 · Unknown client", "client_id", 400)
        if fields["redirect_uri"] and not self._redirect_allowed(fields["redirect_uri"]):
            return message_page("回调地址不允许 · Redirect not allowed", "redirect_uri", 400)
        return None

    def _redirect_allowed(self, uri: str) -> bool:
        if any(uri.startswith(prefix) for prefix in self._settings.redirect_uris):
            return True
        try:
            parts = urlsplit(uri)
            host = parts.hostname or ""
        except ValueError:
            return False
        local = host in ("localhost", "127.0.0.1", "::1") or host.endswith(_LOCAL_SUFFIXES)
        return parts.scheme in ("http", "https") and local and parts.username is None

    def _answer(self, session: Session, answer: dict[str, str]) -> Response | None:
        if not session.redirect_uri:
            return None
        base, hash_mark, fragment = session.redirect_uri.partition("#")
        query = urlencode({**answer, "state": session.state})
        location = f"{base}{'&' if '?' in base else '?'}{query}{hash_mark}{fragment}"
        return RedirectResponse(location, status_code=303, headers={"cache-control": "no-store"})


_REQUEST_FIELDS = ("client_id", "redirect_uri", "state", "taxpayer_id")


async def _form(request: Request) -> dict[str, str]:
    async with request.form(max_files=0, max_fields=20) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


async def _taxpayer_and_code(request: Request) -> tuple[str, str] | None:
    try:
        document: Any = json.loads(await request.body())
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    taxpayer_id, code = document.get("taxpayer_id"), document.get("authorization_code")
    return (taxpayer_id, code) if isinstance(taxpayer_id, str) and isinstance(code, str) else None
