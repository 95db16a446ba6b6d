"""The anti-fraud service: signed requests, immediate scores, each request id charged once."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from institutions.access import base64_signature, fresh, same
from institutions.charges import CHARGES_SCHEMA, Charge, Charges, ContentDiffers, digest
from institutions.config import Config
from institutions.database import connect, transaction
from institutions.fraud_figures import anti_fraud_data
from institutions.population import Population

FEE_FEN = 150
_LARGEST_BODY = 65_536
_LONGEST_ID = 128


class FraudShield:
    """The service's one route over its ledger and the made-up population."""

    def __init__(self, name: str, config: Config) -> None:
        self._config = config
        self._settings = config.institutions[name]
        self._population = Population(config.seed, config.population)
        self._db = connect(config.state_dir, name, CHARGES_SCHEMA)
        self._charges = Charges(self._db)

    def routes(self) -> list[Route]:
        return [
            Route("/score", self.score, methods=["POST"]),
            Route("/_ledger", self.ledger, methods=["GET"]),
        ]

    async def score(self, request: Request) -> Response:
        """The score of a firm; a ``device_id`` is accepted and ignored."""
        body, now = await request.body(), time.time()
        if not self._authentic(request, body, now):
            return JSONResponse({"error": "unauthorized"}, 401)
        request_id = request.headers.get("x-request-id") or None
        taxpayer_id = _asked(body)
        if taxpayer_id is None or len(request_id or "") > _LONGEST_ID:
            return JSONResponse({"error": "invalid_request"}, 400)
        try:
            with transaction(self._db):
                answer = self._charges.known(request_id, body) or self._charge(taxpayer_id, request_id, body, now)
        except ContentDiffers:
            return JSONResponse({"error": "content_differs", "field": "x-request-id"}, 409)
        if answer is None:
            return JSONResponse({"error": "no_such_company"}, 404)
        return Response(answer, media_type="application/json")

    async def ledger(self, _: Request) -> Response:
        """Every charged call."""
        return JSONResponse(self._charges.ledger())

    def _authentic(self, request: Request, body: bytes, now: float) -> bool:
        names = ("x-client-id", "x-timestamp", "x-signature")
        client_id, timestamp, signature = (request.headers.get(name, "") for name in names)
        if not (fresh(timestamp, now) and same(client_id, self._settings.client_id)):
            return False
        secret = self._settings.signing_secret
        return bool(secret) and same(signature, base64_signature(secret, timestamp, body))

    def _charge(self, taxpayer_id: str, request_id: str | None, body: bytes, now: float) -> str | None:
        """Answer a new request and charge for it; unknown firms cost nothing."""
        day = self._config.today()
        firm = self._population.by_taxpayer_id(taxpayer_id, day)
        if firm is None:
            return None
        charge_id = f"CHG-{secrets.token_hex(10)}"
        answer = json.dumps(_outer_form(anti_fraud_data(firm, day), charge_id))
        self._charges.add(Charge(charge_id, request_id, digest(body), taxpayer_id, FEE_FEN, now, answer))
        return answer


def _asked(body: bytes) -> str | None:
    """The taxpayer id of a well-formed request."""
    try:
        document: Any = json.loads(body) if len(body) <= _LARGEST_BODY else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("device_id", ""), str):
        return None
    taxpayer_id = document.get("taxpayer_id")
    return taxpayer_id if isinstance(taxpayer_id, str) and taxpayer_id else None


def _outer_form(data: dict[str, Any], charge_id: str) -> dict[str, Any]:
    """The answer in the service's own format."""
    signals = [{"rule": hit["code"], "weight": hit["severity"], "seen": hit["on"]} for hit in data["hits"]]
    verdict = {"points": data["score"], "band": data["level"], "signals": signals}
    return {"entity": data["taxpayer_id"], "verdict": verdict, "at": data["checked_at"], "charge": charge_id}
