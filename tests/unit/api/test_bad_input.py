"""What the API refuses, and how it says so (C01, DESIGN 8)."""

from __future__ import annotations

import base64
import json
import logging

import pytest

from api.app import app
from api.examples import EXAMPLES
from tests.support import wired
from tests.support.aws import table_name
from tests.unit.api.client import EVENT, Api, Context, firm_id, loan_request, new_key, product_terms

pytestmark = pytest.mark.usefixtures("cloud")

ROUTE = "/v1/applications"


def _post(raw: str, **headers: str | None):
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Api("borrower").post(ROUTE, raw=raw, key=new_key(), headers=named)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", 300000),
        ("amount", "-1.00"),
        ("amount", "0.00"),
        ("amount", "999.99"),
        ("amount", "100000000.01"),
        ("amount", "1e6"),
        ("amount", "300000"),
        ("amount", "300,000.00"),
        ("amount", "9" * 400 + ".00"),
        ("amount", None),
        ("currency", "XXX"),
        ("currency", "EUR"),
        ("currency", "cny"),
        ("term_months", "12"),
        ("term_months", 12.0),
        ("term_months", True),
        ("term_months", 0),
        ("term_months", -3),
        ("term_months", 361),
        ("term_months", 10**30),
        ("taxpayer_id", "91310000MA1000001"),
        ("taxpayer_id", firm_id()[:-1] + ("0" if firm_id()[-1] != "0" else "1")),
        ("taxpayer_id", "' OR 1=1 --aaaaaaaa"),
        ("firm_name", ""),
        ("firm_name", "x" * 121),
        ("firm_name", "\ud800 lone surrogate"),
        ("purpose", ["stock"]),
    ],
)
def test_a_bad_field_is_named_with_its_rule(field, value):
    body = json.dumps(loan_request(taxpayer_id=firm_id(7)) | {field: value})
    answer = _post(body)
    problem = answer.json()
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert field in [one["field"] for one in problem["errors"]]
    assert all(one["rule"] for one in problem["errors"])
    assert problem | {"detail": "", "errors": []} == {
        "type": "urn:creditmesh:problem:invalid_input", "title": "Unprocessable Content", "status": 422,
        "code": "invalid_input", "detail": "", "parameters": {}, "instance": "/prod/v1/applications", "errors": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("role", "method", "path", "operation", "changed", "field"),
    [
        ("operator", "POST", "/v1/lists/screenings", "screen", {"max_age_seconds": False}, "max_age_seconds"),
        ("operator", "POST", "/v1/lists/screenings", "screen", {"max_age_seconds": "30"}, "max_age_seconds"),
        ("operator", "POST", "/v1/lists/screenings", "screen", {"max_age_seconds": 30.0}, "max_age_seconds"),
        ("risk_officer", "POST", "/v1/lists/imports", "begin_import", {"allow_shrink": 0}, "allow_shrink"),
        ("risk_officer", "POST", "/v1/lists/imports", "begin_import", {"max_rejected_bps": "7"}, "max_rejected_bps"),
        ("lender", "PUT", "/v1/products/p1", "push_product", {"valid_from": 0}, "valid_from"),
        ("lender", "PUT", "/v1/products/p1", "push_product", {"name": 7}, "name"),
        ("risk_officer", "POST", "/v1/models/origination/rule-changes", "change_rules", {"dry_run": "yes"}, "dry_run"),
    ],
)
def test_a_value_of_another_type_is_not_converted(role, method, path, operation, changed, field):
    (example, *_) = EXAMPLES[operation].values()
    answer = Api(role, "lender-a").call(method, path, example | changed)
    assert (answer.status, [one["field"] for one in answer.json()["errors"]]) == (422, [field])


def test_unknown_and_missing_fields_are_all_named():
    answer = _post('{"firm_name": "F. Ltd", "tenant": "other"}')
    fields = {one["field"] for one in answer.json()["errors"]}
    assert fields == {"tenant", "taxpayer_id", "amount", "term_months", "purpose"}


@pytest.mark.parametrize(
    "raw",
    [
        "", "{", "nil", "{'a': 1}", '{"amount": NaN}', '{"amount": Infinity}', '{"amount": -Infinity}',
        '{"amount": 1e999}', '{"amount": "1.00", "amount": "2.00"}', '{"a": {"b": 1, "b": 2}}', "[" * 30_000,
        '{"a": ' + "9" * 5000 + "}", '{"a":' * 30 + "[]" + "}" * 30,
    ],
)  # fmt: skip
def test_what_is_not_strict_json_is_refused(raw):
    answer = _post(raw)
    assert (answer.status, answer.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("raw", ["[]", '"text"', "7", "null", "true"])
def test_json_that_is_no_object_is_refused(raw):
    answer = _post(raw)
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "body")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_another_content_type_is_refused(kind):
    answer = _post(json.dumps(loan_request()), Content_Type=kind)
    assert (answer.status, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_charset_with_the_content_type_is_fine():
    assert _post(json.dumps(loan_request()), Content_Type="Application/JSON; charset=utf-8").status == 202


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1024 * 1024])
def test_a_long_body_is_refused(size):
    body = json.dumps(loan_request(purpose="x"))
    answer = _post(body[:-1] + " " * (size - len(body)) + "}")
    assert (answer.status, answer.json()["code"]) == (413, "body_too_large")


