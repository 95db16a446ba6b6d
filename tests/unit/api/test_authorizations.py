"""To the tax bureau and back (C04-C06, C08)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from creditmesh.platform import wiring
from tests.unit.api.client import Api, ask_authorization, firm_id, new_key

pytestmark = pytest.mark.usefixtures("cloud")

CODE = {"authorization_code": "code-0123456789", "expires_at": "2030-01-01T00:00:00Z"}
RETURN = "/v1/authorizations/return"


@pytest.fixture
def asked():
    """A borrower whose application waits for an authorisation: (caller, application id, task token)."""
    borrower = Api("borrower")
    application_id = borrower.apply()
    return borrower, application_id, ask_authorization(application_id)


def _query(asked, **changed):
    borrower, application_id, _ = asked
    link = borrower.get(f"/v1/applications/{application_id}/authorization-link").json()["url"]
    state = parse_qs(urlsplit(link).query)["state"][0]
    usual = {"state": state, "code": CODE["authorization_code"], "expires_at": CODE["expires_at"]}
    usual["taxpayer_id"] = firm_id()
    return {name: value for name, value in (usual | changed).items() if value is not None}


def test_the_application_says_that_it_waits_and_why(asked):
    borrower, application_id, _ = asked
    view = borrower.get(f"/v1/applications/{application_id}").json()
    assert (view["status"], view["awaits"], view["authorization_problem"]) == (
        "authorization_required", "authorization", "none_stored"
    )  # fmt: skip


def test_the_link_leads_to_the_bureaus_login_and_back_to_us(asked):
    borrower, application_id, _ = asked
    url = urlsplit(borrower.get(f"/v1/applications/{application_id}/authorization-link").json()["url"])
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert (url.scheme, url.netloc, url.path) == ("https", "login.tax.test", "/oauth/authorize")
    assert query["redirect_uri"] == "https://api.test/v1/authorizations/return"
    assert (query["client_id"], query["taxpayer_id"]) == ("creditmesh", firm_id())


def test_bringing_the_code_lets_the_process_go_on(asked, answers):
    borrower, application_id, token = asked
    answer = borrower.post(f"/v1/applications/{application_id}/authorization", CODE)
    assert (answer.status, answer.json()["status"], answer.json()["awaits"]) == (202, "authorized", None)
    assert CODE["authorization_code"] not in answer.body
    assert answers.of(token) == ["SendTaskSuccess"]
    assert wiring.authorizations().usable(firm_id()).code == CODE["authorization_code"]


def test_the_code_is_stored_sealed(asked):
    borrower, application_id, _ = asked
    borrower.post(f"/v1/applications/{application_id}/authorization", CODE)
    stored = wiring.client("dynamodb").scan(TableName="Authorizations")["Items"]
    assert stored
    assert CODE["authorization_code"] not in str(stored)
    assert firm_id() not in str(stored)


def test_bringing_it_twice(asked):
    borrower, application_id, _ = asked
    path, key = f"/v1/applications/{application_id}/authorization", new_key()
    first, again = (borrower.post(path, CODE, key=key) for _ in range(2))
    assert (first.status, again.status) == (202, 202)
    assert first.body == again.body
    assert borrower.post(path, CODE).json()["code"] == "not_awaited"
    other = borrower.post(path, CODE | {"authorization_code": "code-other-one"}, key=key)
    assert (other.status, other.json()["code"]) == (422, "idempotency_key_reused")
    assert CODE["authorization_code"] not in str(wiring.client("dynamodb").scan(TableName="Idempotency")["Items"])


def test_a_key_kept_for_one_tenant_means_nothing_to_another(asked):
    borrower, application_id, _ = asked
    path, key = f"/v1/applications/{application_id}/authorization", new_key()
    assert borrower.post(path, CODE, key=key).status == 202
    assert Api("borrower").post(path, CODE, key=key).status == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("authorization_code", "short"),
        ("authorization_code", "spaces are not allowed"),
        ("authorization_code", "码" * 20),
        ("authorization_code", "x" * 401),
        ("expires_at", "tomorrow"),
        ("expires_at", "2030-01-01"),
        ("expires_at", "2030-01-01T00:00:00"),
        ("expires_at", "9999-01-01T00:00:00Z"),
    ],
)
def test_a_malformed_code_or_expiry_changes_nothing(asked, field, value):
    borrower, application_id, _ = asked
    answer = borrower.post(f"/v1/applications/{application_id}/authorization", CODE | {field: value})
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, field)
    assert borrower.get(f"/v1/applications/{application_id}").json()["status"] == "authorization_required"


def test_another_tenant_brings_nothing(asked):
    _, application_id, _ = asked
    assert Api("borrower").post(f"/v1/applications/{application_id}/authorization", CODE).status == 404


def test_an_application_that_does_not_wait_takes_no_code():
    borrower = Api("borrower")
    answer = borrower.post(f"/v1/applications/{borrower.apply()}/authorization", CODE)
    assert (answer.status, answer.json()["code"]) == (409, "not_awaited")


def test_coming_back_from_the_bureau(asked, answers):
    borrower, application_id, token = asked
    query = _query(asked)
    page = Api().get(RETURN, query=query)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "goes on by itself" in page.body
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert answers.of(token) == ["SendTaskSuccess"]
    assert borrower.get(f"/v1/applications/{application_id}").json()["status"] == "authorized"
    again = Api().get(RETURN, query=query, headers={"Accept-Language": "zh-CN"})
    assert (again.status, again.headers["content-language"]) == (409, "zh-CN")


def test_coming_back_without_access(asked):
    borrower, application_id, _ = asked
    state = _query(asked)["state"]
    page = Api().get(RETURN, query={"state": state, "error": "access_denied"})
    assert (page.status, "not granted" in page.body) == (403, True)
    assert borrower.get(f"/v1/applications/{application_id}").json()["awaits"] == "authorization"


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "forged"},
        {"state": None},
        {"code": None},
        {"code": "<script>alert(1)</script>"},
        {"expires_at": None},
        {"taxpayer_id": firm_id(99)},
        {"state": "<script>", "error": "access_denied"},
    ],
)
def test_a_link_that_cannot_be_used_is_a_readable_page(asked, changed):
    borrower, application_id, _ = asked
    page = Api().get(RETURN, query=_query(asked, **changed))
    assert (page.status, page.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert "<script" not in page.body
    assert borrower.get(f"/v1/applications/{application_id}").json()["awaits"] == "authorization"


def test_a_state_of_one_application_does_not_serve_another(asked):
    borrower, application_id, _ = asked
    state = _query(asked)["state"]
    forged = state.replace(application_id, borrower.apply(firm_name="Other Ltd"))
    assert Api().get(RETURN, query=_query(asked, state=forged)).status == 422
