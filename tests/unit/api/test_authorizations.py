"""To the tax bureau and back (C04-C06, C08)."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs, urlsplit

import pytest

from creditmesh.gateway.channels.document import Channel
from creditmesh.intake.model import Outcome, Status
from creditmesh.intake.moves import Move
from tests.support import wired
from tests.support.aws import table_name
from tests.unit.api.client import Api, ask_authorization, firm_id, new_key

pytestmark = pytest.mark.usefixtures("cloud")

RETURN = "/v1/authorizations/return"


@pytest.fixture
def code():
    """A code as the bureau issues it: never the same twice."""
    return {"authorization_code": f"code-{uuid.uuid4().hex}", "expires_at": "2030-01-01T00:00:00Z"}


@pytest.fixture
def asked():
    """A borrower whose application waits for an authorisation: (caller, application id, task token)."""
    borrower = Api("borrower")
    application_id = borrower.apply()
    return borrower, application_id, ask_authorization(application_id)


def _set_out(asked):
    """The borrower asks for the link: (state, the cookie his browser keeps)."""
    borrower, application_id, _ = asked
    answer = borrower.get(f"/v1/applications/{application_id}/authorization-link")
    state = parse_qs(urlsplit(answer.json()["url"]).query)["state"][0]
    return state, answer.headers["set-cookie"].partition(";")[0]


def _back(state, cookie, code, /, **changed):
    """The bureau sends the browser back."""
    usual = {"state": state, "code": code["authorization_code"], "expires_at": code["expires_at"]}
    usual["taxpayer_id"] = firm_id()
    query = {name: value for name, value in (usual | changed).items() if value is not None}
    return Api().get(RETURN, query=query, headers={"Cookie": cookie})


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


def test_bringing_the_code_lets_the_process_go_on(asked, answers, code):
    borrower, application_id, token = asked
    answer = borrower.post(f"/v1/applications/{application_id}/authorization", code)
    assert (answer.status, answer.json()["status"], answer.json()["awaits"]) == (202, "authorized", None)
    assert code["authorization_code"] not in answer.body
    assert answers.of(token) == ["SendTaskSuccess"]
    assert wired.authorizations().usable(firm_id()).code == code["authorization_code"]


def test_the_code_is_stored_sealed(asked, code):
    borrower, application_id, _ = asked
    borrower.post(f"/v1/applications/{application_id}/authorization", code)
    stored = wired.client("dynamodb").scan(TableName=table_name("Authorizations"))["Items"]
    assert stored
    assert code["authorization_code"] not in str(stored)
    assert firm_id() not in str(stored)


def test_bringing_it_twice(asked, code):
    borrower, application_id, _ = asked
    path = f"/v1/applications/{application_id}/authorization"
    first, again = (borrower.post(path, code) for _ in range(2))
    assert (first.status, again.status) == (202, 202)
    assert first.body == again.body
    other = borrower.post(path, code | {"authorization_code": "code-other-one"})
    assert (other.status, other.json()["code"]) == (409, "not_awaited")
    assert code["authorization_code"] not in str(
        wired.client("dynamodb").scan(TableName=table_name("Idempotency"))["Items"]
    )


def test_a_key_kept_for_one_tenant_means_nothing_to_another(asked, code):
    borrower, application_id, _ = asked
    path, key = f"/v1/applications/{application_id}/authorization", new_key()
    assert borrower.post(path, code, key=key).status == 202
    assert Api("borrower").post(path, code, key=key).status == 404


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
def test_a_malformed_code_or_expiry_changes_nothing(asked, field, value, code):
    borrower, application_id, _ = asked
    answer = borrower.post(f"/v1/applications/{application_id}/authorization", code | {field: value})
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, field)
    assert borrower.get(f"/v1/applications/{application_id}").json()["status"] == "authorization_required"


def test_another_tenant_brings_nothing(asked, code):
    _, application_id, _ = asked
    assert Api("borrower").post(f"/v1/applications/{application_id}/authorization", code).status == 404


def test_an_application_that_does_not_wait_takes_no_code(code):
    borrower = Api("borrower")
    answer = borrower.post(f"/v1/applications/{borrower.apply()}/authorization", code)
    assert (answer.status, answer.json()["code"]) == (409, "not_awaited")


def test_coming_back_from_the_bureau(asked, code, answers):
    borrower, application_id, token = asked
    state, cookie = _set_out(asked)
    page = _back(state, f"theme=dark; {cookie}", code)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "goes on by itself" in page.body
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert answers.of(token) == ["SendTaskSuccess"]
    assert borrower.get(f"/v1/applications/{application_id}").json()["status"] == "authorized"


def test_a_return_is_taken_once(asked, code, answers):
    borrower, application_id, token = asked
    state, cookie = _set_out(asked)
    assert _back(state, cookie, code).status == 200
    held = wired.authorizations().usable(firm_id(), tenant=borrower.tenant)
    wired.authorizations().refuse(held, "code_unknown")
    ask_authorization(application_id, "code_unknown")
    page = _back(state, cookie, code | {"authorization_code": "code-of-somebody-else"})
    assert (page.status, "does not wait" in page.body) == (409, True)
    assert borrower.get(f"/v1/applications/{application_id}").json()["awaits"] == "authorization"
    assert answers.of(token) == ["SendTaskSuccess"]  # that of the first return


@pytest.mark.parametrize("written", ["{} ", "\t{}", "{}\u00a0", "'{}", "{}\u200b"])
def test_the_bureau_may_write_the_taxpayer_id_its_own_way(asked, code, written):
    state, cookie = _set_out(asked)
    assert _back(state, cookie, code, taxpayer_id=written.format(firm_id().lower())).status == 200


@pytest.fixture
def declared():
    """A channel's document wants a field with the right for tax data."""
    channel = {
        "channel_id": "bureau-portal", "kind": "portal", "title": "Portal of the bureau", "institution": "tax",
        "consent_scope": "tax", "authentication": {"type": "api_key"}, "structure": {"rule": "{name: name}"},
        "transport": {"type": "rest", "path": "/x", "body": {"user": "{{portal_user}}"}},
        "authorization": {"fields": [{"name": "portal_user", "label": "User", "pattern": "[a-z0-9-]{4,20}"}]},
    }  # fmt: skip

    def put(**changes):
        wired.channels().put(Channel.model_validate(channel | changes), "operator-1", None)

    put()
    yield {"portal_user": "made-up-user-7"}
    put(enabled=False)


