"""Lambda's hard size limits: a function's environment and its resource policy.

Upstream accepts any size. We refuse an environment above 4,096 bytes of JSON and a policy above 20,480, in the API and
in CloudFormation, with Lambda's error.
"""

from __future__ import annotations

import json
from typing import Any

from cloud.config import Config
from cloud.upstream import lambda_svc, provisioners, responses

_ENVIRONMENT_BYTES = 4096
_POLICY_BYTES = 20_480


def apply(_config: Config) -> None:
    """Wrap the calls that set an environment or extend a policy."""
    upstream_create, upstream_configure = lambda_svc._create_function, lambda_svc._update_config
    upstream_permit = lambda_svc._add_permission
    resource = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    upstream_resource = resource["create"]

    def create(data: dict[str, Any]) -> Any:
        return _refusal(data) or upstream_create(data)

    def configure(name: str, data: dict[str, Any]) -> Any:
        return _refusal(data) or upstream_configure(name, data)

    def provision(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        if refusal := _refusal(properties):
            raise ValueError(json.loads(refusal[2])["message"])
        return upstream_resource(logical_id, properties, stack)

    def permit(name: str, *arguments: Any, **named: Any) -> Any:
        answer = upstream_permit(name, *arguments, **named)
        if answer[0] >= 300:
            return answer
        policy = lambda_svc._functions[name]["policy"]
        size = len(json.dumps(policy, separators=(",", ":")).encode())
        if size <= _POLICY_BYTES:
            return answer
        policy["Statement"].pop()
        message = f"The final policy size ({size}) is bigger than the limit ({_POLICY_BYTES})."
        return responses.error_response_json("PolicyLengthExceededException", message, 400)

    lambda_svc._create_function, lambda_svc._update_config = create, configure
    lambda_svc._add_permission = permit
    resource["create"] = provision


def _refusal(data: dict[str, Any]) -> Any:
    variables = (data.get("Environment") or {}).get("Variables") or {}
    measured = json.dumps(variables, separators=(",", ":"))
    if len(measured.encode()) <= _ENVIRONMENT_BYTES:
        return None
    message = (
        "Lambda was unable to configure your environment variables because the environment variables you have "
        f"provided exceeded the 4KB limit. String measured: {measured}"
    )
    return responses.error_response_json("InvalidParameterValueException", message, 400)
