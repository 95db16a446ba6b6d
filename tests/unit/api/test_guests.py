"""A guest's application (C01)."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest

from api import authorizer
from creditmesh.kernel.clock import iso
from creditmesh.platform.settings import settings
from creditmesh.platform.tables import Update
from tests.support import wired
from tests.unit.api.client import Api, ask_authorization, firm_id, loan_request, new_key

pytestmark = pytest.mark.usefixtures("cloud")

ROUTE = "/v1/guest/applications"


def _guest(key: str) -> tuple[Api, dict]:
    answer = Api().post(ROUTE, loan_request(), key=key)
    assert answer.status == 202, answer.body
    found = authorizer.handler(_event(answer.json()["access_token"]), None)["context"]
    assert found["role"] == "borrower"
    return Api(found["role"], found["tenant"]), answer.json()


def _event(token: str) -> dict:
    arn = "arn:aws:execute-api:eu-west-1:123456789012:abc123/prod/GET/v1/applications"
    return {"type": "REQUEST", "methodArn": arn, "headers": {"authorization": f"Bearer {token}"}}


def test_a_guest_applies_and_his_token_opens_that_application_only():
    guest, answer = _guest(new_key())
    application_id = answer["application"]["application_id"]
    assert guest.get(f"/v1/applications/{application_id}").json() == answer["application"]
    assert [one["application_id"] for one in guest.get("/v1/applications").json()["applications"]] == [application_id]
    other, _ = _guest(new_key())
    assert other.get(f"/v1/applications/{application_id}").status == 404
    assert guest.post("/v1/applications", loan_request(), key=new_key()).status == 403


def test_a_guest_goes_on_like_a_borrower():
    guest, answer = _guest(new_key())
    path = f"/v1/applications/{answer['application']['application_id']}"
    ask_authorization(answer["application"]["application_id"])
    assert guest.get(f"{path}/authorization-link").status == 200
    assert guest.post(f"{path}/withdrawal", {}).json()["outcome"] == "withdrawn"


def test_a_repeat_gives_the_same_token():
    key = new_key()
    first, again = (Api().post(ROUTE, loan_request(), key=key).json() for _ in range(2))
    assert first == again


@pytest.mark.parametrize("field", ["taxpayer_id", "firm_name", "amount", "term_months", "purpose"])
def test_who_knows_a_key_but_not_the_whole_request_gets_no_token(field):
    other = {
        "taxpayer_id": firm_id(2), "firm_name": "Other Ltd", "amount": "300001.00", "term_months": 11,
        "purpose": "other",
    }  # fmt: skip
    key = new_key()
    Api().post(ROUTE, loan_request(), key=key)
    answer = Api().post(ROUTE, loan_request(**{field: other[field]}), key=key)
    assert (answer.status, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert "access_token" not in answer.body


@pytest.mark.parametrize("key", [None, "a1b2c3d4e5f6g7h8i9j0k", "a" * 40, "abcabcabcabcabcabcabcabc"])
def test_a_guest_needs_a_long_random_key(key):
    answer = Api().post(ROUTE, loan_request(), key=key)
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_neither_id_nor_token_betrays_the_key():
    key = new_key()
    _, answer = _guest(key)
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert key not in str(claims) + str(answer["application"])
    assert claims["exp"] - claims["iat"] == 7 * 86400


def test_no_new_token_once_the_first_has_run_out():
    key = new_key()
    _, answer = _guest(key)
    application_id = answer["application"]["application_id"]
    week_ago = iso(wired.clock().now() - timedelta(days=7))
    key_of = {"application_id": application_id}
    wired.tables().write(Update(settings().applications_table, key_of, {"created_at": week_ago}))
    again = Api().post(ROUTE, loan_request(), key=key)
    assert (again.status, again.json()["code"]) == (409, "access_expired")