def test_what_a_source_wants_besides_is_listed(declared):
    scopes = {one["scope"]: one for one in Api("borrower").get("/v1/consent-scopes").json()["scopes"]}
    assert scopes["tax"]["fields"] == [
        {"name": "portal_user", "label": "User", "pattern": "[a-z0-9-]{4,20}", "max_length": 200, "required": True}
    ]
    assert scopes["shop"]["fields"] == []


def test_what_a_source_wants_besides_is_brought_with_the_code(asked, code, declared):
    borrower, application_id, _ = asked
    answer = borrower.post(f"/v1/applications/{application_id}/authorization", code | {"fields": declared})
    assert answer.status == 202
    assert declared["portal_user"] not in answer.body
    held = wired.authorizations().usable(firm_id(), tenant=borrower.tenant)
    assert held.fields == declared
    assert declared["portal_user"] not in borrower.get(f"/v1/applications/{application_id}/consents").body


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        (None, "fields.portal_user", "is required"),
        ({}, "fields.portal_user", "is required"),
        ({"portal_user": "No"}, "fields.portal_user", "must match [a-z0-9-]{4,20}"),
        ({"portal_user": "made-up-user-7", "other": "x"}, "fields.other", "is not asked for"),
    ],
)
def test_a_malformed_one_is_named_and_the_code_stays_good(asked, code, declared, fields, field, rule):
    borrower, application_id, _ = asked
    path = f"/v1/applications/{application_id}/authorization"
    answer = borrower.post(path, code | ({} if fields is None else {"fields": fields}))
    assert answer.status == 422
    assert [(one["field"], one["rule"]) for one in answer.json()["errors"]] == [(field, rule)]
    assert borrower.post(path, code | {"fields": declared}).status == 202


@pytest.mark.parametrize("fields", [7, [], {"Portal User": "x"}, {"portal_user": 7}, {"portal_user": "x" * 501}])
def test_fields_are_texts_by_name(asked, code, fields):
    borrower, application_id, _ = asked
    answer = borrower.post(f"/v1/applications/{application_id}/authorization", code | {"fields": fields})
    assert answer.status == 422
    assert answer.json()["errors"][0]["field"].startswith("fields")


def test_the_return_carries_it_beside_what_the_bureau_adds(asked, code, declared):
    borrower, _, _ = asked
    state, cookie = _set_out(asked)
    assert _back(state, cookie, code, utm_source="bureau").status == 422
    assert _back(state, cookie, code, utm_source="bureau", **declared).status == 200
    assert wired.authorizations().usable(firm_id(), tenant=borrower.tenant).fields == declared


def test_the_cookie_is_for_the_server_only_and_of_short_life(asked):
    borrower, application_id, _ = asked
    cookie = borrower.get(f"/v1/applications/{application_id}/authorization-link").headers["set-cookie"]
    assert cookie.partition("; ")[2] == "Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert cookie.partition("=")[0] not in Api("bank").get("/v1/health").headers


