"""Fills in the tax bureau's forms like a browser, and returns the code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import urllib3

from institutions.population import password


class GrantFailed(Exception):
    """The bureau issued no code; names the form and the status."""


@dataclass(frozen=True)
class Grant:
    """A code as the firm brings it to the platform; ``state`` as sent, or empty."""

    code: str
    expires_at: str
    taxpayer_id: str
    state: str = ""


def obtain_code(
    bureau_url: str,
    taxpayer_id: str,
    *,
    client_id: str = "creditmesh",
    validity_days: int = 365,
    redirect_uri: str = "",
    state: str = "",
) -> Grant:
    """Log in as a made-up firm, grant access and return the code without following the redirect.

    Raises:
        GrantFailed: the bureau refused a form.
    """
    http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5.0, read=30.0))
    asked = {"client_id": client_id, "redirect_uri": redirect_uri, "state": state, "taxpayer_id": taxpayer_id}
    url = f"{bureau_url.rstrip('/')}/oauth"
    _ask(http, "GET", f"{url}/authorize?{urlencode(asked)}", None)
    form = {**asked, "password": password(taxpayer_id)}
    granting = _ask(http, "POST", f"{url}/login", form).data.decode()
    session = _hidden(granting, "session")
    form = {"session": session, "validity_days": str(validity_days), "decision": "allow"}
    answer = _ask(http, "POST", f"{url}/grant", form)
    if answer.status == 303:
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        names = ("code", "expires_at", "taxpayer_id", "state")
        return Grant(*(query.get(name, [""])[0] for name in names))
    shown = answer.data.decode()
    return Grant(*(_shown(shown, name) for name in ("code", "expires_at", "taxpayer_id")))


def _ask(http: urllib3.PoolManager, method: str, url: str, form: dict[str, str] | None) -> urllib3.BaseHTTPResponse:
    headers = {"content-type": "application/x-www-form-urlencoded"} if form else {}
    body = urlencode(form).encode() if form else None
    try:
        answer = http.request(method, url, body=body, headers=headers, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        raise GrantFailed(f"{urlsplit(url).path}: {type(error).__name__}") from error
    if answer.status not in (200, 303):
        raise GrantFailed(f"{urlsplit(url).path}: {answer.status}")
    return answer


def _hidden(page: str, name: str) -> str:
    match = re.search(rf'name="{name}" value="([^"]*)"', page)
    if match is None:
        raise GrantFailed(f"no {name} on the page")
    return unescape(match[1])


def _shown(page: str, name: str) -> str:
    match = re.search(rf'<code id="{name}">([^<]*)</code>', page)
    if match is None:
        raise GrantFailed(f"no {name} on the page")
    return unescape(match[1])
