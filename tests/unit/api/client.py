"""Calls the API as API Gateway does, with whole proxy events, and plays what happens to an application meanwhile."""

from __future__ import annotations

import json
import uuid
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stdnum.cn import uscc

from api.app import app
from creditmesh.gateway.model import KeyDataDocument
from creditmesh.intake.moves import COLLECT
from creditmesh.kernel.clock import iso
from creditmesh.platform.settings import settings
from institutions.identity import organisation_check
from tests.support import wired
from tests.support.described import undescribed
from tests.support.gateway import EVENT, Context, resource_of

ROOT = Path(__file__).parents[3]
FEATURES = json.loads((ROOT / "models/sample-firm.json").read_text())
DOCUMENT = "Loan contract\n贷款合同\n"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Api:
    """One caller of the API; without a role, nobody."""

    role: str | None = None
    tenant: str = field(default_factory=lambda: f"t-{uuid.uuid4().hex[:12]}")

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None, raw: str | None = None, resource: str | None = None,
        subject: str = "u-1",
    ) -> Answer:  # fmt: skip
        event = deepcopy(EVENT)
        found, parts = resource_of(path)
        template = found or path
        event |= {"resource": resource or template, "path": path, "httpMethod": method, "pathParameters": parts or None}
        event["requestContext"] |= {
            "httpMethod": method, "path": f"/prod{path}", "resourcePath": resource or template
        }  # fmt: skip
        if self.role:
            authorizer = {"principalId": subject, "subject": subject, "role": self.role, "tenant": self.tenant}
            event["requestContext"]["authorizer"] = authorizer
        if body is not None or raw is not None:
            event["body"] = raw if raw is not None else json.dumps(body, ensure_ascii=False)
            event["headers"]["Content-Type"] = "application/json"
        if key:
            event["headers"]["Idempotency-Key"] = key
        if query:
            values = {name: value if isinstance(value, list) else [str(value)] for name, value in query.items()}
            event["multiValueQueryStringParameters"] = values
            event["queryStringParameters"] = {name: value[-1] for name, value in values.items()}
        event["headers"] = {k: v for k, v in (event["headers"] | (headers or {})).items() if v is not None}
        answer = app(event, Context())
        assert not answer["multiValueHeaders"]
        lacking = undescribed(method, resource or template, answer["statusCode"], answer["headers"], answer["body"])
        assert lacking is None, f"the description of {method} {resource or template} lacks {lacking}"
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def get(self, path: str, **more: Any) -> Answer:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.call("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.call("PUT", path, body, **more)

    def apply(self, **changed: Any) -> str:
        """Apply; the application's id."""
        answer = self.post("/v1/applications", loan_request(**changed), key=new_key())
        assert answer.status == 202, answer.body
        return str(answer.json()["application_id"])


def new_key() -> str:
    return uuid.uuid4().hex


def firm_id(number: int = 1) -> str:
    """A made-up unified social credit code."""
    organisation = f"MA1{number:05d}"
    stem = f"91310000{organisation}{organisation_check(organisation)}"
    return stem + uscc.calc_check_digit(stem)


def loan_request(**changed: Any) -> dict[str, Any]:
    usual = {
        "taxpayer_id": firm_id(), "firm_name": "Morgenstern Bearings Ltd", "amount": "300000.00", "currency": "CNY",
        "term_months": 12, "purpose": "stock for the season", "flow_id": "tax",
    }  # fmt: skip
    return {name: value for name, value in (usual | changed).items() if value is not None}


def ask_authorization(application_id: str, reason: str = "none_stored") -> str:
    """The process asks for an authorisation; its task token."""
    token = f"authorization-{application_id}"
    wired.intake().await_authorization(application_id, token, reason, 3)
    return token


def assess(application_id: str, decision: str = "approve", **changed: Any) -> None:
    """Collection and scoring have happened: the report is there."""
    document = KeyDataDocument(
        application_id=application_id, as_of=iso(wired.clock().now()), sources=[], features=FEATURES | changed,
        quality=[],
    )  # fmt: skip
    key = f"key-data/{application_id}.json"
    wired.data().put_json(key, document.model_dump(mode="json"))
    applications = wired.applications()
    applications.apply(applications.move(application_id, COLLECT, key_data_key=key, industry=None))
    wired.assessment().request(application_id, f"scoring-{application_id}", lambda: True)
    wired.assessment().score_in_process(application_id)
    assert wired.assessment().decide(application_id).decision == decision


def product_terms(**changed: Any) -> dict[str, Any]:
    return {
        "name": "Season credit", "currency": "CNY", "min_amount": "50000.00", "max_amount": "2000000.00",
        "min_term_months": 3, "max_term_months": 36, "disbursement_hours": 24, "min_grade": "E",
        "price": {"type": "fixed", "annual_rate_bps": 540},
        "industries_excluded": [], "repayment_methods": ["annuity"], "valid_from": "2020-01-01",
        "valid_until": "2099-12-31",
    } | changed  # fmt: skip


def offer(application_id: str, lender: str = "lender-a") -> str:
    """A lender has a product on offer and the application is matched; the process's task token.

    Tests share their firms: what other tests' applications have reserved is forgotten.
    """
    for item in wired.tables().scan(settings().exposures_table):
        wired.tables().delete(settings().exposures_table, {"holder": item["holder"]})
    token = f"choice-{application_id}"
    assert Api("lender", lender).put("/v1/products/season", product_terms()).status == 200
    assess(application_id)
    wired.offers().offer(application_id, token)
    return token


def submit(borrower: Api, lender: str = "lender-a") -> str:
    """An application of the borrower's has been submitted to the lender; its id."""
    application_id = borrower.apply()
    offer(application_id, lender)
    choice = {"lender_id": lender, "product_id": "season"}
    assert borrower.post(f"/v1/applications/{application_id}/choice", choice).status == 202
    wired.closings().submit(application_id, f"decision-{application_id}")
    return application_id
