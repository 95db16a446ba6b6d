"""The platform with something in every state, and its API as Schemathesis meets it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from requests import PreparedRequest
from responses import RequestsMock

from creditmesh.failures.model import Failure, Kind, Way
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.money import Money
from creditmesh.ledger.postings import disbursement
from creditmesh.ledger.transfers import Record
from tests.fuzz.runner import Known
from tests.support import wired
from tests.support.gateway import Gateway, Json
from tests.support.world import KEYS, World

URL = "https://api.test"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY", "CONNECT")
TENANTS = {Role.BORROWER: "firm-1", Role.BANK: "bank-1", Role.LENDER: "lender-a"}
USERS = {role.value: Caller(subject=f"{role}-1", role=role, tenant=TENANTS.get(role, "platform")) for role in Role}
"""By their tokens."""


def inhabited(world: World) -> Known:
    """Applications in several states, an entry, a task, versions of a model, a simulation."""
    world.to_contract()
    wired.signatures().await_signature(world.application_id, "t-signature")
    applications = [world.application_id]
    for number in (2, 3):
        applications.append(world.apply(f"key-0000000{number}").application_id)
    wired.intake().await_authorization(applications[1], "t-authorization", "none_stored", 3)
    wired.operators().hand_over(applications[2], "t-operator", "CollectData", "SourceUnavailable")
    applications.append(world.apply("key-00000004", flow_id=None).application_id)
    wired.flow_assignments().ask(applications[3], "t-flow")
    world.blacklist()
    paid = disbursement("lender-a", world.application_id, Money(100_000_00, "CNY"), Money(0, "CNY"))
    wired.ledger().enter(Record("disbursement-1", "disbursement", paid, world.clock.today()), by="platform")
    swept = Failure(Kind.SCHEDULE, Way.FUNCTION, "arn:aws:lambda:r:1:function:f", "KeyError", {}, {}, "sweep")
    wired.failed_events().record(swept, int(world.clock.now().timestamp() * 1000))
    champion = wired.model_registry().current("origination").champion
    return Known(
        {
            "application_id": applications,
            "task_id": [str(one["task_id"]) for one in world.items("OperatorTasks")],
            "entry_id": [str(one["entry_id"]) for one in world.items("ListEntries")],
            "model_id": ["origination"],
            "content_hash": [champion],
            "channel_id": ["tax-bureau", "company-registry"],
            "version": ["1", "2"],
            "plan_id": ["standard"],
            "flow_id": ["tax", "invoice"],
            "product_id": ["p-1"],
            "scope": ["tax", "credit_bureau"],
            "institution_id": ["lender-a", "credit-bureau"],
            "account_id": ["lender-a:CNY:cash"],
            "failed_event_id": [swept.id],
            "transfer_id": ["disbursement-1"],
        }
    )


SECRETS = {name: one["webhook_secrets"][0] for name, one in KEYS.items() if "webhook_secrets" in one}


@contextmanager
def served(alter: Callable[[Json], Json] = lambda answer: answer) -> Iterator[None]:
    """Let the API answer at `URL`, without a socket; `alter` may spoil an answer."""
    gateway = Gateway(USERS)

    def answer(request: PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        target = str(request.url).removeprefix(URL)
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        found = alter(gateway.answer(str(request.method), target, headers, body))
        return found["statusCode"], found["headers"], found["body"].encode()

    with RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in METHODS:
            mock.add_callback(method, re.compile(re.escape(URL)), answer, content_type=None)
        yield


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
