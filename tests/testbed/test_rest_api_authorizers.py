"""Lambda authorisers on LocalStack: identity sources and policies as API Gateway reads them (DESIGN 8)."""

from __future__ import annotations

from typing import Any

import pytest

from localstack_host.substitutions.rest_api_authorizers import Refused, allows, identity_values, judge

pytestmark = pytest.mark.thorough

METHOD = "arn:aws:execute-api:eu-west-1:000000000000:abc/local/GET/v1/applications"
STAGE = "arn:aws:execute-api:eu-west-1:000000000000:abc/local/*"


def policy(effect: str, resource: Any = STAGE, action: Any = "execute-api:Invoke") -> dict[str, Any]:
    return {"Statement": [{"Effect": effect, "Action": action, "Resource": resource}]}


@pytest.mark.parametrize(
    ("document", "allowed"),
    [
        (policy("Allow"), True),
        (policy("Allow", [METHOD, "arn:other"]), True),
        (policy("Allow", action=["execute-api:*"]), True),
        (policy("Allow", action="*"), True),
        (policy("Deny"), False),
        (policy("Allow", "arn:aws:execute-api:eu-west-1:000000000000:abc/local/POST/*"), False),
        (policy("Allow", action="lambda:InvokeFunction"), False),
        ({"Statement": policy("Allow")["Statement"][0]}, True),
        ({"Statement": policy("Allow")["Statement"] + policy("Deny", METHOD)["Statement"]}, False),
        ({"Statement": []}, False),
        ({}, False),
    ],
)
def test_policy(document: dict[str, Any], allowed: bool) -> None:
    assert allows(document, METHOD) is allowed


def test_context_becomes_text() -> None:
    answer = {
        "principalId": 7,
        "policyDocument": policy("Allow"),
        "context": {"role": "manager", "count": 3, "vip": True},
    }
    assert judge(answer, METHOD) == {"principalId": "7", "role": "manager", "count": "3", "vip": "true"}


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        ({"errorMessage": "Unauthorized", "errorType": "Unauthorized"}, "UNAUTHORIZED"),
        ({"errorMessage": "broken", "errorType": "KeyError"}, "AUTHORIZER_FAILURE"),
        (None, "AUTHORIZER_FAILURE"),
        ("text", "AUTHORIZER_FAILURE"),
        ({"principalId": "x", "policyDocument": policy("Deny")}, "ACCESS_DENIED"),
    ],
)
def test_refusals(answer: Any, response: str) -> None:
    with pytest.raises(Refused) as refused:
        judge(answer, METHOD)
    assert refused.value.response == response


def test_identity_sources() -> None:
    request = {"headers": {"Authorization": "Bearer x"}, "query_string_parameters": {"key": "k"}}
    source = "method.request.header.Authorization, method.request.querystring.key,method.request.header.Other"
    assert identity_values(source, request) == ["Bearer x", "k", None]
    assert identity_values("", request) == []
