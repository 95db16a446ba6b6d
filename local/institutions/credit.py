"""The credit bureau: signed enquiries, each charged once, answered later by callback."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from institutions.access import fresh, hex_signature, same
from institutions.callbacks import Deliverer
from institutions.charges import Charge, ContentDiffers, digest
from institutions.config import Config
from institutions.credit_figures import credit_bureau_data
from institutions.credit_store import CreditStore
from institutions.database import instant
from institutions.faults import Faults
from institutions.messages import encode
from institutions.population import Firm, Population

FEE_FEN = 800
_READY = "credit.report.ready"
_LARGEST_BODY = 65_536


@dataclass(frozen=True)
class Enquiry:
    """An enquiry; the consent's reference is kept for audits."""

    taxpayer_id: str
    consent_reference: str
    request_id: str


class CreditBureau:
    """The bureau's routes over its store and the made-up population."""

    def __init__(self, name: str, config: Config, faults: Faults) -> None:
        self._name = name
        self._config = config
        self._settings = config.institutions[name]
        self._population = Population(config.seed, config.population)
        self._store = CreditStore(config.state_dir, name)
        url, secret = config.callback_for(name), self._settings.webhook_secret
        self._deliverer = Deliverer(self._store, faults, url, secret)
        self.lifespan = self._deliverer.lifespan

    def routes(self) -> list[Route]:
        """All routes; those for testers begin with ``/_``."""
        return [
            Route("/api/v1/enquiries", self.enquire, methods=["POST"]),
            Route("/api/v1/enquiries/{enquiry_id}", self.status, methods=["GET"]),
            Route("/_ledger", self.ledger, methods=["GET"]),
            Route("/_callbacks", self.callbacks, methods=["GET"]),
        ]

    async def enquire(self, request: Request) -> Response:
        """Accept an enquiry: charge it and schedule its report, once per request id."""
        body, now = await request.body(), time.time()
        if not self._authentic(request, body, now):
            return JSONResponse({"error": "unauthorized"}, 401)
        asked = _parse(body)
        if asked is None:
            return JSONResponse({"error": "invalid_request"}, 400)
        day = self._config.today()
        firm = self._population.by_taxpayer_id(asked.taxpayer_id, day)
        if firm is None:
            return JSONResponse({"error": "no_such_company"}, 404)
        content = json.dumps([asked.taxpayer_id, asked.consent_reference]).encode()
        try:
            with self._store.change():
                enquiry_id = self._store.charges.known(asked.request_id, content)
                known = enquiry_id is not None
                if enquiry_id is None:
                    enquiry_id = self._take(asked, firm, content, now)
                else:
                    self._store.resend(enquiry_id, _READY, now)
        except ContentDiffers:
            return JSONResponse({"error": "content_differs", "field": "request_id"}, 409)
        self._deliverer.wake()
        return JSONResponse({"enquiry_id": enquiry_id}, 200 if known else 202)

    async def status(self, request: Request) -> Response:
        """State of an enquiry, with its report once it is ready."""
        now = time.time()
        if not self._authentic(request, b"", now):
            return JSONResponse({"error": "unauthorized"}, 401)
        found = self._store.enquiry(request.path_params["enquiry_id"])
        if found is None:
            return JSONResponse({"error": "no_such_enquiry"}, 404)
        report, ready_at = found
        return JSONResponse({"status": "pending"} if now < ready_at else {"status": "ready", "report": report})

    async def ledger(self, _: Request) -> Response:
        """Every charged enquiry."""
        return JSONResponse(self._store.charges.ledger())

    async def callbacks(self, _: Request) -> Response:
        """Every callback with its delivery state."""
        return JSONResponse({"callbacks": self._store.callbacks()})

    def _authentic(self, request: Request, body: bytes, now: float) -> bool:
        """Whether the client signed this request, in time and with a new nonce."""
        names = ("x-client-id", "x-timestamp", "x-nonce", "x-signature")
        client_id, timestamp, nonce, signature = (request.headers.get(name, "") for name in names)
        if not (fresh(timestamp, now) and 8 <= len(nonce) <= 128 and same(client_id, self._settings.client_id)):
            return False
        secret = self._settings.signing_secret
        expected = hex_signature(secret, timestamp, nonce, body)
        return bool(secret) and same(signature, expected) and self._store.note_nonce(nonce, now)

    def _take(self, asked: Enquiry, firm: Firm, content: bytes, now: float) -> str:
        enquiry_id = "ENQ-" + hashlib.sha256(f"{self._name}:{asked.request_id}".encode()).hexdigest()[:20]
        report = _outer_form(credit_bureau_data(firm, self._config.today()))
        ready_at = now + self._settings.delay_ms / 1000
        charge = Charge(enquiry_id, asked.request_id, digest(content), firm.taxpayer_id, FEE_FEN, now, enquiry_id)
        self._store.charges.add(charge)
        self._store.add_enquiry(enquiry_id, report, ready_at)
        told = {"request_id": asked.request_id, "enquiry_id": enquiry_id, "report": report}
        self._store.plan_callback(
            webhook_id=f"msg_{enquiry_id}",
            subject_id=enquiry_id,
            answers=_READY,
            type=_READY,
            body=encode(_READY, instant(ready_at), told),
            due_at=ready_at,
        )
        return enquiry_id


def _parse(body: bytes) -> Enquiry | None:
    try:
        document: Any = json.loads(body) if len(body) <= _LARGEST_BODY else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    values = [document.get(name) for name in ("taxpayer_id", "consent_reference", "request_id")]
    texts = [value for value in values if isinstance(value, str) and 0 < len(value) <= 256]
    return Enquiry(*texts) if len(texts) == len(values) else None


def _outer_form(data: dict[str, Any]) -> dict[str, Any]:
    """The report in the bureau's own format: nested sections, own names."""
    return {
        "subject": {"id_type": "uscc", "id": data["taxpayer_id"]},
        "credit": {
            "facilities": [
                {
                    "ref": row["account_id"],
                    "type": row["kind"],
                    "grantor": row["lender"],
                    "period": {"from": row["opened_on"], "to": row["closed_on"]},
                    "limit": row["credit_limit"],
                    "outstanding": row["balance"],
                    "instalment": row["monthly_payment"],
                    "arrears": row["overdue_amount"],
                    "worst_24m": row["worst_months_past_due_24m"],
                }
                for row in data["accounts"]
            ],
            "arrears_history": [
                {
                    "ref": row["account_id"],
                    "period": row["month"],
                    "dpd": row["days_past_due"],
                    "amount": row["amount"],
                }
                for row in data["overdue"]
            ],
        },
        "searches": [
            {"date": row["on"], "purpose": row["reason"], "by": row["institution"]} for row in data["enquiries"]
        ],
        "currency": data["currency"],
    }
