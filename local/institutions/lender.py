"""A lender: accepts applications, decides, draws up contracts and disburses exactly once."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from institutions.callbacks import Deliverer
from institutions.catalogue import products_of
from institutions.config import Config
from institutions.faults import Faults
from institutions.lender_desk import Desk
from institutions.lender_messages import EXCHANGES, MessageRefused, parse_message
from institutions.lender_store import ContentDiffers, LenderStore
from institutions.messages import authentic_id
from institutions.push import PushFailed, push_catalogue
from institutions.tax_figures import money


class Lender:
    """The lender's routes over its store; its decisions are in ``Desk``."""

    def __init__(self, name: str, config: Config, faults: Faults) -> None:
        self._name = name
        self._config = config
        self._settings = config.institutions[name]
        self._store = LenderStore(config.state_dir, name)
        self._desk = Desk(name, config, self._store, faults)
        url = config.callback_for(name)
        self._deliverer = Deliverer(self._store, faults, url, self._settings.webhook_secret)
        self.lifespan = self._deliverer.lifespan

    def routes(self) -> list[Route]:
        """All routes; those for testers begin with ``/_``."""
        return [
            *(Route(path, self.receive, methods=["POST"]) for path in EXCHANGES),
            Route("/v1/catalogue", self.catalogue, methods=["GET"]),
            Route("/_applications", self.applications, methods=["GET"]),
            Route("/_ledger", self.ledger, methods=["GET"]),
            Route("/_callbacks", self.callbacks, methods=["GET"]),
            Route("/_push", self.push, methods=["POST"]),
        ]

    async def receive(self, request: Request) -> Response:
        """Accept a message: check it, then in one transaction store it, act on it and schedule the answer."""
        body, now = await request.body(), time.time()
        webhook_id = authentic_id(self._settings.webhook_secret, request.headers, body, now)
        if webhook_id is None:
            return JSONResponse({"error": "unauthorized"}, status_code=401)
        try:
            message_type, data = parse_message(request.url.path, body)
            with self._store.change():
                status = self._take(webhook_id, message_type, data, now)
        except MessageRefused as refusal:
            return JSONResponse({"error": refusal.error, "field": refusal.field}, status_code=refusal.status)
        except ContentDiffers:
            return JSONResponse({"error": "content_differs", "field": "application_id"}, status_code=409)
        self._deliverer.wake()
        return JSONResponse({"status": "taken" if status == 202 else "known"}, status_code=status)

    def _take(self, webhook_id: str, message_type: str, data: dict[str, Any], now: float) -> int:
        if not self._store.note_message(hashlib.sha256(webhook_id.encode()).hexdigest(), now):
            return 200
        if message_type == "platform.test":
            return 202
        # A submission with one answer more, or another order to pay, is a new question.
        told = len(data.get("information", [])) or data.get("order_id")
        exchange = f"{message_type}#{told}" if told else message_type
        if self._store.note_exchange(data["application_id"], exchange, data):
            self._desk.act(message_type, data, now)
            return 202
        self._desk.answer_again(message_type, data, now)
        return 200

    async def catalogue(self, _: Request) -> Response:
        products = [{"product_id": one.product_id, **one.terms()} for one in products_of(self._name)]
        return JSONResponse({"products": products})

    async def applications(self, _: Request) -> Response:
        """All applications of the lender."""
        shown = [_shown(row) for row in self._store.applications()]
        return JSONResponse({"applications": shown})

    async def ledger(self, _: Request) -> Response:
        """Every disbursement: the proof that nothing was paid twice."""
        shown = [{**_shown(row), "at": row["disbursed_at"]} for row in self._store.ledger()]
        return JSONResponse({"disbursements": shown})

    async def callbacks(self, _: Request) -> Response:
        """Every callback with its delivery state."""
        return JSONResponse({"callbacks": self._store.callbacks()})

    async def push(self, request: Request) -> Response:
        """Push the catalogue to the platform: ``{"api_url", "token"}``."""
        try:
            document = await request.json()
            api_url, token = str(document["api_url"]), str(document["token"])
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "invalid_request", "field": "api_url, token"}, status_code=400)
        try:
            pushed = await asyncio.to_thread(push_catalogue, api_url, token, self._name, self._config)
        except PushFailed as failure:
            return JSONResponse({"error": "push_failed", "reason": str(failure)}, status_code=502)
        return JSONResponse({"pushed": pushed})


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row in the interface's format: the amount in yuan, as text."""
    return {**{name: value for name, value in row.items() if name != "amount_fen"}, "amount": money(row["amount_fen"])}
