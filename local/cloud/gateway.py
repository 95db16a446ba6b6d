"""Short path for AWS JSON calls.

Most calls of the platform (DynamoDB, Step Functions, Secrets Manager, KMS, EventBridge, …) are ``POST /`` with an
``X-Amz-Target`` header. MiniStack makes about thirty host and path checks before it looks at that header; here such a
call goes straight to its service with the same account, region and error handling. All other calls go through
MiniStack.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from cloud.mends import usage
from cloud.upstream import app, responses, router

# X-Amz-Target prefix -> MiniStack service; all others take MiniStack's path.
SERVICES = {
    "DynamoDB_20120810": "dynamodb",
    "AWSStepFunctions": "states",
    "secretsmanager": "secretsmanager",
    "TrentService": "kms",
    "AWSEvents": "events",
    "AmazonSQS": "sqs",
    "AmazonSSM": "ssm",
}
_UNSIGNED = {"AWSCognitoIdentityProviderService": "cognito-idp"}  # calls may lack credentials

Answer = tuple[int, dict[str, Any], bytes | str]
Guard = Callable[[str, str, str, dict[str, str], bytes], Answer | None]


def _let_all_pass(*_: Any) -> None: ...


guard: Guard = _let_all_pass
"""Called with service, method, target, headers and body of each request; returns a refusal, or None."""


async def fast(method: str, target: str, headers: dict[str, str], body: bytes) -> Answer | None:
    """Answer an AWS JSON call, or refuse a request; None if MiniStack must handle it."""
    if target == usage.PATH:
        return usage.control(method)
    usage.note_caller(headers)
    wanted = headers.get("x-amz-target")
    if wanted is None or method != "POST" or target != "/":
        scope = _scope_service(headers, target)
        if refusal := guard(scope, method, target, headers, body):
            return refusal
        usage.note_call(scope, method, target, body)
        return None
    prefix, _, action = wanted.partition(".")
    service = SERVICES.get(prefix)
    if (
        service is None
        or headers.get("content-encoding")
        or headers.get("x-amz-content-sha256", "").startswith("STREAM")
    ):
        usage.note_call(_scope_service(headers, target) or _UNSIGNED.get(prefix, ""), action, target, body)
        return None
    async with app._get_reset_lock():
        pass
    key = router.extract_access_key_id(headers, {})
    if key:
        responses.set_request_account_id(key)
    responses.set_request_region(router.extract_region(headers, {}))
    if refusal := guard(service, method, target, headers, body):
        return refusal
    request_id = str(uuid.uuid4())
    try:
        status, answer, payload = await app._get_module(app.SERVICE_REGISTRY[service]["module"]).handle_request(
            method, "/", headers, body, {}
        )
    except Exception as problem:
        app.logger.exception("error in %s", wanted)
        fault = json.dumps({"__type": "InternalError", "message": str(problem)})
        return 500, {"Content-Type": "application/x-amz-json-1.0"}, fault
    app.fix_error_content_type(service, status, answer)
    app.fix_success_content_type(service, status, answer)
    answer["x-amzn-requestid"] = request_id
    usage.note_call(service, action, target, body)
    return status, answer, payload


def _scope_service(headers: dict[str, str], target: str) -> str:
    """Service name in the SigV4 credential scope, also of a presigned URL; empty if there is none."""
    if "X-Amz-Credential=" in target:
        scope = parse_qs(target.partition("?")[2])["X-Amz-Credential"][0].split("/")
    elif "AWSAccessKeyId=" in target:  # SigV2; only S3 has presigned URLs of it
        return "s3"
    else:
        scope = headers.get("authorization", "").partition("Credential=")[2].split(",")[0].split("/")
    return scope[3] if len(scope) > 3 else ""
