"""Consents over the API: give, look up, withdraw, erase; blind spots (C02, C28, S09)."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import pytest

from creditmesh.authorization.scopes import SCOPES
from tests.support import wired
from tests.support.aws import table_name
from tests.unit.api.client import Api, ask_authorization, firm_id, new_key

pytestmark = pytest.mark.usefixtures("cloud")

GIVEN: dict[str, Any] = {
    "scope": "shop", "valid_days": 30, "text_version": SCOPES["shop"].text_version, "language": "en", "agreed": True,
}  # fmt: skip


@pytest.fixture
def firm():
    """A borrower with an application: (caller, path of its consents)."""
    borrower = Api("borrower")
    return borrower, f"/v1/applications/{borrower.apply()}/consents"


def standing(answer) -> dict[str, dict[str, Any]]:
    return {one["scope"]: one for one in answer.json()["consents"]}


def test_the_rights_are_published_with_their_texts():
    for language, word in (("en", "credit bureau"), ("zh-CN", "征信")):
        answer = Api("borrower").get("/v1/consent-scopes", headers={"Accept-Language": language})
        scopes = {one["scope"]: one for one in answer.json()["scopes"]}
        assert set(scopes) == set(SCOPES)
        bureau = scopes["credit_bureau"]
        assert word in bureau["text"]
        assert (bureau["language"], bureau["way"], bureau["required"]) == (language, "platform", False)
        assert (scopes["tax"]["way"], scopes["tax"]["required"]) == ("redirect", True)


def test_what_stands_and_what_is_needed(firm):
    borrower, path = firm
    consents = standing(borrower.get(path))
    assert {one["problem"] for one in consents.values()} == {"none_stored"}
    assert [scope for scope, one in consents.items() if one["required"]] == ["tax"]
    assert consents["tax"]["grant"] == path.replace("/consents", "/authorization-link")
    assert consents["shop"]["grant"] == path


def test_giving_looking_up_and_withdrawing(firm):
    borrower, path = firm
    given = borrower.post(path, GIVEN, key=new_key())
    shop = standing(given)["shop"]
    assert (given.status, shop["usable"], shop["how"]) == (201, True, "platform")
    held = wired.authorizations().usable(firm_id(), "shop", tenant=borrower.tenant)
    wired.authorizations().use(held, purpose="loan_assessment", by="app_1", channel="shop")
    (use,) = borrower.get(f"{path}/uses").json()["uses"]
    assert (use["channel"], use["outcome"], use["authorization_id"]) == ("shop", "allowed", held.authorization_id)
    for _ in range(2):
        assert borrower.call("DELETE", f"{path}/shop").status == 204
    assert standing(borrower.get(path))["shop"]["problem"] == "withdrawn"
    withdrawn, granted = borrower.get(f"{path}/history").json()["history"]
    assert (withdrawn["kind"], withdrawn["by"]) == ("withdrawn", "borrower")
    assert (granted["kind"], granted["purposes"]) == ("granted", ["loan_assessment", "loan_monitoring"])
    assert granted["text_sha256"] == shop["text_sha256"]
    assert len(borrower.get(f"{path}/history", query={"limit": 1}).json()["history"]) == 1


def test_the_same_request_twice_is_one_consent(firm):
    borrower, path = firm
    key = new_key()
    first, again = (borrower.post(path, GIVEN, key=key) for _ in range(2))
    assert first.body == again.body
    assert len(borrower.get(f"{path}/history").json()["history"]) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scope": "registry"}, "scope"),
        ({"scope": "tax"}, "scope"),
        ({"scope": ""}, "scope"),
        ({"scope": None}, "scope"),
        ({"valid_days": 0}, "valid_days"),
        ({"valid_days": 731}, "valid_days"),
        ({"valid_days": "30"}, "valid_days"),
        ({"valid_days": 30.0}, "valid_days"),
        ({"valid_days": True}, "valid_days"),
        ({"valid_days": 10**40}, "valid_days"),
        ({"until": "2027-01-01T00:00:00Z"}, "valid_days"),
        ({"valid_days": None}, "valid_days"),
        ({"valid_days": None, "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"valid_days": None, "until": "9999-01-01T00:00:00Z"}, "until"),
        ({"valid_days": None, "until": "soon"}, "until"),
        ({"text_version": "1999-01"}, "text_version"),
        ({"language": "de"}, "language"),
        ({"agreed": False}, "agreed"),
        ({"agreed": 1}, "agreed"),
        ({"agreed": "true"}, "agreed"),
        ({"tenant": "other"}, "tenant"),
    ],
)
def test_a_consent_that_breaks_a_rule_is_refused_by_field(firm, change, field):
    borrower, path = firm
    answer = borrower.post(path, GIVEN | change)
    assert (answer.status, field in [one["field"] for one in answer.json()["errors"]]) == (422, True)
    assert borrower.get(f"{path}/history").json() == {"history": [], "next": None}


@pytest.mark.parametrize(("query", "field"), [({"limit": 0}, "limit"), ({"limit": 101}, "limit"), ({"x": 1}, "x")])
def test_a_bad_query_is_named(firm, query, field):
    borrower, path = firm
    for part in ("history", "uses"):
        answer = borrower.get(f"{path}/{part}", query=query)
        assert (answer.status, answer.json()["errors"][0]["field"]) == (422, field)


def test_nothing_to_withdraw(firm):
    borrower, path = firm
    assert borrower.call("DELETE", f"{path}/shop").status == 404
    unknown = borrower.call("DELETE", f"{path}/registry")
    assert (unknown.status, unknown.json()["errors"][0]["field"]) == (422, "scope")


@pytest.mark.parametrize(
    ("role", "method", "part"),
    [
        ("lender", "GET", ""),
        ("lender", "GET", "/history"),
        ("lender", "GET", "/uses"),
        ("operator", "POST", ""),
        ("auditor", "DELETE", "/shop"),
        ("manager", "POST", "/erasure"),
        ("lender", "DELETE", "/shop"),
    ],
)
def test_a_role_that_may_not_is_told_so(firm, role, method, part):
    _, path = firm
    answer = Api(role).call(method, path + part, {} if method == "POST" else None)
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")


def test_another_tenants_consents_do_not_exist(firm):
    borrower, path = firm
    borrower.post(path, GIVEN)
    stranger = Api("borrower")
    for method, part, body in (
        ("GET", "", None), ("GET", "/history", None), ("GET", "/uses", None), ("POST", "", GIVEN),
        ("DELETE", "/shop", None), ("POST", "/erasure", {}),
    ):  # fmt: skip
        assert stranger.call(method, path + part, body).status == 404
    assert standing(borrower.get(path))["shop"]["usable"]


def test_an_application_of_the_same_firm_in_another_account_has_consents_of_its_own(firm):
    borrower, path = firm
    borrower.post(path, GIVEN)
    other = Api("borrower")
    other_path = f"/v1/applications/{other.apply()}/consents"
    assert not standing(other.get(other_path))["shop"]["usable"]
    assert other.get(f"{other_path}/history").json() == {"history": [], "next": None}


def test_staff_look_up_and_an_operator_withdraws_on_request(firm):
    borrower, path = firm
    borrower.post(path, GIVEN)
    for role in ("auditor", "operator", "risk_officer", "manager"):
        assert standing(Api(role, "platform").get(path))["shop"]["usable"]
    assert Api("operator", "platform").call("DELETE", f"{path}/shop").status == 204
    newest = borrower.get(f"{path}/history").json()["history"][0]
    assert (newest["kind"], newest["by"]) == ("withdrawn", "operator")


KINDS = ("raw_answers", "key_data", "decision", "operator_tasks", "loan_labels", "application")


def test_erasure(firm):
    borrower, path = firm
    application_id = path.split("/")[3]
    ask_authorization(application_id)
    code = {"authorization_code": f"code-{uuid.uuid4().hex}", "expires_at": "2030-01-01T00:00:00Z"}
    assert borrower.post(f"/v1/applications/{application_id}/authorization", code).status == 202
    borrower.post(path, GIVEN)
    erased = borrower.post(f"{path}/erasure", {})
    assert (erased.status, erased.json()["withdrawn"]) == (200, ["shop", "tax"])
    assert {(one["kind"], one["after"], one["until"]) for one in erased.json()["kept"]} == {
        *((kind, "application_end", None) for kind in KINDS),
        ("consents", "consent_end", None),
    }
    assert all(one["days"] and one["reason"] for one in erased.json()["kept"])
    assert not any(one["usable"] for one in standing(borrower.get(path)).values())
    tables = [wired.client("dynamodb").scan(TableName=table_name(name)) for name in ("Authorizations", "Outbox")]
    assert code["authorization_code"] not in str(tables)


def test_blind_spots_for_staff_and_lenders(firm):
    borrower, _ = firm
    lender, subject = f"lender-{uuid.uuid4().hex[:8]}", f"loan_{uuid.uuid4().hex[:8]}"
    wired.authorizations().watch(firm_id(), "tax", subject, tenant=borrower.tenant, lender_id=lender)
    (spot,) = Api("lender", lender).get("/v1/blind-spots").json()["blind_spots"]
    assert (spot["subject_id"], spot["scope"], spot["cause"]) == (subject, "tax", "none_stored")
    assert Api("lender", "another").get("/v1/blind-spots").json() == {"blind_spots": [], "next": None}
    assert subject in str(Api("auditor", "platform").get("/v1/blind-spots", query={"limit": 100}).json())
    assert borrower.get("/v1/blind-spots").status == 403


def test_nothing_personal_or_secret_reaches_the_log(firm, caplog, capsys):
    borrower, path = firm
    application_id = path.split("/")[3]
    ask_authorization(application_id)
    code = {"authorization_code": f"code-{uuid.uuid4().hex}", "expires_at": "2030-01-01T00:00:00Z"}
    with caplog.at_level(logging.INFO):
        link = borrower.get(f"/v1/applications/{application_id}/authorization-link")
        borrower.post(f"/v1/applications/{application_id}/authorization", code)
        borrower.post(path, GIVEN)
        borrower.call("DELETE", f"{path}/tax")
        borrower.get(f"{path}/history")
    said = caplog.text + "".join(capsys.readouterr())
    nonce = link.headers["set-cookie"].partition("=")[2].partition(";")[0]
    for secret in (code["authorization_code"], firm_id(), nonce, "Morgenstern", link.json()["url"]):
        assert secret not in said
