"""The API's description agrees with its routes (DESIGN 8)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.app import app
from api.openapi import main, operations_of
from api.routing import Key
from aws.api_definition import GATEWAY_PROBLEMS
from creditmesh.closing.model import LENDER_MESSAGE
from creditmesh.kernel.errors import KeyReused
from creditmesh.platform.fields import validated
from creditmesh.platform.idempotency import InProgress
from creditmesh.platform.tables import ConditionFailed
from creditmesh.platform.web import STATUS_OF, status_of
from tests.support.described import DOCUMENT, PROBLEM_SCHEMA, of_schema, undescribed
from tests.support.gateway import refusal
from tests.unit.api.client import ROOT, Api, loan_request, new_key

OPERATIONS = {one.view.__name__: one for one in operations_of(app)}
WEBHOOK = ("POST", "/webhooks/{institution_id}")
DECLARED = {(method, path) for path, methods in app.routes.items() for method in methods}


def _operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    ]


def _schemas(node: Any, inside: str = "") -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for one in node for found in _schemas(one)]
    if not isinstance(node, dict):
        return []
    here = [node["schema"]] if "schema" in node else []
    return here + [found for name, one in node.items() if name != "schema" for found in _schemas(one, name)]


def test_each_route_is_described_and_nothing_else():
    assert {(method, path) for method, path, _ in _operations()} == DECLARED | {WEBHOOK}


def test_the_interface_page_lists_the_same_routes():
    page = (ROOT / "docs/reference/api.md").read_text()
    listed = {
        (method, path.partition("?")[0])
        for method, path in re.findall(r"^\| `(GET|POST|PUT|DELETE) ([^ `]+)", page, re.M)
    }
    assert listed == DECLARED | {WEBHOOK}


def test_it_is_openapi_3_1():
    assert DOCUMENT["openapi"] == "3.1.0"
    assert set(DOCUMENT) == {"openapi", "info", "servers", "paths", "components"}
    assert {"title", "version"} <= set(DOCUMENT["info"])
    ids = [operation["operationId"] for _, _, operation in _operations()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("method", "path", "operation"), _operations())
def test_an_operation_is_complete(method, path, operation):
    assert operation["summary"]
    assert operation["responses"]
    parameters = operation["parameters"]
    assert {one["name"] for one in parameters if one["in"] == "path"} == set(re.findall(r"{(\w+)}", path))
    assert all(one["required"] for one in parameters if one["in"] == "path")
    assert len({(one["in"], one["name"]) for one in parameters}) == len(parameters)
    for status, response in operation["responses"].items():
        assert re.fullmatch("[1-5][0-9]{2}", status)
        assert response["description"]
    assert any(status.startswith("2") for status in operation["responses"])
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert all(name in schemes for one in operation["security"] for name in one)
    assert bool(operation["security"]) == ("401" in operation["responses"])
    if method == "POST" and path != WEBHOOK[1]:
        assert "Idempotency-Key" in [one["name"] for one in parameters]


def test_every_schema_is_valid_and_every_reference_leads_somewhere():
    schemas = [*DOCUMENT["components"]["schemas"].values(), *_schemas(DOCUMENT["paths"])]
    for schema in schemas:
        Draft202012Validator.check_schema(schema)
    references = re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT))
    assert references
    assert {one.removeprefix("#/components/schemas/") for one in references} <= set(DOCUMENT["components"]["schemas"])


def test_money_is_text_everywhere():
    view = DOCUMENT["components"]["schemas"]["ApplicationView"]["properties"]
    assert view["amount"]["type"] == "string"
    numbers = {name for schema in DOCUMENT["components"]["schemas"].values()
               for name, one in schema.get("properties", {}).items() if '"number"' in json.dumps(one)}  # fmt: skip
    assert all(name.endswith("_seconds") for name in numbers), numbers


def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


@pytest.mark.usefixtures("cloud")
def test_real_answers_are_as_described():
    borrower = Api("borrower")
    body = loan_request()
    _validator("LoanRequest").validate(body)
    _validator("ApplicationView").validate(borrower.post("/v1/applications", body, key=new_key()).json())
    _validator("ApplicationList").validate(borrower.get("/v1/applications").json())
    _validator("Problem").validate(borrower.get("/v1/applications/none").json())
    _validator("Problem").validate(borrower.post("/v1/applications", {}, key=new_key()).json())


@pytest.mark.usefixtures("cloud")
def test_it_is_served_with_the_installations_own_address_and_printed_without(capsys):
    served = Api().get("/v1/openapi.json")
    assert (served.status, served.headers["content-type"]) == (200, "application/json")
    assert served.json() == DOCUMENT | {"servers": [{"url": "https://api.test"}]}
    main()
    assert json.loads(capsys.readouterr().out) == DOCUMENT | {"servers": []}


@pytest.mark.usefixtures("cloud")
def test_health():
    assert Api().get("/v1/health").json() == {"status": "ok", "version": DOCUMENT["info"]["version"]}


BODIES = {
    operation["operationId"]: operation["requestBody"]["content"]["application/json"]
    for _, _, operation in _operations()
    if "requestBody" in operation
}
EXAMPLES = [
    (name, label, example["value"])
    for name, body in BODIES.items()
    for label, example in body.get("examples", {}).items()
]


def test_every_body_but_the_empty_one_has_an_example():
    empty = {name for name, body in BODIES.items() if body["schema"].get("$ref", "").endswith("/Nothing")}
    assert empty
    assert {name for name, body in BODIES.items() if "examples" not in body} == empty


@pytest.mark.parametrize(("name", "label", "value"), EXAMPLES)
def test_an_example_keeps_its_schema_and_the_rules_behind_it(name, label, value):
    of_schema(BODIES[name]["schema"]).validate(value)
    rules = LENDER_MESSAGE if name == "receive_webhook" else OPERATIONS[name].body
    validated(rules, value)


def _examples_of_fields(node: Any) -> list[tuple[dict[str, Any], Any]]:
    if isinstance(node, list):
        return [found for one in node for found in _examples_of_fields(one)]
    if not isinstance(node, dict):
        return []
    own = node["examples"] if isinstance(node.get("examples"), list) else []
    return [(node, one) for one in own] + [found for one in node.values() for found in _examples_of_fields(one)]


def test_an_example_of_a_field_keeps_its_schema():
    found = _examples_of_fields(DOCUMENT)
    assert found
    for schema, example in found:
        of_schema(schema).validate(example)


@pytest.mark.usefixtures("cloud")
def test_the_examples_of_applying_are_accepted():
    for name, path, role in (
        ("apply", "/v1/applications", "borrower"),
        ("apply_as_guest", "/v1/guest/applications", None),
    ):
        body = BODIES[name]["examples"]["firm"]["value"]
        assert Api(role).post(path, body, key=new_key()).status == 202


def _parameter(operation_id: str, name: str) -> dict[str, Any]:
    (found,) = (
        one for _, _, operation in _operations() if operation["operationId"] == operation_id
        for one in operation["parameters"] if one["name"] == name
    )  # fmt: skip
    return dict(found)


@pytest.mark.parametrize(
    ("operation", "name", "required", "good", "bad"),
    [
        ("apply", "Idempotency-Key", True, ["k" * 8, "k" * 64], ["k" * 7, "k" * 65, "with space"]),
        ("apply_as_guest", "Idempotency-Key", True, ["k" * 22, "k" * 64], ["k" * 21, "k" * 65]),
        ("withdraw", "Idempotency-Key", False, ["k" * 8], ["short"]),
        ("write_channel", "If-Match", False, ["0", "12", '"12"'], ["", 'W/"1"', "1234567", "*"]),
        ("write_plan", "If-Match", False, ["3"], ["x"]),
        ("read_application", "application_id", True, ["app_1", "a.b:c-d"], ["", "a b", "a/b", "x" * 101, "\u00e4"]),
        ("receive_webhook", "webhook-timestamp", True, ["1795305600"], ["now", ""]),
    ],
)
def test_the_rule_of_a_parameter_is_described(operation, name, required, good, bad):
    described = _parameter(operation, name)
    assert described["required"] is required
    rule = of_schema(described["schema"])
    assert [one for one in good if not rule.is_valid(one)] == []
    assert [one for one in bad if rule.is_valid(one)] == []


def test_a_guests_key_has_its_second_rule_in_words():
    assert "8 of them different" in _parameter("apply_as_guest", "Idempotency-Key")["description"]


@pytest.mark.parametrize("kind", GATEWAY_PROBLEMS)
def test_what_the_gateway_answers_itself_is_a_problem_as_served(kind):
    answer = refusal(kind)
    PROBLEM_SCHEMA.validate(json.loads(answer["body"]))
    for method, path, operation in _operations():
        if _may_meet(kind, operation):
            assert undescribed(method, path, answer["statusCode"], answer["headers"], answer["body"]) is None, path


def _may_meet(kind: str, operation: dict[str, Any]) -> bool:
    """Whether the gateway may answer so in an operation's place; it knows the routes, and leaves bodies alone."""
    with_body = {"REQUEST_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"}
    with_token = {"UNAUTHORIZED", "AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR"}
    anywhere = {
        "THROTTLED", "QUOTA_EXCEEDED", "WAF_FILTERED", "DEFAULT_5XX", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT",
        "API_CONFIGURATION_ERROR",
    }  # fmt: skip
    return (
        kind in anywhere
        or (kind in with_token and operation["security"] == [{"bearer": []}])
        or (kind in with_body and "requestBody" in operation)
    )


