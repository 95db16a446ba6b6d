"""The API's description agrees with its routes (DESIGN 8)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from api.app import app
from api.openapi import document, main
from tests.unit.api.client import ROOT, Api, loan_request, new_key

DOCUMENT = document(app)
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
    assert set(DOCUMENT) == {"openapi", "info", "paths", "components"}
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


def test_it_is_served_and_printed(capsys):
    served = Api().get("/v1/openapi.json")
    assert (served.status, served.headers["content-type"]) == (200, "application/json")
    main()
    assert json.loads(capsys.readouterr().out) == served.json() == DOCUMENT


def test_health():
    assert Api().get("/v1/health").json() == {"status": "ok", "version": DOCUMENT["info"]["version"]}
