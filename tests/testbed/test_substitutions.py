"""The pure parts of what replaces LocalStack's gaps; the whole runs under `make test-localstack`."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from localstack_host.config import SUBSTITUTED, Config
from localstack_host.substitutions import ALL, cloudformation_repairs, forwarded_resources, jsonata_evaluation
from localstack_host.substitutions import rest_api_gateway_responses as responses
from localstack_host.substitutions.forwarded_services import SERVICES, Forwarder
from localstack_host.substitutions.lambda_processes import worker_settings
from run.places import ROOT

pytestmark = pytest.mark.thorough


def template_types() -> set[str]:
    template = yaml.safe_load((ROOT / "template.yaml").read_text())
    return {one["Type"] for one in template["Resources"].values()}


def test_every_cognito_and_emr_resource_of_the_template_is_forwarded() -> None:
    wanted = {kind for kind in template_types() if kind.startswith(("AWS::Cognito::", "AWS::EMRServerless::"))}
    assert wanted
    assert wanted <= set(forwarded_resources.ATTRIBUTES)


def test_one_resource_template_tells_everything() -> None:
    made = forwarded_resources.template("AWS::EMRServerless::Application", {"Type": "SPARK"})
    assert made["Resources"]["It"] == {"Type": "AWS::EMRServerless::Application", "Properties": {"Type": "SPARK"}}
    assert made["Outputs"]["PhysicalId"] == {"Value": {"Ref": "It"}}
    assert made["Outputs"]["Arn"] == {"Value": {"Fn::GetAtt": ["It", "Arn"]}}


def test_forwarded_services_are_told() -> None:
    told = " ".join(SUBSTITUTED)
    assert all(name in told for name in ("DynamoDB", "Cognito", "EMR Serverless"))
    assert {"dynamodb", "dynamodbstreams", "cognito-idp", "emr-serverless"} == SERVICES
    assert len(SUBSTITUTED) >= len(ALL) - 2


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2", 3),
        ("$partition([1,2,3,4,5], 2)", [[1, 2], [3, 4], [5]]),
        ("$range(1, 7, 2)", [1, 3, 5, 7]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ('$hash("a", "SHA-256")', hashlib.sha256(b"a").hexdigest()),
        ("$random(7) = $random(7)", True),
        ('$parse("{\\"a\\": [1]}").a[0]', 1),
        ("$exists(missing)", False),
        ("missing", None),
    ],
)
def test_jsonata(expression: str, value: Any) -> None:
    assert jsonata_evaluation.evaluate(expression) == value


@pytest.mark.parametrize("text", ['with "quotes"', "back\\slash", "line\nbreak", "中文", "$states.input"])
def test_variables_survive_whatever_they_hold(text: str) -> None:
    declared = jsonata_evaluation.declarations({"$a": text, "$b": {"c": [1, None, True]}})
    assert jsonata_evaluation.evaluate(f"({declared}[$a, $b.c[2]])") == [text, True]


def test_state_machine_definitions_become_json() -> None:
    text = (ROOT / "stepfunctions" / "loan_origination.asl.yaml").read_text()
    assert json.loads(cloudformation_repairs.as_json(text)) == yaml.safe_load(text)
    assert cloudformation_repairs.as_json('{"a": 1}') == '{"a": 1}'
    assert [cloudformation_repairs.as_text(value) for value in (15, "15", True)] == ["15", "15", "true"]


def test_gateway_responses_of_an_openapi_document() -> None:
    document = {
        "x-amazon-apigateway-gateway-responses": {
            "UNAUTHORIZED": {
                "statusCode": 401,
                "responseParameters": {"gatewayresponse.header.Content-Type": "'application/problem+json'"},
                "responseTemplates": {"application/json": "{}"},
            }
        }
    }
    declared = responses.declared(document)
    assert declared["UNAUTHORIZED"]["statusCode"] == "401"
    assert responses.headers(declared["UNAUTHORIZED"]) == {"Content-Type": "application/problem+json"}
    assert responses.declared({}) == {}


def test_only_forwarded_services_leave_the_chain() -> None:
    forwarder = Forwarder.__new__(Forwarder)  # no address to forward to: a request that went on would fail
    for service in (None, SimpleNamespace(service_name="s3"), SimpleNamespace(service_name="stepfunctions")):
        forwarder(None, SimpleNamespace(service=service), None)
    with pytest.raises(AttributeError):
        forwarder(None, SimpleNamespace(service=SimpleNamespace(service_name="dynamodb")), None)


def test_worker_is_told_what_lambda_tells() -> None:
    version = SimpleNamespace(
        config=SimpleNamespace(runtime="python3.13", handler="a.b.handler", memory_size=512),
        id=SimpleNamespace(function_name="f", qualifier="$LATEST"),
    )
    told = worker_settings(version, {"AWS_REGION": "eu-west-1", "N": 5}, "/code", ["/layer/python"])
    assert told["environment"] == {
        "AWS_REGION": "eu-west-1", "N": "5", "LAMBDA_TASK_ROOT": "/code", "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8", "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    }  # fmt: skip
    assert (told["handler"], told["code_dir"], told["paths"]) == ("a.b.handler", "/code", ["/layer/python"])


def test_configuration_keeps_real_credentials_out() -> None:
    config = Config.from_environment(
        {
            "CREDITMESH_LOCALSTACK_PORT": "4700",
            "CREDITMESH_LOCALSTACK_STATE": "state",
            "CREDITMESH_FORWARD_TO": "http://x",
        }
    )
    environment = config.upstream_environment()
    assert environment["GATEWAY_LISTEN"] == "127.0.0.1:4700"
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    with pytest.raises(KeyError):
        Config.from_environment({})
