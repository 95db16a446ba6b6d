"""Typed access to the REST API over httpx, with safe retries."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from client.views import ApplicationView, Contract, LenderStanding, Offer, OperatorTask, TimelineEntry

Token = str | Callable[[], str] | None
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_TRY_AGAIN = {429, 500, 502, 503, 504}
_CONNECTIONS = httpx.Limits(max_connections=64, max_keepalive_connections=64)


class ProblemError(Exception):
    """The API refused a request (RFC 9457)."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: list[dict[str, str]] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            f"{status} {code}: {detail}" + "".join(f"; {e.get('field')}: {e.get('rule')}" for e in errors or [])
        )
        self.status, self.code, self.detail, self.errors = status, code, detail, errors or []
        self.parameters = parameters or {}


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine; emulators have names such as ``x.execute-api.localhost``."""
    host = urlsplit(url).hostname or ""
    return host in _LOOPBACK or host.endswith(".localhost")


def http_client(base_url: str, timeout: float = 30.0) -> httpx.Client:
    """A pooled client for many threads; on this machine without the environment's proxy."""
    return httpx.Client(timeout=timeout, limits=_CONNECTIONS, trust_env=not is_loopback(base_url))


class Api:
    """The platform for one caller. Thread-safe.

    Args:
        base_url: without a trailing slash, e.g. the stack's output ``ApiUrl``.
        token: bearer token, or a function that returns one.
        http: a shared client; created by default.
        patience_seconds: how long a request is retried without an answer or after 429 or 5xx; every POST has an
            idempotency key, so that retries are harmless.
    """

    def __init__(
        self, base_url: str, token: Token = None, *, http: httpx.Client | None = None, patience_seconds: float = 60.0
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._token, self._http, self._patience = token, http or http_client(base_url), patience_seconds

    def as_caller(self, token: Token) -> Api:
        """The API for another caller, over the same connections."""
        return Api(self.base_url, token, http=self._http, patience_seconds=self._patience)

    def apply(self, request: Mapping[str, Any], key: str | None = None) -> ApplicationView:
        """Submit a loan request; ``key`` is the idempotency key."""
        return ApplicationView.model_validate(self.call("POST", "/v1/applications", request, key=key))

    def apply_as_guest(self, request: Mapping[str, Any], key: str | None = None) -> tuple[ApplicationView, Api]:
        """Submit a loan request without an account; also returns the API for that guest."""
        answer = self.as_caller(None).call("POST", "/v1/guest/applications", request, key=key)
        return ApplicationView.model_validate(answer["application"]), self.as_caller(answer["access_token"])

    def application(self, application_id: str) -> ApplicationView:
        return ApplicationView.model_validate(self.call("GET", f"/v1/applications/{application_id}"))

    def applications(self, status: str | None = None, limit: int = 100) -> list[ApplicationView]:
        wanted = f"?limit={limit}" + (f"&status={status}" if status else "")
        answer = self.call("GET", f"/v1/applications{wanted}")
        return [ApplicationView.model_validate(application) for application in answer["applications"]]

    def listed(self, path: str, name: str) -> Iterator[Any]:
        """Everything of a list, page by page; `name` is the attribute that holds it."""
        join, cursor = "&" if "?" in path else "?", ""
        while True:
            answer = self.call("GET", f"{path}{join}limit=100{cursor}")
            yield from answer[name]
            if not answer["next"]:
                return
            cursor = f"&cursor={answer['next']}"

    def timeline(self, application_id: str) -> list[TimelineEntry]:
        """Events of an application, oldest first."""
        found = self.listed(f"/v1/applications/{application_id}/timeline", "timeline")
        return [TimelineEntry.model_validate(one) for one in found]

    def authorization_link(self, application_id: str) -> str:
        return str(self.call("GET", f"/v1/applications/{application_id}/authorization-link")["url"])

    def authorize(self, application_id: str, code: str, expires_at: str) -> ApplicationView:
        """Submit the authorisation code."""
        body = {"authorization_code": code, "expires_at": expires_at}
        return ApplicationView.model_validate(
            self.call("POST", f"/v1/applications/{application_id}/authorization", body)
        )

    def scopes(self) -> dict[str, dict[str, Any]]:
        return {scope["scope"]: scope for scope in self.listed("/v1/consent-scopes", "scopes")}

    def consents(self, application_id: str) -> list[dict[str, Any]]:
        """State of every right of the application's firm."""
        return list(self.listed(f"/v1/applications/{application_id}/consents", "consents"))

    def give_consent(
        self, application_id: str, scope: Mapping[str, Any], valid_days: int, fields: Mapping[str, str]
    ) -> None:
        """Grant a right on the platform, with what its sources want besides."""
        body = {
            "scope": scope["scope"], "text_version": scope["text_version"], "language": scope["language"],
            "valid_days": valid_days, "agreed": True, "fields": dict(fields),
        }  # fmt: skip
        self.call("POST", f"/v1/applications/{application_id}/consents", body)

    def withdraw_consent(self, application_id: str, scope: str) -> None:
        """Withdraw a right immediately."""
        self.call("DELETE", f"/v1/applications/{application_id}/consents/{scope}")

    def report(self, application_id: str) -> dict[str, Any]:
        return dict(self.call("GET", f"/v1/applications/{application_id}/report"))

    def matches(self, application_id: str) -> list[Offer]:
        found = self.listed(f"/v1/applications/{application_id}/matches", "matches")
        return [Offer.model_validate(match) for match in found]

    def choose(self, application_id: str, offer: Offer) -> ApplicationView:
        """Choose an offer as it stands, its amount included."""
        body = offer.model_dump(include={"lender_id", "product_id", "version", "amount"})
        return ApplicationView.model_validate(self.call("POST", f"/v1/applications/{application_id}/choice", body))

    def lender(self, application_id: str) -> LenderStanding:
        return LenderStanding.model_validate(self.call("GET", f"/v1/applications/{application_id}/lender"))

    def accept_counter_offer(self, application_id: str, terms_sha256: str) -> ApplicationView:
        body = {"action": "accept", "terms_sha256": terms_sha256}
        path = f"/v1/applications/{application_id}/counter-offer"
        return ApplicationView.model_validate(self.call("POST", path, body))

    def inform(self, application_id: str, answer: str) -> ApplicationView:
        """Answer the lender's question."""
        path = f"/v1/applications/{application_id}/information"
        return ApplicationView.model_validate(self.call("POST", path, {"answer": answer}))

    def contract(self, application_id: str) -> Contract:
        return Contract.model_validate(self.call("GET", f"/v1/applications/{application_id}/contract"))

    def sign(self, application_id: str, document_sha256: str, signer_name: str) -> ApplicationView:
        body = {"document_sha256": document_sha256, "signer_name": signer_name, "consent": True}
        return ApplicationView.model_validate(self.call("POST", f"/v1/applications/{application_id}/signature", body))

    def cancel_payment(self, application_id: str) -> None:
        """Ask the lender not to carry out the open order to pay."""
        self.call("POST", f"/v1/applications/{application_id}/payment-order/cancellation", {})

    def withdraw(self, application_id: str) -> ApplicationView:
        return ApplicationView.model_validate(self.call("POST", f"/v1/applications/{application_id}/withdrawal", {}))

    def products(self) -> list[dict[str, Any]]:
        return list(self.listed("/v1/products", "products"))

    def put_blacklist_entry(self, entry: Mapping[str, Any]) -> None:
        self.call("PUT", "/v1/blacklist", entry)

    def put_channel(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self.call("PUT", f"/v1/channels/{document['channel_id']}", document))

    def put_plan(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self.call("PUT", f"/v1/collection-plans/{document['plan_id']}", document))

    def register_flow(self, document: Mapping[str, Any]) -> int:
        """Register a loan flow's next version; returns its number."""
        return int(self.call("PUT", f"/v1/flows/{document['flow_id']}", document)["version"])

    def approve_flow(self, flow_id: str, version: int) -> None:
        """Put a version in force that another person has registered."""
        self.call("POST", f"/v1/flows/{flow_id}/versions/{version}/approval", {})

    def assign_flow(self, application_id: str, flow_id: str) -> ApplicationView:
        """Assign a loan flow to an application that waits for one."""
        body = {"flow_id": flow_id}
        return ApplicationView.model_validate(self.call("POST", f"/v1/applications/{application_id}/flow", body))

    def put_record(self, record: str, key: str, document: Mapping[str, Any]) -> None:
        """Store a record that fills missing fields of requests."""
        self.call("PUT", f"/v1/reference-records/{record}/{key}", document)

    def channel_health(self, minutes: int = 60) -> list[dict[str, Any]]:
        """Health of the channels."""
        return list(self.listed(f"/v1/channels-health?minutes={minutes}", "channels"))

    def operator_tasks(self, limit: int = 100) -> list[OperatorTask]:
        return [
            OperatorTask.model_validate(task) for task in self.call("GET", f"/v1/operator-tasks?limit={limit}")["tasks"]
        ]

    def resolve(self, task_id: str, action: str, note: str) -> None:
        """Resolve a task: ``retry`` or ``close``; a referral is approved, declined or closed."""
        self.call("POST", f"/v1/operator-tasks/{task_id}/resolution", {"action": action, "note": note})

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Send one request; returns the JSON answer, or None if there is none.

        Raises:
            ProblemError: the API refused.
            httpx.TransportError: no answer within the patience.
        """
        headers = {"Idempotency-Key": key or uuid.uuid4().hex} if method == "POST" else {}
        answer = self._patiently(method, path, body, headers)
        if answer.status_code >= 400:
            raise _problem(answer)
        return answer.json() if answer.content else None

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request without retries; returns any response. ``options`` go to httpx."""
        return self._http.request(method, f"{self.base_url}{path}", **options)

    def bearer(self) -> str | None:
        return self._token() if callable(self._token) else self._token

    def _patiently(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: dict[str, str]
    ) -> httpx.Response:
        deadline, pause = time.monotonic() + self._patience, 0.2
        while True:
            if token := self.bearer():
                headers["Authorization"] = f"Bearer {token}"
            try:
                answer = self._http.request(method, f"{self.base_url}{path}", json=body, headers=headers)
                if answer.status_code not in _TRY_AGAIN or time.monotonic() + pause > deadline:
                    return answer
            except httpx.TransportError:
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


def _problem(answer: httpx.Response) -> ProblemError:
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return ProblemError(answer.status_code, "unreadable", answer.text[:200])
    detail = document.get("detail") or document.get("title") or document.get("message") or document.get("Message") or ""
    code, errors, named = str(document.get("code", "")), document.get("errors"), document.get("parameters")
    return ProblemError(answer.status_code, code, str(detail), errors, named)
