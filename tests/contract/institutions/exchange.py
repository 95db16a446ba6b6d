"""The platform's side of the exchange with a lender, signed with the platform's own code."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from creditmesh.platform.signing import signed_headers
from institutions.population import Firm

PATHS = {
    "loan.application.submitted": "/v1/applications",
    "loan.contract.requested": "/v1/contracts",
    "loan.contract.signed": "/v1/signatures",
    "platform.test": "/v1/tests",
}


class Answer(Protocol):
    """What both test clients answer with."""

    status_code: int

    def json(self) -> Any: ...


class Poster(Protocol):
    """A client that can post to an institution."""

    def post(self, url: str, *, content: bytes, headers: dict[str, str]) -> Any: ...


@dataclass
class Exchange:
    """Sends signed messages to one lender."""

    http: Poster
    secret: str
    ids: itertools.count[int] = field(default_factory=itertools.count)

    def send(self, message_type: str, data: dict[str, Any], *, webhook_id: str | None = None, age: int = 0) -> Any:
        """Send one message; without an id it gets a new one."""
        body = json.dumps({"type": message_type, "timestamp": "2026-11-21T00:00:00Z", "data": data}).encode()
        webhook_id = webhook_id or f"test-{next(self.ids)}"
        headers = signed_headers(self.secret, webhook_id, int(time.time()) - age, body)
        return self.http.post(PATHS[message_type], content=body, headers=headers)

    def submit(self, data: dict[str, Any], **options: Any) -> Any:
        """Submit an application."""
        return self.send("loan.application.submitted", data, **options)

    def request_contract(self, decision: dict[str, Any]) -> Any:
        """Ask for the contract of an approved application."""
        data = {name: decision[name] for name in ("application_id", "lender_reference")}
        return self.send("loan.contract.requested", data)

    def sign(self, contract: dict[str, Any], order_id: str = "order-1", **options: Any) -> Any:
        """Tell that a contract was signed; it is the order to disburse."""
        data = {name: contract[name] for name in ("application_id", "contract_id", "document_sha256")}
        signed = {**data, "signer_name": "Test", "signed_at": "2026-11-21T00:00:00Z", "order_id": order_id}
        return self.send("loan.contract.signed", signed, **options)


def submission(firm: Firm, application_id: str = "app-1", /, **changes: Any) -> dict[str, Any]:
    """An application that harbor-bank approves of any firm but its personas."""
    return {
        "application_id": application_id,
        "product_id": "harbor-invoice",
        "amount": "300000.00",
        "currency": "CNY",
        "term_months": 12,
        "annual_rate_bps": 620,
        "firm": {"name": firm.name, "taxpayer_id": firm.taxpayer_id},
        "assessment": {"score": 700, "grade": "B", "limit": "500000.00", "model_version": "1.0.0"},
        **changes,
    }
