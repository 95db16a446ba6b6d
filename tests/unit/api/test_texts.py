"""Texts that no route takes, and what every route answers to broken Unicode (F16, F22)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.app import app
from api.openapi import operations_of
from api.routing import Operation
from tests.unit.api.client import EVENT, Answer, Api, Context, loan_request, new_key, product_terms, submit

pytestmark = pytest.mark.usefixtures("cloud")

LONE = "\ud800"
OPERATIONS = list(operations_of(app))
WITH_BODY = [one for one in OPERATIONS if one.body]
WITH_QUERY = [one for one in OPERATIONS if one.query]
WITH_PATH = [one for one in OPERATIONS if "{" in one.path]


def named(one: Operation) -> str:
    return one.view.__name__


def call(one: Operation, path: str | None = None, **more: Any) -> Answer:
    role = min(one.roles).value if one.roles else None
    filled = path or one.path.replace("{", "").replace("}", "")
    return Api(role).call(one.method, filled, resource=one.path, key=new_key(), **more)


@pytest.mark.parametrize("one", WITH_BODY, ids=named)
@pytest.mark.parametrize(
    ("raw", "field"),
    [(r'{"a": "\ud800"}', "a"), (r'{"\udc00": 1}', r"\udc00"), (r'{"a": [{"b\ud83d": "\ud83d"}]}', r"a.0.b\ud83d")],
)
def test_a_lone_surrogate_is_named_on_every_route(one: Operation, raw: str, field: str) -> None:
    answer = call(one, raw=raw)
    assert answer.status == 422
    errors = answer.json()["errors"]
    assert (field, "character_not_allowed") in [(error["field"], error["code"]) for error in errors]


@pytest.mark.parametrize("one", WITH_BODY, ids=named)
def test_a_body_that_api_gateway_could_not_decode_is_not_utf8(one: Operation) -> None:
    raw = '{"a": "江苏测试有限公司"}'.encode("gb18030").decode("utf-8", "replace")
    answer = call(one, raw=raw)
    assert (answer.status, answer.json()["code"]) == (400, "body_not_utf8")


@pytest.mark.parametrize("one", WITH_QUERY, ids=named)
def test_a_broken_query_is_refused(one: Operation) -> None:
    for query in ({LONE: "1"}, {"limit": LONE}, {"a\x00": "1"}):
        answer = call(one, query=query)
        if one.on_problem:
            assert answer.status in (404, 422)
        else:
            assert (answer.status, answer.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize("one", WITH_PATH, ids=named)
def test_a_broken_path_is_nothing_of_ours(one: Operation) -> None:
    path = one.path.replace("{", LONE).replace("}", "\x00")
    event = json.loads(json.dumps(EVENT))
    parts = {part.strip("{}"): LONE for part in one.path.split("/") if part.startswith("{")}
    event |= {"resource": one.path, "path": path, "httpMethod": one.method, "pathParameters": parts}
    event["requestContext"] |= {"httpMethod": one.method, "path": path, "resourcePath": one.path}
    if one.roles:
        event["requestContext"]["authorizer"] = {"subject": "u", "role": min(one.roles).value, "tenant": "t"}
    answer = app(event, Context())
    assert answer["statusCode"] == (422 if one.method == "PUT" else 404)
    assert json.loads(answer["body"])["instance"].isascii()


@pytest.mark.parametrize("one", OPERATIONS, ids=named)
def test_no_header_makes_a_route_fail(one: Operation) -> None:
    broken = dict.fromkeys(("Accept", "Accept-Language", "Content-Type", "Cookie", "If-Match", "X-Else"), f"a{LONE}é")
    answer = call(one, headers=broken, raw="{}" if one.body else None)
    assert answer.status < 500
    assert Api().call(one.method, one.path, headers={"Idempotency-Key": LONE}, raw="{}").status < 500


@pytest.mark.parametrize("field", ["firm_name", "purpose"])
@pytest.mark.parametrize(
    "text", ["\u200b\u200b", "\x07\x07", "a\x00b", "a\r\nb", "a\u202eb", "\u3164\u3164", "\u2060\ufeff", "a\u2067b"]
)
def test_what_shows_nothing_or_something_else_is_refused(field: str, text: str) -> None:
    answer = Api("borrower").post("/v1/applications", loan_request(**{field: text}), key=new_key())
    assert (answer.status, [error["field"] for error in answer.json()["errors"]]) == (422, [field])


def test_a_name_is_stored_in_one_form() -> None:
    borrower = Api("borrower")
    application_id = borrower.apply(firm_name="Mu\u0308ller\u00a0 GmbH")
    assert borrower.get(f"/v1/applications/{application_id}").json()["firm_name"] == "Müller GmbH"


@pytest.mark.parametrize("signer", ["Li\r\nWei", "Li\u202eWei", "\u200b\u200b", "Li\x00", "\u3164\u3164", "--"])
def test_a_signer_has_a_name_that_can_be_read(signer: str) -> None:
    borrower = Api("borrower")
    body = {"document_sha256": "0" * 64, "signer_name": signer, "consent": True}
    answer = borrower.post(f"/v1/applications/{submit(borrower)}/signature", body)
    assert (answer.status, [error["field"] for error in answer.json()["errors"]]) == (422, ["signer_name"])


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "Season\ncredit"},
        {"name": "\u2060\u2060"},
        {"industries_excluded": ["x" * 41]},
        {"repayment_methods": ["a\tb"]},
        {"repayment_methods": [""]},
    ],
)
def test_a_product_has_short_and_readable_texts(changed: dict[str, Any]) -> None:
    answer = Api("lender").put("/v1/products/p-1", product_terms(**changed))
    (error,) = answer.json()["errors"]
    assert (answer.status, error["field"].split(".")[0]) == (422, *changed)