def test_coming_back_in_another_browser_takes_nothing(asked, code):
    """A link that somebody passes on, so that another firm grants access to its data for his application."""
    borrower, application_id, _ = asked
    state, cookie = _set_out(asked)
    name, _, _ = cookie.partition("=")
    for other in (None, "", "theme=dark", f"{name}=", f"{name}=guessed", _set_out(asked)[1], "=;=\x00"):
        page = _back(state, other, code)
        assert (page.status, "this browser" in page.body) == (403, True), other
    assert borrower.get(f"/v1/applications/{application_id}").json()["awaits"] == "authorization"
    assert _back(state, cookie, code).status == 200


def test_a_banks_customer_has_no_cookie_of_ours(code):
    bank = Api("bank")
    application_id = bank.apply()
    ask_authorization(application_id)
    link = bank.get(f"/v1/applications/{application_id}/authorization-link")
    assert "set-cookie" not in link.headers
    state = parse_qs(urlsplit(link.json()["url"]).query)["state"][0]
    assert _back(state, None, code).status == 200


def test_coming_back_without_access(asked, code):
    borrower, application_id, _ = asked
    state, cookie = _set_out(asked)
    page = _back(state, cookie, code, code=None, error="access_denied")
    assert (page.status, "not granted" in page.body) == (403, True)
    assert borrower.get(f"/v1/applications/{application_id}").json()["awaits"] == "authorization"
    assert _back(state, cookie, code).status == 409


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "forged"},
        {"state": None},
        {"code": None},
        {"code": "<script>alert(1)</script>"},
        {"expires_at": None},
        {"taxpayer_id": firm_id(99)},
        {"iss": "another-institution"},
        {"state": "<script>", "error": "access_denied"},
    ],
)
def test_a_link_that_cannot_be_used_is_a_readable_page(asked, code, changed):
    borrower, application_id, _ = asked
    page = _back(*_set_out(asked), code, **changed)
    assert (page.status, page.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert "<script" not in page.body
    assert borrower.get(f"/v1/applications/{application_id}").json()["awaits"] == "authorization"


def test_a_state_of_one_application_does_not_serve_another(asked, code):
    borrower, application_id, _ = asked
    state, cookie = _set_out(asked)
    forged = state.replace(application_id, borrower.apply(firm_name="Other Ltd"))
    assert _back(forged, cookie, code).status == 422


def test_bringing_code_and_state_together(asked, code):
    borrower, application_id, token = asked
    state, _ = _set_out(asked)
    other = borrower.apply(firm_name="Other Ltd")
    ask_authorization(other)
    refused = borrower.post(f"/v1/applications/{other}/authorization", code | {"state": state})
    assert (refused.status, refused.json()["errors"][0]["field"]) == (422, "state")
    path = f"/v1/applications/{application_id}/authorization"
    assert borrower.post(path, code | {"state": state[:-1] + "x"}).json()["errors"][0]["field"] == "state"
    assert borrower.post(path, code | {"state": state}).status == 202


def test_a_code_brought_for_one_account_serves_no_other(asked, code):
    borrower, application_id, _ = asked
    assert borrower.post(f"/v1/applications/{application_id}/authorization", code).status == 202
    thief = Api("borrower")
    stolen = thief.apply()
    ask_authorization(stolen)
    refused = thief.post(f"/v1/applications/{stolen}/authorization", code)
    assert (refused.status, refused.json()["errors"][0]["field"]) == (422, "authorization_code")
    assert thief.get(f"/v1/applications/{stolen}").json()["awaits"] == "authorization"


def test_a_monitored_loan_is_renewed_after_its_application_has_ended(asked, code):
    borrower, application_id, _ = asked
    path = f"/v1/applications/{application_id}"
    assert borrower.post(f"{path}/authorization", code).status == 202
    tenant = wired.applications().get(application_id).tenant
    wired.authorizations().watch(firm_id(), "tax", application_id, tenant=tenant)
    store, anywhere = wired.applications(), Move("end", tuple(Status), Status.CLOSED, outcomes=(Outcome.DISBURSED,))
    store.apply(store.move(application_id, anywhere, outcome=Outcome.DISBURSED))
    assert borrower.call("DELETE", f"{path}/consents/tax").status == 204
    assert borrower.get(f"{path}/consents").json()["consents"][0]["blind"] == [application_id]
    later = code | {"authorization_code": f"code-{uuid.uuid4().hex}"}
    assert _back(*_set_out(asked), later).status == 200
    standing = borrower.get(f"{path}/consents").json()["consents"][0]
    assert (standing["usable"], standing["blind"]) == (True, [])
    assert borrower.get(path).json()["outcome"] == "disbursed"
