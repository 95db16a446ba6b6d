"""A simulated browser at the tax bureau: reads forms, logs in, grants access and returns with the code."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from client.api import http_client


class BureauError(Exception):
    """The bureau refused the borrower, or showed an unexpected page."""


@dataclass(frozen=True)
class Grant:
    """What the borrower brings back."""

    code: str = field(repr=False)
    expires_at: str
    taxpayer_id: str
    state: str


@dataclass
class Form:
    """A form of a page: its target and default values."""

    action: str
    fields: dict[str, str]


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(values.get("action", ""), {}))
        elif tag in ("input", "select", "button") and self.found and values.get("name"):
            self.found[-1].fields.setdefault(values["name"], values.get("value", ""))


class Bureau:
    """Walks through the bureau's pages. Thread-safe.

    Args:
        http: a shared client; created by default.
    """

    def __init__(self, http: httpx.Client | None = None) -> None:
        self._http = http or http_client("http://127.0.0.1")

    def grant(self, login_url: str, password: str, *, validity_days: int = 365) -> Grant:
        """Log in at the link's page, grant access, and read code and expiry from the redirect.

        Raises:
            BureauError: wrong password, an unexpected page, or the bureau refused.
        """
        taxpayer_id = parse_qs(urlsplit(login_url).query).get("taxpayer_id", [""])[0]
        page = self._page(self._http.get(login_url))
        page = self._submit(page, {"taxpayer_id": taxpayer_id, "password": password})
        answer = self._submit(self._page(page), {"validity_days": str(validity_days), "decision": "allow"})
        if answer.status_code != 303:
            raise BureauError(f"the bureau answered {answer.status_code} to the grant")
        back = parse_qs(urlsplit(answer.headers["location"]).query)
        if "code" not in back:
            raise BureauError(f"no access: {back.get('error', ['no code came back'])[0]}")
        return Grant(back["code"][0], back["expires_at"][0], back["taxpayer_id"][0], back["state"][0])

    @staticmethod
    def _page(answer: httpx.Response) -> httpx.Response:
        if answer.status_code != 200:
            raise BureauError(f"the bureau answered {answer.status_code} at {answer.request.url.path}")
        return answer

    def _submit(self, page: httpx.Response, typed: dict[str, str]) -> httpx.Response:
        parser = _Forms()
        parser.feed(page.text)
        form = next((one for one in parser.found if typed.keys() <= one.fields.keys()), None)
        if form is None:
            raise BureauError(f"the page {page.request.url.path} has no form for {', '.join(sorted(typed))}")
        return self._http.post(urljoin(str(page.request.url), form.action), data={**form.fields, **typed})
