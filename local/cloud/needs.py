"""The permissions that a request needs: actions, resources and condition keys, per AWS's service reference.

Covers the services that the platform's functions and jobs call; other requests need nothing here.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, unquote

from cloud.iam import Context
from cloud.task_token import machine_of
from cloud.upstream import iam_actions, kms, responses, s3, secretsmanager

Need = tuple[str, str, Context]
Request = dict[str, Any]

_IN_TRANSACTION = {
    "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}  # fmt: skip


def of_json_call(service: str, action: str, body: bytes) -> Iterator[Need]:
    """Needs of a call with an ``X-Amz-Target``; none if the body is not JSON, which the service refuses."""
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return
    if service in _JSON and isinstance(request, dict):
        yield from _JSON[service](action, request)


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{responses.get_region()}:{responses.get_account_id()}:{resource}"


def _table(name: str) -> str:
    return name if name.startswith("arn:") else _arn("dynamodb", f"table/{name}")


def _dynamodb(action: str, request: Request) -> Iterator[Need]:
    if "TransactItems" in request:
        for item in request["TransactItems"]:
            for kind, inner in item.items():
                yield f"dynamodb:{_IN_TRANSACTION[kind]}", _table(inner["TableName"]), {}
    elif "RequestItems" in request:
        for name in request["RequestItems"]:
            yield f"dynamodb:{action}", _table(name), {}
    elif "TableName" in request:
        index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
        yield f"dynamodb:{action}", _table(request["TableName"]) + index, {}


def _states(action: str, request: Request) -> Iterator[Need]:
    if action.startswith("SendTask"):
        resource = machine_of(request.get("taskToken") or "")
    else:
        resource = request.get("stateMachineArn") or request.get("executionArn")
    if resource:
        yield f"states:{action}", resource, {}


def _kms(action: str, request: Request) -> Iterator[Need]:
    named = request.get("KeyId") or _key_inside(request.get("CiphertextBlob") or "")
    key = kms._resolve_key(named)
    if key is None:
        return
    prefix = _arn("kms", "")
    aliases = [arn.removeprefix(prefix) for arn, number in kms._aliases.items() if number == key["KeyId"]]
    context: dict[str, Any] = {"kms:ResourceAliases": aliases}
    if ":alias/" in named or named.startswith("alias/"):
        context["kms:RequestAlias"] = named.removeprefix(prefix)
    for name, value in (request.get("EncryptionContext") or {}).items():
        context[f"kms:EncryptionContext:{name}"] = value
    yield f"kms:{action}", key["Arn"], context


def _key_inside(ciphertext: str) -> str:
    """MiniStack's ciphertexts begin with the key's id."""
    return base64.b64decode(ciphertext)[:36].decode("ascii", "ignore")


def _secretsmanager(action: str, request: Request) -> Iterator[Need]:
    if name := request.get("SecretId"):
        _, secret = secretsmanager._resolve(name)
        resource = (
            secret["ARN"] if secret else name if name.startswith("arn:") else _arn("secretsmanager", f"secret:{name}")
        )
        yield f"secretsmanager:{action}", resource, {}


def _ssm(action: str, request: Request) -> Iterator[Need]:
    single = [request[field] for field in ("Name", "Path") if field in request]
    for name in single or request.get("Names") or []:
        yield f"ssm:{action}", name if name.startswith("arn:") else _arn("ssm", f"parameter/{name.lstrip('/')}"), {}


def _events(action: str, request: Request) -> Iterator[Need]:
    for entry in request.get("Entries") or []:
        bus = entry.get("EventBusName") or "default"
        yield f"events:{action}", bus if bus.startswith("arn:") else _arn("events", f"event-bus/{bus}"), {}


def _sqs(action: str, request: Request) -> Iterator[Need]:
    if url := request.get("QueueUrl"):
        yield f"sqs:{action.removesuffix('Batch')}", _arn("sqs", url.rpartition("/")[2]), {}


_JSON: dict[str, Callable[[str, Request], Iterator[Need]]] = {
    "dynamodb": _dynamodb, "states": _states, "kms": _kms, "secretsmanager": _secretsmanager, "ssm": _ssm,
    "events": _events, "sqs": _sqs,
}  # fmt: skip


def of_s3_call(method: str, target: str, headers: dict[str, str], body: bytes) -> Iterator[Need]:
    """Needs of a request to S3; a missing object is reported only to callers who may list the bucket."""
    path, _, text = target.partition("?")
    path, query = unquote(path), parse_qs(text, keep_blank_values=True)
    bucket, _, key = path.removeprefix("/").partition("/")
    action = iam_actions._s3_action(method, path, query)
    if not action or not bucket:
        return
    listing = {f"s3:{name}": query[name][0] for name in ("prefix", "delimiter", "max-keys") if name in query}
    yield f"s3:{action}", f"arn:aws:s3:::{bucket}{'/' if key else ''}{key}", {} if key else listing
    for additional, resource in iam_actions.s3_additional_checks(method, path, headers, body, query):
        yield additional, resource, {}
    if action == "GetObject":
        yield from _of_a_missing_object(bucket, key)


def _of_a_missing_object(bucket: str, key: str) -> Iterator[Need]:
    held = s3._buckets.get(bucket)
    if held is not None and key not in held["objects"]:
        yield "s3:ListBucket", f"arn:aws:s3:::{bucket}", {}


_EMR_APPLICATION = {
    ("GET", ""): "GetApplication", ("PATCH", ""): "UpdateApplication", ("DELETE", ""): "DeleteApplication",
    ("POST", "start"): "StartApplication", ("POST", "stop"): "StopApplication", ("GET", "jobruns"): "ListJobRuns",
    ("POST", "jobruns"): "StartJobRun",
}  # fmt: skip
_EMR_RUN = {"GET": "GetJobRun", "DELETE": "CancelJobRun"}


def of_emr_call(method: str, target: str, body: bytes) -> Iterator[Need]:
    """Needs of a request to EMR Serverless; starting a job passes it a role."""
    _, _, number, *rest = target.partition("?")[0].split("/") + ["", ""]
    resource = _arn("emr-serverless", f"/applications/{number}")
    if len(rest) > 1 and rest[1]:
        yield f"emr-serverless:{_EMR_RUN.get(method, '')}", f"{resource}/jobruns/{rest[1]}", {}
        return
    action = _EMR_APPLICATION.get((method, rest[0])) if number else None
    if action is None:
        return
    if action == "StartJobRun":
        yield from _of_a_job(number, json.loads(body or b"{}").get("executionRoleArn"))
    else:
        yield f"emr-serverless:{action}", resource, {}


def _of_a_job(application: str, role: str | None) -> Iterator[Need]:
    yield "emr-serverless:StartJobRun", _arn("emr-serverless", f"/applications/{application}"), {}
    if role:
        yield "iam:PassRole", role, {"iam:PassedToService": "emr-serverless.amazonaws.com"}


def of_task(resource: str, given: Request) -> Iterator[Need]:
    """Needs of a state machine's task, for the services that the platform's machines call."""
    match resource.removeprefix("arn:aws:states:::").removeprefix("aws-sdk:").split(".")[0].split(":"):
        case ["lambda", "invoke"]:
            name = given["FunctionName"]
            yield "lambda:InvokeFunction", name if name.startswith("arn:") else _arn("lambda", f"function:{name}"), {}
        case ["dynamodb", "updateItem"]:
            yield "dynamodb:UpdateItem", _table(given["TableName"]), {}
        case ["events", "putEvents"]:
            yield from _events("PutEvents", given)
        case ["states", "startExecution"]:
            yield "states:StartExecution", given["StateMachineArn"], {}
        case ["emr-serverless" | "emrserverless", "startJobRun"]:
            yield from _of_a_job(given["ApplicationId"], given.get("ExecutionRoleArn"))
        case ["s3", "getObject"]:
            yield "s3:GetObject", f"arn:aws:s3:::{given['Bucket']}/{given['Key']}", {}
            yield from _of_a_missing_object(given["Bucket"], given["Key"])
        case ["s3", "listObjectsV2"]:
            context = {"s3:prefix": given["Prefix"]} if "Prefix" in given else {}
            yield "s3:ListBucket", f"arn:aws:s3:::{given['Bucket']}", context


_OF_TARGETS = {"lambda": "lambda:InvokeFunction", "states": "states:StartExecution", "sqs": "sqs:SendMessage"}


def of_target(target: str) -> Iterator[Need]:
    """Needs of calling a schedule's or a rule's target."""
    if action := _OF_TARGETS.get(target.split(":")[2] if target.startswith("arn:aws:") else ""):
        yield action, target, {}
