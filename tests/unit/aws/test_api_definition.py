"""What API Gateway is told of the API: made from the routes, complete, and as its importer takes it (DESIGN 8)."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

import botocore.session
import pytest
import yaml

from api import openapi
from api.app import app
from aws.api_definition import GATEWAY_PROBLEMS, INSTANCE, PATH, definition, written
from creditmesh.platform.web import Problem

Json = dict[str, Any]
DEFINITION = definition(openapi.document(app))
WEBHOOK = "/webhooks/{institution_id}"
PREFLIGHT = "/{proxy+}"
METHODS = [
    (path, method, operation)
    for path, methods in DEFINITION["paths"].items()
    for method, operation in methods.items()
]  # fmt: skip
RESPONSES: Json = DEFINITION["x-amazon-apigateway-gateway-responses"]


def function_of(operation: Json) -> str:
    uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
    return uri.partition("functions/${")[2].removesuffix(".Arn}/invocations")


def test_the_committed_file_is_what_the_routes_make() -> None:
    assert PATH.read_text(encoding="utf-8") == written(DEFINITION), "run `make api`"


def test_the_file_says_what_was_meant() -> None:
    assert yaml.safe_load(written(DEFINITION)) == DEFINITION
    assert "&" not in re.sub(r'"[^"]*"', "", written(DEFINITION)), "CloudFormation reads no YAML anchors"


def test_every_route_is_there_and_one_path_for_preflights() -> None:
    routes = {(path, method.lower()) for path, methods in app.routes.items() for method in methods}
    assert {(path, method) for path, method, _ in METHODS} == routes | {(WEBHOOK, "post"), (PREFLIGHT, "options")}


def test_only_these_routes_need_no_token() -> None:
    open_routes = {path for path, _, operation in METHODS if operation["security"] == []}
    assert open_routes == {
        "/v1/guest/applications", "/v1/authorizations/return", "/v1/openapi.json", "/v1/health",
        "/v1/schemas/channel.json", WEBHOOK, PREFLIGHT,
    }  # fmt: skip
    assert all(operation["security"] in ([], [{"bearer": []}]) for _, _, operation in METHODS)


@pytest.mark.parametrize("path", DEFINITION["paths"])
def test_path_parameters_are_declared(path: str) -> None:
    for operation in DEFINITION["paths"][path].values():
        declared = [one["name"] for one in operation["parameters"]]
        assert declared == re.findall(r"{(\w+)[+]?}", path)
        assert all((one["in"], one["required"]) == ("path", True) for one in operation["parameters"])


def test_siblings_have_one_variable() -> None:
    """API Gateway refuses `/models/{id}` beside `/models/{name}`, and more than 300 resources."""
    children: dict[str, set[str]] = defaultdict(set)
    for path in DEFINITION["paths"]:
        parts = path.split("/")
        for end in range(1, len(parts)):
            children["/".join(parts[:end])].add(parts[end])
    assert sum(map(len, children.values())) <= 300
    variables = {
        place: {name for name in names if name.startswith("{") and "+" not in name} for place, names in children.items()
    }
    assert {place: names for place, names in variables.items() if len(names) > 1} == {}


def test_functions_answer_by_proxy() -> None:
    assert {path for path, _, operation in METHODS if function_of(operation) != "ApiFunction"} == {WEBHOOK}
    assert function_of(DEFINITION["paths"][WEBHOOK]["post"]) == "ReceiveWebhookFunction"
    for _, _, operation in METHODS:
        integration = operation["x-amazon-apigateway-integration"]
        assert (integration["type"], integration["httpMethod"]) == ("aws_proxy", "POST")
        assert integration["uri"]["Fn::Sub"].startswith("arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/")


def test_tokens_are_checked_by_the_authoriser() -> None:
    (scheme,) = DEFINITION["components"]["securitySchemes"].values()
    authorizer = scheme["x-amazon-apigateway-authorizer"]
    assert (authorizer["type"], authorizer["authorizerResultTtlInSeconds"]) == ("request", 300)
    assert authorizer["identitySource"] == "method.request.header.Authorization"
    assert "${AuthorizerFunction.Arn}" in authorizer["authorizerUri"]["Fn::Sub"]
    assert "authorizerCredentials" not in authorizer, "a Lambda permission lets API Gateway in, no role"


def test_no_schema_is_left_to_the_importer() -> None:
    text = json.dumps(DEFINITION)
    assert "$ref" not in text
    assert set(DEFINITION["components"]) == {"securitySchemes"}
    assert DEFINITION["openapi"] == "3.0.1"


def test_every_kind_of_gateway_response_is_worded() -> None:
    model = botocore.session.get_session().get_service_model("apigateway")
    assert set(RESPONSES) == set(GATEWAY_PROBLEMS) == set(model.shape_for("GatewayResponseType").enum)


@pytest.mark.parametrize("kind", RESPONSES)
def test_a_gateway_response_is_a_problem_document(kind: str) -> None:
    response = RESPONSES[kind]
    problem = Problem.model_validate_json(response["responseTemplates"]["application/json"])
    assert problem.status == response["statusCode"]
    assert problem.type == f"urn:creditmesh:problem:{problem.code}"
    assert problem.instance == INSTANCE
    assert "$" not in problem.detail, "what AWS says of the error stays in its log"
    condition, for_pages, headers = response["responseParameters"]["Fn::If"]
    assert condition == "HasPagesOrigin"
    assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
    assert headers["gatewayresponse.header.Cache-Control"] == "'no-store'"
    assert ("gatewayresponse.header.Www-Authenticate" in headers) is (problem.status == 401)
    assert ("gatewayresponse.header.Retry-After" in headers) is (problem.status in (429, 503))
    assert all(re.fullmatch(r"'[^']+'", text) for text in headers.values())
    assert not [name for name in headers if "Access-Control" in name]
    assert headers.items() <= for_pages.items()
    assert for_pages["gatewayresponse.header.Access-Control-Allow-Origin"] == {"Fn::Sub": "'${PagesOrigin}'"}
    assert for_pages["gatewayresponse.header.Access-Control-Allow-Credentials"] == "'true'"


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("UNAUTHORIZED", 401, "unauthenticated"),
        ("ACCESS_DENIED", 403, "forbidden"),
        ("MISSING_AUTHENTICATION_TOKEN", 404, "not_found"),
        ("DEFAULT_4XX", 404, "not_found"),
        ("REQUEST_TOO_LARGE", 413, "body_too_large"),
        ("UNSUPPORTED_MEDIA_TYPE", 415, "unsupported_media_type"),
        ("BAD_REQUEST_BODY", 422, "invalid_input"),
        ("THROTTLED", 429, "too_many_requests"),
        ("WAF_FILTERED", 429, "too_many_requests"),
        ("DEFAULT_5XX", 500, "internal_error"),
        ("AUTHORIZER_FAILURE", 503, "unavailable"),
        ("INTEGRATION_TIMEOUT", 503, "unavailable"),
    ],
)
def test_the_gateway_uses_the_codes_of_the_api(kind: str, status: int, code: str) -> None:
    problem = json.loads(RESPONSES[kind]["responseTemplates"]["application/json"])
    assert (problem["status"], problem["code"]) == (status, code)
