"""Lambda authorisers of REST APIs, which the open core stores but never asks.

TOKEN and REQUEST authorisers, identity sources, the returned policy and context; results are not kept (an API with a
cache behaves the same, only that a token's end shows at once).
"""

from __future__ import annotations

import fnmatch
import json
import time
from typing import Any

from localstack_host import upstream
from localstack_host.config import Config


class Refused(Exception):
    """The gateway answers with a gateway response of that name."""

    def __init__(self, response: str) -> None:
        super().__init__(response)
        self.response = response


def identity_values(source: str, request: Any) -> list[str | None]:
    """What the identity sources name in the request; None for what is missing."""
    found: list[str | None] = []
    for one in filter(None, (part.strip() for part in source.split(","))):
        place, _, name = one.removeprefix("method.request.").partition(".")
        known = request["headers"] if place == "header" else request["query_string_parameters"]
        found.append(known.get(name))
    return found


def allows(policy: dict[str, Any], method_arn: str) -> bool:
    """Whether a policy document allows to call the method; a Deny wins."""
    verdicts = set()
    statements = policy.get("Statement") or []
    for statement in statements if isinstance(statements, list) else [statements]:
        resources = statement.get("Resource") or []
        actions = statement.get("Action") or []
        names = [resources] if isinstance(resources, str) else resources
        verbs = [actions] if isinstance(actions, str) else actions
        invokes = any(fnmatch.fnmatchcase("execute-api:invoke", verb.lower()) for verb in verbs)
        if invokes and any(fnmatch.fnmatchcase(method_arn, name) for name in names):
            verdicts.add(statement.get("Effect"))
    return "Allow" in verdicts and "Deny" not in verdicts


def judge(answer: Any, method_arn: str) -> dict[str, str]:
    """``$context.authorizer`` from the function's answer.

    Raises:
        Refused: the function refused, failed, or its policy does not allow the method.
    """
    if not isinstance(answer, dict) or "policyDocument" not in answer:
        unauthorized = isinstance(answer, dict) and answer.get("errorMessage") == "Unauthorized"
        raise Refused("UNAUTHORIZED" if unauthorized else "AUTHORIZER_FAILURE")
    if not allows(answer["policyDocument"], method_arn):
        raise Refused("ACCESS_DENIED")
    context = {name: _text(value) for name, value in (answer.get("context") or {}).items()}
    return {**context, "principalId": str(answer.get("principalId", ""))}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def event(authorizer: dict[str, Any], context: Any, method_arn: str, token: str | None) -> dict[str, Any]:
    """What the function is given."""
    request = context.invocation_request
    if authorizer["type"] == "TOKEN":
        return {"type": "TOKEN", "methodArn": method_arn, "authorizationToken": token}
    headers = request["headers"]
    return {
        "type": "REQUEST", "methodArn": method_arn, "resource": context.resource["path"], "path": request["path"],
        "httpMethod": request["http_method"], "headers": dict(headers),
        "multiValueHeaders": {name: headers.getlist(name) for name in headers.keys()},  # noqa: SIM118  a multi-dict
        "queryStringParameters": request["query_string_parameters"] or None,
        "multiValueQueryStringParameters": request["multi_value_query_string_parameters"] or None,
        "pathParameters": request["path_parameters"] or None, "stageVariables": context.stage_variables,
        "requestContext": {name: value for name, value in context.context_variables.items() if name != "authorizer"},
    }  # fmt: skip


def authorize(_chain: Any, context: Any, _response: Any) -> None:
    """A handler in the chain of a REST API's request: let it pass or raise the gateway's own exception."""
    identifier = context.resource_method.get("authorizerId")
    if not identifier:
        return
    authorizer = context.deployment.rest_api.authorizers[identifier]
    method = context.invocation_request["http_method"]
    arn = f"arn:aws:execute-api:{context.region}:{context.account_id}:{context.api_id}"
    method_arn = f"{arn}/{context.stage}/{method}{context.invocation_request['path']}"
    started = time.monotonic()
    try:
        values = identity_values(authorizer.get("identitySource") or "", context.invocation_request)
        if None in values:
            raise Refused("UNAUTHORIZED")
        given = event(authorizer, context, method_arn, values[0] if values else None)
        answer = _ask(authorizer, given, f"{arn}/authorizers/{identifier}")
        known = judge(answer, method_arn)
    except Refused as refused:
        raise _EXCEPTIONS[refused.response]() from refused
    known["integrationLatency"] = str(int((time.monotonic() - started) * 1000))
    context.context_variables["authorizer"] = known


def _ask(authorizer: dict[str, Any], given: dict[str, Any], source_arn: str) -> Any:
    find = upstream.rest_api_lambda.get_lambda_function_arn_from_invocation_uri
    payload = upstream.rest_api_lambda.RestApiAwsProxyIntegration.call_lambda(
        function_arn=find(authorizer["authorizerUri"]),
        event=json.dumps(given, default=str).encode(),
        source_arn=source_arn,
    )
    return json.loads(payload or b"null")


def _unauthorized() -> Exception:
    return _raised("UnauthorizedError", "Unauthorized")


def _denied() -> Exception:
    return _raised("AccessDeniedError", "User is not authorized to access this resource")


def _failed() -> Exception:
    return _raised("AuthorizerConfigurationError", None)


def _raised(name: str, message: str | None) -> Exception:
    problem: Exception = getattr(upstream.rest_api_errors, name)(message)
    return problem


_EXCEPTIONS = {"UNAUTHORIZED": _unauthorized, "ACCESS_DENIED": _denied, "AUTHORIZER_FAILURE": _failed}


def apply(_config: Config) -> None:
    """Ask the authoriser right after the route is known."""
    upstream.rest_api_handlers.preprocess_request.append(authorize)
