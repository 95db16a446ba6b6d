"""The platform in one process: real services on an in-process AWS, a clock that stands still, fake institutions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import pytest
from moto import mock_aws

from client import channels as shipped
from client import flows
from cloud import models
from creditmesh.closing.model import LENDER_MESSAGE
from creditmesh.decisions.serving.heartbeat import NAME, Heartbeat
from creditmesh.gateway.channels.plans import CollectionPlan
from creditmesh.intake.flow_document import LoanFlow
from creditmesh.intake.model import Application, LoanRequest, Outcome, Status
from creditmesh.intake.moves import Move
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import FixedClock, iso
from creditmesh.offers.model import ProductTerms
from creditmesh.offers.offer import Wanted
from creditmesh.platform.blind_index import read_keys
from creditmesh.platform.documents import CheckedDocuments, VersionedDocuments
from creditmesh.platform.institutions import ADDRESS_BOOK
from creditmesh.platform.settings import settings
from creditmesh.platform.tables import Item, Ref, Tables, decode
from creditmesh.screening.entries import NewEntry
from institutions.population import Population
from institutions.registry_figures import registry_data
from institutions.tax_figures import tax_data
from tests.support import aws, template, wired
from tests.support.fakes import FakeHttp, FakeSteps
from tests.support.stages import stage

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
TAX, REGISTRY, LENDER_A, LENDER_B = "http://tax.test", "http://registry.test", "http://a.test", "http://b.test"
BUREAU, EDUCATION, MIRROR = "http://bureau.test", "http://education.test", "http://mirror.test"
ADDRESSES = {
    "tax-bureau": {"kind": "tax", "name": "Tax bureau", "base_url": TAX, "login_url": "http://login.test"},
    "company-registry": {"kind": "registry", "name": "Registry", "base_url": REGISTRY},
    "credit-bureau": {"kind": "credit_bureau", "name": "Credit bureau", "base_url": BUREAU},
    "education-register": {"kind": "education", "name": "Education register", "base_url": EDUCATION},
    "registry-mirror": {"kind": "source", "name": "Registry mirror", "base_url": MIRROR},
    "lender-a": {"kind": "lender", "name": "Lender A", "base_url": LENDER_A},
    "lender-b": {"kind": "lender", "name": "Lender B", "base_url": LENDER_B},
}
SECRET_A = "whsec_bWFkZS11cC1zZWNyZXQtb2YtbGVuZGVyLWE="
SECRET_BUREAU = "whsec_bWFkZS11cC1zZWNyZXQtb2YtdGhlLWJ1cmVhdS0="
KEYS: dict[str, dict[str, Any]] = {
    "tax-bureau": {"api_key": "tax-api-key-0001", "client_id": "creditmesh"},
    "company-registry": {"api_key": "registry-api-key-0001"},
    "credit-bureau": {"webhook_secrets": [SECRET_BUREAU], "secrets": {"signing_secret": "signing-secret-0001"}},
    "education-register": {"api_key": "education-api-key-0001"},
    "registry-mirror": {"api_key": "mirror-api-key-0001"},
    "lender-a": {"webhook_secrets": [SECRET_A]},
    "lender-b": {"webhook_secrets": ["whsec_bWFkZS11cC1zZWNyZXQtb2YtbGVuZGVyLWI="]},
}
CODE = "code-of-the-good-firm-0001"
MODEL = template.ROOT / "models" / "origination-2.1.0.json"
TRADE = template.ROOT / "models" / "trade-1.0.0.json"
BORROWER = Caller(subject="user-1", role=Role.BORROWER, tenant="firm-1")
STRANGER = Caller(subject="user-2", role=Role.BORROWER, tenant="firm-2")
OPERATOR = Caller(subject="operator-1", role=Role.OPERATOR, tenant="platform")
OFFICER = Caller(subject="officer-1", role=Role.RISK_OFFICER, tenant="platform")
MANAGER = Caller(subject="manager-1", role=Role.MANAGER, tenant="platform")
LENDER = Caller(subject="lender-user", role=Role.LENDER, tenant="lender-a")
FIRM = Population().persona("good_firm", NOW.date())
RANKING = {"cost": 40, "amount": 40, "speed": 20}
"""Of the shipped flow `tax`."""
DOCUMENT = "Loan contract\nbetween Lender A and the firm."
TERMS: dict[str, Any] = {
    "name": "Working capital", "currency": "CNY", "min_amount": "50000.00", "max_amount": "500000.00",
    "min_term_months": 3, "max_term_months": 36, "price": {"type": "fixed", "annual_rate_bps": 780},
    "disbursement_hours": 24, "min_grade": "D",
    "valid_from": "2026-01-01", "valid_until": "2027-12-31",
}  # fmt: skip


@dataclass
class World:
    """The platform, and shortcuts along an application's way. Each `to_…` runs the step with the token given."""

    stack: aws.Stack
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    steps: FakeSteps = field(default_factory=FakeSteps)
    http: FakeHttp = field(default_factory=FakeHttp)

    def client(self, service: str) -> Any:
        """The client that the platform gets."""
        return self.steps if service == "stepfunctions" else self.stack.clients[service]

    @cached_property
    def application_id(self) -> str:
        """The one application of the test; received by the first use."""
        return self.apply().application_id

    def application(self) -> Application:
        """It as stored."""
        return wired.applications().get(self.application_id)

    def apply(self, key: str = "key-00000001", caller: Caller = BORROWER, **changes: Any) -> Application:
        """Take a loan request."""
        return wired.intake().apply(caller, request(**changes), key)

    def authorize(self, code: str = CODE) -> None:
        """Store a usable authorisation of the firm."""
        until = iso(self.clock.now() + timedelta(days=365))
        wired.authorizations().take(FIRM.taxpayer_id, code, until, "borrower:user-1", tenant=BORROWER.tenant)

    @contextmanager
    def index_keys(self, *keys: dict[str, Any]) -> Iterator[None]:
        """Further keys of the blind indexes before the first, the newest first, as if five minutes had passed since."""
        secrets, name = self.stack.clients["secretsmanager"], self.stack.refs["IndexSecret"]
        before = secrets.get_secret_value(SecretId=name)["SecretString"]
        first = {"id": "1", "key": read_keys(before)[-1].secret.decode()}

        def store(text: str) -> None:
            secrets.put_secret_value(SecretId=name, SecretString=text)
            wired.blind_index()._keys = ()

        store(json.dumps({"keys": [first | key for key in keys]}))
        try:
            yield
        finally:
            store(before)

    def sources_answer(self) -> None:
        """Let bureau and registry answer what they know of the firm; the registry's mirror is away."""
        today = self.clock.now().date()
        self.http.answer("POST", f"{TAX}/api/v1/taxpayer-data", 200, tax_data(FIRM, today))
        self.http.answer("GET", f"{REGISTRY}/api/v1/companies/", 200, registry_data(FIRM, today))
        self.http.answer("GET", f"{MIRROR}/extracts", 503)

    @stage
    def to_collected(self) -> None:
        """Received, authorised and collected."""
        self.authorize()
        self.sources_answer()
        self.collect()

    def blacklist(self, taxpayer_id: str = FIRM.taxpayer_id, source: str = "court", **more: str) -> None:
        """Put a firm on the black list."""
        new = {"list_name": "black", "kind": "taxpayer_id", "value": taxpayer_id, "source": source}
        wired.list_entries().enter(NewEntry.model_validate({**new, "reason_code": "fraud", **more}), "operator-1")

    def collect(self, scan_id: str | None = None, *, last_word: bool = False) -> str:
        """Run the collection; the key of its key data."""
        return wired.collecting().collect(self.application_id, scan_id, last_word=last_word)

    @stage
    def to_assessed(self) -> None:
        """… and assessed by the fallback evaluator."""
        self.to_collected()
        wired.assessment().score_in_process(self.application_id)
        wired.assessment().decide(self.application_id)

    def push(self, product_id: str = "p-1", lender: str = "lender-a", **changes: Any) -> None:
        """Put a product into the catalogue."""
        caller = Caller(subject=lender, role=Role.LENDER, tenant=lender)
        wired.products().push(caller, product_id, ProductTerms.model_validate({**TERMS, **changes}))

    @stage
    def to_offered(self, token: str = "t-choice") -> None:
        """… and offered the product."""
        self.to_assessed()
        self.push()
        wired.offers().offer(self.application_id, token)

    def choose(self, lender: str = "lender-a", product_id: str = "p-1", **within: Any) -> Application:
        """Choose an offer."""
        wanted = Wanted(lender_id=lender, product_id=product_id, **within)
        return wired.offers().choose(BORROWER, self.application_id, wanted)

    @stage
    def to_chosen(self) -> None:
        """… and chosen."""
        self.to_offered()
        self.choose()

    @stage
    def to_submitted(self, token: str = "t-decision") -> None:
        """… and submitted."""
        self.to_chosen()
        wired.closings().submit(self.application_id, token)

    @stage
    def to_approved(self) -> None:
        """… and approved."""
        self.to_submitted()
        self.say("loan.decision", "w-1", **APPROVAL)

    @stage
    def to_contract(self, token: str = "t-contract") -> None:
        """… and with a contract."""
        self.to_approved()
        wired.closings().request_contract(self.application_id, token)
        self.say("loan.contract.ready", "w-2", **CONTRACT)

    @stage
    def to_signed(self, token: str = "t-signature") -> None:
        """… and signed."""
        self.to_contract()
        wired.signatures().await_signature(self.application_id, token)
        wired.signatures().sign(BORROWER, self.application_id, CONTRACT["document_sha256"], "Test Signer")

    @stage
    def to_ordered(self, token: str = "t-disbursement") -> None:
        """… and ordered to be paid."""
        self.to_signed()
        wired.closings().order_disbursement(self.application_id, token)

    def say(self, kind: str, webhook_id: str, lender: str = "lender-a", **data: Any) -> bool:
        """Let the lender say something; whether it was new."""
        document = {"type": kind, "data": {"application_id": self.application_id, **data}}
        return wired.lender_answers().receive(lender, webhook_id, LENDER_MESSAGE.validate_python(document))

    def end(self, outcome: Outcome, application_id: str | None = None) -> None:
        """Give an application an outcome wherever it stands, as no move of the table does."""
        anywhere = Move("end", tuple(set(Status) - {Status.CLOSED}), Status.CLOSED, outcomes=(outcome,))
        store = wired.applications()
        store.apply(store.move(application_id or self.application_id, anywhere, outcome=outcome))

    def after_next_read(self, patch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
        """Let something happen right after the next read of several items, before its reader writes."""
        tables = wired.tables()
        read = tables.get_each

        def read_slowly(*wanted: Ref) -> list[Item | None]:
            found = read(*wanted)
            patch.setattr(tables, "get_each", read)
            act()
            return found

        patch.setattr(tables, "get_each", read_slowly)

    def spark_ready(self, job: str = f"{NAME}-000000000000") -> None:
        """Let a resident job say that it is ready."""
        at = self.clock.now().timestamp
        table = settings().scoring_requests_table
        Heartbeat(self.stack.clients["dynamodb"], table=table, job=job, now=at, monotonic=at).beat()

    def items(self, table: str) -> list[dict[str, Any]]:
        """All items of a table, as stored."""
        return [decode(item) for item in self.stack.clients["dynamodb"].scan(TableName=aws.table_name(table))["Items"]]


APPROVAL: dict[str, Any] = {
    "decision": "approved", "lender_reference": "ref-1", "approved_amount": "100000.00", "currency": "CNY",
    "annual_rate_bps": 780, "term_months": 12,
}  # fmt: skip
REJECTION: dict[str, Any] = {
    "decision": "rejected",
    "lender_reference": "ref-1",
    "reason_code": "POLICY",
    "reason": "too young",
}
CONTRACT: dict[str, Any] = {
    "contract_id": "c-1", "document": DOCUMENT, "document_sha256": hashlib.sha256(DOCUMENT.encode()).hexdigest(),
}  # fmt: skip
DISBURSEMENT: dict[str, Any] = {
    "contract_id": "c-1", "disbursement_id": "d-1", "amount": "100000.00", "currency": "CNY",
    "disbursed_at": "2026-11-21T09:00:00Z", "bank_reference": "b-1",
}  # fmt: skip
FAILURE: dict[str, Any] = {"contract_id": "c-1", "reason_code": "ACCOUNT_CLOSED", "reason": "the account is closed"}


def request(**changes: Any) -> LoanRequest:
    """A loan request of the good firm."""
    given = {
        "taxpayer_id": FIRM.taxpayer_id, "firm_name": FIRM.name, "amount": "100000.00", "currency": "CNY",
        "term_months": 12, "purpose": "working capital", "flow_id": "tax",
    }  # fmt: skip
    return LoanRequest.model_validate({**given, **changes})


@contextmanager
def standing(clients: dict[str, Any]) -> Iterator[aws.Stack]:
    """The AWS side, for as many tests as one likes."""
    with mock_aws():
        stack = aws.build(clients, {"InstitutionsSecret": aws.text(KEYS)}, {"PublicUrl": "https://api.test"})
        stack.clients["s3"].put_object(
            Bucket=stack.refs["ArtefactBucket"], Key=ADDRESS_BOOK, Body=aws.text(ADDRESSES).encode()
        )
        ship_models(stack)
        configure(stack)
        yield stack


def ship_models(stack: aws.Stack) -> None:
    """Put the shipped models, signed, where a deployment puts them."""
    key = stack.refs["ModelSigningKey.Arn"]
    for path in (MODEL, TRADE):
        body = models.signed(stack.clients["kms"], key, path)
        stack.clients["s3"].put_object(Bucket=stack.refs["ArtefactBucket"], Key=models.keys(path)[0], Body=body)


@contextmanager
def documents_anew(stack: aws.Stack) -> Iterator[None]:
    """The shipped documents, for a test that changes them; the next file's are written under the same tokens."""
    stack.memory.empty(aws.table_name("Documents"))
    configure(stack)
    yield
    stack.memory.empty()


def configure(stack: aws.Stack) -> None:
    """Put the shipped channels and flows in force, and a plan of the two sources that no application can do without."""
    table = Tables(stack.clients["dynamodb"])
    channels = VersionedDocuments(table, stack.refs["Documents"], "channel", FixedClock(NOW))
    for document in shipped.documents():
        channels.put(document["channel_id"], document, "test", None)
    needed = [{"channel_id": name, "required": True} for name in ("tax-bureau", "company-registry")]
    plans = VersionedDocuments(table, stack.refs["Documents"], "plan", FixedClock(NOW))
    plans.put("standard", {"plan_id": "standard", "channels": needed}, "test", None)
    for plan in shipped.plans():
        if plan["plan_id"] != "standard":
            plans.put(plan["plan_id"], CollectionPlan.model_validate(plan).model_dump(mode="json"), "test", None)
    ship_flows(stack)


def ship_flows(stack: aws.Stack) -> None:
    """Put the shipped loan flows in force."""
    table = Tables(stack.clients["dynamodb"])
    in_force = CheckedDocuments(table, stack.refs["Documents"], "flow", FixedClock(NOW))
    for document in flows.documents():
        written = LoanFlow.model_validate(document).document()
        version = in_force.propose(document["flow_id"], written, "test", None).version
        in_force.approve(document["flow_id"], version, "another")


@contextmanager
def running(stack: aws.Stack, patch: pytest.MonkeyPatch) -> Iterator[World]:
    """A platform for one test."""
    world = World(stack)
    for name, value in stack.environment.items():
        patch.setenv(name, value)
    patch.setenv("AWS_DEFAULT_REGION", template.REGION)
    wired.use(clock=world.clock, http=world.http, client=world.client)
    yield world
    patch.undo()
    wired.use()
