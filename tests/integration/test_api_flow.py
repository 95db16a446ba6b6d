"""The REST API of a running platform: wrong input, repeats, others' applications, borrowers of many kinds."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from client import Api, ProblemError
from client.borrower import Code
from client.views import Offer
from run import many
from run.cases import Case
from tests.integration.conftest import Target

CASES = many.cases(12, skip=120)
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("no amount", {"amount": None}, "amount"),
    ("amount as a number", {"amount": 300000}, "amount"),
    ("amount without decimals", {"amount": "300000"}, "amount"),
    ("amount in exponents", {"amount": "3e5"}, "amount"),
    ("amount not a number", {"amount": "NaN"}, "amount"),
    ("amount too small", {"amount": "0.01"}, "amount"),
    ("amount negative", {"amount": "-300000.00"}, "amount"),
    ("amount too large", {"amount": "99999999999999.00"}, "amount"),
    ("unknown currency", {"currency": "yuan"}, "currency"),
    ("term zero", {"term_months": 0}, "term_months"),
    ("term as text", {"term_months": "12"}, "term_months"),
    ("term as a fraction", {"term_months": 12.5}, "term_months"),
    ("wrong check digit", {"taxpayer_id": "91990901MAXDB23Y12"}, "taxpayer_id"),
    ("no purpose", {"purpose": ""}, "purpose"),
    ("purpose without end", {"purpose": "x" * 5000}, "purpose"),
    ("unknown field", {"status": "approved"}, "status"),
]


def body_of(case: Case, **changes: Any) -> dict[str, Any]:
    """A case's request with fields changed, or left out where the change is None."""
    return {name: value for name, value in {**case.request(), **changes}.items() if value is not None}


@pytest.fixture(scope="module")
def borrower(target: Target) -> Api:
    """The API as some firm."""
    return target.api("borrower", CASES[0].tenant)


def bearer(api: Api) -> dict[str, str]:
    """The headers of a raw request."""
    return {"Authorization": f"Bearer {api.bearer()}", "Idempotency-Key": uuid.uuid4().hex}