def test_every_code_stands_on_the_interface_page():
    page = set(re.findall(r"`(\w+)`", (ROOT / "docs/reference/api.md").read_text()))
    codes = {kind.code for one in OPERATIONS.values() for kind in one.problems}
    assert codes
    assert codes <= page


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_routes_errors_are_answered_by_their_status(name):
    operation = OPERATIONS[name]
    described = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]
    for kind in operation.problems:
        assert kind.code in described[str(status_of(kind).value)]["description"]
        assert issubclass(kind, tuple(base for base, _ in STATUS_OF))


def test_every_change_tells_that_another_may_come_first():
    for operation in OPERATIONS.values():
        assert operation.method == "GET" or ConditionFailed in operation.problems, operation.path


def test_a_kept_key_tells_what_may_come_of_it():
    for operation in OPERATIONS.values():
        assert (InProgress in operation.problems) == (operation.key is Key.KEPT), operation.path
        assert (KeyReused in operation.problems) == (operation.key not in (Key.NONE, Key.NEEDLESS)), operation.path


def test_a_parameter_of_the_query_is_required_where_its_model_says_so():
    required = set()
    for operation in OPERATIONS.values():
        described = DOCUMENT["paths"][operation.path][operation.method.lower()]["parameters"]
        fields = operation.types["query"].model_fields if operation.query else {}
        wanted = {field.alias or name: field.is_required() for name, field in fields.items()}
        assert {one["name"]: one["required"] for one in described if one["in"] == "query"} == wanted, operation.path
        required |= {name for name, needed in wanted.items() if needed}
    assert {"source", "month", "state"} <= required


def test_problems_carry_what_their_status_asks_for():
    wanted = {"401": {"www-authenticate"}, "429": {"retry-after"}, "503": {"retry-after"}}
    for _, path, operation in _operations():
        for status, answer in operation["responses"].items():
            carried = {name for name, one in answer.get("headers", {}).items() if one["required"]}
            assert carried == wanted.get(status, set()), (path, status)


def test_conditional_changes_answer_with_the_tag_they_take():
    for name in ("read_channel", "write_channel", "read_plan", "write_plan"):
        operation = OPERATIONS[name]
        described = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]["200"]
        assert "ETag" in described["headers"]


def test_a_key_is_described_wherever_it_is_read():
    for operation in OPERATIONS.values():
        names = [one["name"] for one in DOCUMENT["paths"][operation.path][operation.method.lower()]["parameters"]]
        assert ("Idempotency-Key" in names) == (operation.key is not Key.NONE)