def test_a_body_of_64_kib_is_read():
    body = json.dumps(loan_request())
    assert _post(body[:-1] + " " * (64 * 1024 - len(body)) + "}").status == 202


@pytest.mark.parametrize("key", [None, "short", "x" * 65, "with space 1", "schlüssel1"])
def test_applying_needs_a_well_formed_idempotency_key(key):
    answer = Api("borrower").post(ROUTE, loan_request(), key=key)
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("authorization", "bring_authorization"),
        ("choice", "choose"),
        ("signature", "sign"),
        ("consents", "give_consent"),
        ("withdrawal", None),
    ],
)
def test_a_malformed_key_is_refused_also_where_none_is_needed(path, operation):
    body = next(iter(EXAMPLES[operation].values())) if operation else {}
    answer = Api("borrower").post(f"{ROUTE}/app_1/{path}", body, key="short")
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "lost"}, "status"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": ["1", "2"]}, "limit"),
        ({"tenant": "other"}, "tenant"),
    ],
)
def test_a_bad_query_is_named(query, field):
    answer = Api("borrower").get(ROUTE, query=query)
    assert (answer.status, [one["field"] for one in answer.json()["errors"]]) == (422, [field])


def test_without_a_token_nothing_is_told():
    answer = Api().get(ROUTE)
    assert (answer.status, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert Api("emperor").get(ROUTE).status == 401


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        ("lender", "POST", "/v1/applications"),
        ("operator", "POST", "/v1/applications"),
        ("manager", "POST", "/v1/applications/app_1/withdrawal"),
        ("lender", "GET", "/v1/applications/app_1/authorization-link"),
        ("auditor", "POST", "/v1/applications/app_1/authorization"),
        ("lender", "POST", "/v1/applications/app_1/choice"),
        ("bank", "POST", "/v1/applications/app_1/signature"),
        ("borrower", "PUT", "/v1/products/p1"),
        ("operator", "DELETE", "/v1/products/p1"),
        ("manager", "PUT", "/v1/blacklist"),
        ("borrower", "GET", "/v1/operator-tasks"),
        ("lender", "GET", "/v1/operator-tasks"),
        ("auditor", "POST", "/v1/operator-tasks/t1/resolution"),
    ],
)
def test_a_role_that_may_not_is_told_so(role, method, path):
    answer = Api(role).call(method, path, {} if method != "GET" else None)
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("part", ["app_" + "0" * 5000, "a b", "..%2f", "ä"])
def test_a_malformed_id_is_none_of_ours(part):
    assert Api("borrower").get(f"{ROUTE}/{part}").status == 404


def test_a_malformed_new_id_is_refused_by_its_rule():
    answer = Api("lender").put("/v1/products/a b", product_terms())
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "product_id")


def test_an_unknown_route_and_method_are_problems_too():
    absent = Api("borrower").get("/v1/nowhere")
    assert (absent.status, absent.json()["code"]) == (404, "not_found")
    wrong = Api("borrower").call("PATCH", ROUTE, {})
    assert (wrong.status, wrong.json()["code"], wrong.headers["allow"]) == (405, "method_not_allowed", "GET, POST")
    nothing = app({"requestContext": {}}, Context())
    assert (nothing["statusCode"], json.loads(nothing["body"])["code"]) == (404, "not_found")


def test_what_no_one_foresaw_is_a_500_that_tells_nothing(caplog):
    borrower = Api("borrower")
    application_id = borrower.apply()
    key = {"application_id": {"S": application_id}}
    wired.client("dynamodb").update_item(
        TableName=table_name("Applications"), Key=key, UpdateExpression="REMOVE purpose SET firm_name = :f",
        ExpressionAttributeValues={":f": {"S": "Secret Firm"}},
    )  # fmt: skip
    with caplog.at_level(logging.INFO):
        answer = borrower.get(f"{ROUTE}/{application_id}")
    assert (answer.status, answer.json()["code"]) == (500, "internal_error")
    assert answer.json()["detail"] == "an unexpected error happened"
    assert "Secret Firm" not in answer.body + caplog.text


def test_a_base64_body_is_decoded():
    event = json.loads(json.dumps(EVENT))
    event |= {"isBase64Encoded": True, "body": base64.b64encode(json.dumps(loan_request()).encode()).decode()}
    event["headers"] |= {"content-type": "application/json", "idempotency-key": new_key()}
    event |= {"httpMethod": "POST", "resource": ROUTE, "path": ROUTE, "pathParameters": None}
    authorizer = {"subject": "u", "role": "borrower", "tenant": "t-64"}
    event["requestContext"] |= {"httpMethod": "POST", "resourcePath": ROUTE, "authorizer": authorizer}
    assert app(event, Context())["statusCode"] == 202