@pytest.mark.parametrize(("wrong", "field"), [(w, f) for _, w, f in WRONG], ids=[name for name, _, _ in WRONG])
def test_wrong_fields_are_named(borrower: Api, wrong: dict[str, Any], field: str) -> None:
    """Each wrong field gets a 4xx problem that names it and the rule it breaks."""
    with pytest.raises(ProblemError) as caught:
        borrower.apply(body_of(CASES[0], **wrong))
    assert 400 <= caught.value.status < 500
    assert [error["field"] for error in caught.value.errors] == [field]
    assert all(error["rule"] for error in caught.value.errors)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"amount": NaN}', b'{"amount": 1' + b"0" * 400 + b"}", b"[" * 40_000],
    ids=["empty", "cut", "list", "text", "bytes", "nan", "huge number", "deep"],
)
def test_unreadable_bodies_are_refused(borrower: Api, content: bytes) -> None:
    """What is no JSON object gets a problem document, whatever it is."""
    headers = {**bearer(borrower), "Content-Type": "application/json"}
    answer = borrower.send("POST", "/v1/applications", content=content, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["code"]


def test_large_body_is_refused(borrower: Api) -> None:
    """1 MB is beyond the 64 KiB of the interface."""
    headers = {**bearer(borrower), "Content-Type": "application/json"}
    content = json.dumps(body_of(CASES[0], purpose="x" * 1_000_000)).encode()
    answer = borrower.send("POST", "/v1/applications", content=content, headers=headers)
    assert answer.status_code in (400, 413), answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_wrong_content_type_is_refused(borrower: Api) -> None:
    """A form is no JSON."""
    headers = {**bearer(borrower), "Content-Type": "application/x-www-form-urlencoded"}
    answer = borrower.send("POST", "/v1/applications", content=b"amount=1.00", headers=headers)
    assert answer.status_code == 415, answer.text
    assert answer.json()["status"] == 415


def test_nobody_gets_in_without_a_token(target: Target) -> None:
    """No token, a forged one: 401 or 403, and nothing about why."""
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer " + "a.b.c" * 20}):
        answer = target.anybody.send("GET", "/v1/applications", headers=headers)
        assert_gateway_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nowhere"), ("PATCH", "/v1/applications"), ("GET", "/")])
def test_unknown_routes_are_problems_whoever_calls(target: Target, borrower: Api, method: str, path: str) -> None:
    """API Gateway itself answers, also where it takes a bearer token for a malformed AWS signature."""
    for headers in ({}, bearer(borrower)):
        assert_gateway_problem(target.anybody.send(method, path, headers=headers), 404, "not_found")


def test_no_other_origin_is_let_in(target: Target) -> None:
    """CORS is off unless the stage names an origin."""
    asked = {"Origin": "https://pages.example", "Access-Control-Request-Method": "POST"}
    for method, path in (("OPTIONS", "/v1/applications"), ("GET", "/v1/health"), ("GET", "/v1/applications")):
        answer = target.anybody.send(method, path, headers=asked)
        assert answer.is_success is (path == "/v1/health"), answer.text
        assert not [name for name in answer.headers if name.startswith("access-control-")], answer.headers


def assert_gateway_problem(answer: Any, status: int, code: str) -> None:
    """A whole problem document that names the request and nothing of AWS's own message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "code", "detail", "instance", "parameters"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["instance"].startswith("urn:creditmesh:request:")
    assert "$" not in answer.text


def test_idempotency_key_is_required(borrower: Api) -> None:
    """C01: without the key a lost answer could become two loans."""
    headers = {"Authorization": f"Bearer {borrower.bearer()}"}
    answer = borrower.send("POST", "/v1/applications", json=body_of(CASES[0]), headers=headers)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]


def test_repeat_meets_the_same_application(borrower: Api) -> None:
    """The same key and body give the same application; another body 422."""
    key, body = uuid.uuid4().hex, body_of(CASES[0])
    first = borrower.apply(body, key)
    assert borrower.apply(body, key).application_id == first.application_id
    with pytest.raises(ProblemError) as caught:
        borrower.apply({**body, "amount": "123456.00"}, key)
    assert caught.value.status == 422
    assert [one.application_id for one in borrower.applications()].count(first.application_id) == 1


def test_another_tenant_sees_nothing(target: Target, borrower: Api) -> None:
    """DESIGN 8: another firm cannot tell another's application from one that does not exist."""
    mine = borrower.apply(body_of(CASES[0]))
    stranger = target.api("borrower", CASES[1].tenant)
    offer = Offer(
        lender_id="harbor-bank", product_id="harbor-invoice", version=1, name="x", fit="full", amount="100000.00",
        min_amount="100000.00", max_amount="100000.00", amount_step="1000.00", annual_rate_bps=620,
    )  # fmt: skip
    attempts: dict[str, Callable[[str], Any]] = {
        "read": lambda one: stranger.application(one),
        "timeline": lambda one: stranger.timeline(one),
        "report": lambda one: stranger.report(one),
        "matches": lambda one: stranger.matches(one),
        "contract": lambda one: stranger.contract(one),
        "link": lambda one: stranger.authorization_link(one),
        "authorise": lambda one: stranger.authorize(one, "code-of-a-stranger", "2027-01-01T00:00:00Z"),
        "choose": lambda one: stranger.choose(one, offer),
        "sign": lambda one: stranger.sign(one, "0" * 64, "Nobody Known"),
        "withdraw": lambda one: stranger.withdraw(one),
    }
    for name, attempt in attempts.items():
        seen = []
        for one in (mine.application_id, "app-00000000000000000000"):
            with pytest.raises(ProblemError) as caught:
                attempt(one)
            seen.append((caught.value.status, caught.value.code, caught.value.detail))
        assert seen[0] == seen[1], name
        assert seen[0][0] == 404, name
    assert mine.application_id not in {one.application_id for one in stranger.applications()}
    lender = target.api("lender", "harbor-bank")
    with pytest.raises(ProblemError) as caught:
        lender.application(mine.application_id)
    assert caught.value.status == 404


def test_roles_are_kept_apart(target: Target, borrower: Api) -> None:
    """A borrower is no operator, and a lender pushes only its own products."""
    with pytest.raises(ProblemError) as caught:
        borrower.put_blacklist_entry({"taxpayer_id": CASES[1].firm.taxpayer_id, "source": "me", "reason": "a rival"})
    assert caught.value.status == 403
    with pytest.raises(ProblemError) as caught:
        borrower.operator_tasks()
    assert caught.value.status == 403
    with pytest.raises(ProblemError) as caught:
        target.api("lender", "harbor-bank").apply(body_of(CASES[0]))
    assert caught.value.status == 403


def test_unknown_routes_and_methods(borrower: Api) -> None:
    """What does not exist is answered with a problem document too."""
    for method, path in (("GET", "/v1/nothing"), ("DELETE", "/v1/applications"), ("PATCH", "/v1/health")):
        answer = borrower.send(method, path, headers=bearer(borrower))
        assert answer.status_code in (403, 404, 405), (method, path, answer.text)


def test_guest_goes_all_the_way(target: Target) -> None:
    """C01: without an account, with the token of this one application."""
    case = CASES[2]
    view, guest = target.anybody.apply_as_guest(body_of(case), uuid.uuid4().hex)
    assert guest.application(view.application_id).application_id == view.application_id
    with pytest.raises(ProblemError):
        guest.apply(body_of(case))
    other = target.api("borrower", case.tenant).apply(body_of(case))
    with pytest.raises(ProblemError) as caught:
        guest.application(other.application_id)
    assert caught.value.status == 404


@pytest.mark.timeout(180)
def test_wrong_code_then_right_one(target: Target) -> None:
    """C08: a made-up code is refused by the bureau, the borrower is asked again, and goes on."""
    case = CASES[3]
    until = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    borrower = target.borrower(case, first_code=Code("forged-code-12345", until))
    journey = borrower.live_through(uuid.uuid4().hex)
    asked = [entry for entry in journey.timeline if entry.status == "authorization_required"]
    assert [entry.note for entry in asked] == ["none_stored", "code_unknown"]
    assert journey.logins == 1
    assert journey.application.decision is not None


@pytest.mark.timeout(180)
def test_withdrawn_application_stays_so(target: Target) -> None:
    """A borrower may withdraw while he is waited for; afterwards nothing moves."""
    case = CASES[4]
    api, borrower = target.api("borrower", case.tenant), target.borrower(case)
    view = borrower.apply(uuid.uuid4().hex)
    while api.application(view.application_id).awaits != "authorization":
        pass
    assert api.withdraw(view.application_id).outcome == "withdrawn"
    with pytest.raises(ProblemError) as caught:
        borrower.authorize(view.application_id)
    assert (caught.value.status, caught.value.code) == (409, "application_closed")


@pytest.mark.timeout(180)
def test_only_the_contract_that_was_read_is_signed(target: Target) -> None:
    """C22: a signature under another hash is refused, and names the field."""
    case = CASES[5]
    api, borrower = target.api("borrower", case.tenant), target.borrower(case)
    original = borrower.sign
    tried: list[ProblemError] = []

    def sign(application_id: str) -> Any:
        if not tried:
            with pytest.raises(ProblemError) as caught:
                api.sign(application_id, "0" * 64, "Somebody Else")
            tried.append(caught.value)
        return original(application_id)

    borrower.sign = sign  # type: ignore[method-assign]
    journey = borrower.live_through(uuid.uuid4().hex)
    assert journey.application.outcome == "disbursed"
    assert tried[0].errors[0]["field"] == "document_sha256"


def test_lender_messages_need_their_signature(target: Target) -> None:
    """DESIGN 7: a forged callback gets 401 without a reason."""
    body = {"type": "loan.disbursed", "data": {"application_id": "app-1"}}
    headers = {"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    answer = target.anybody.send("POST", "/webhooks/harbor-bank", json=body, headers=headers)
    assert answer.status_code == 401
    assert "signature" not in answer.text.lower()
