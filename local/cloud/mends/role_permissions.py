"""Enforces the policies of the roles of functions and jobs.

Upstream enforces IAM only if all callers sign (``AUTH``), checks no service condition keys, and nothing on the short
path of JSON calls. We give each function and job a session token that names its role. The gateway refuses what the
role's policies do not allow (``cloud.iam`` over ``cloud.needs``), with AWS's error. A missing object is 404 only for a
role that may list the bucket, else 403. Callers without such a token, and roles unknown to IAM, may do everything.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any
from urllib.parse import parse_qs

from cloud import gateway, needs, role_session
from cloud.config import Config
from cloud.iam import Context, decided, names
from cloud.upstream import iam, iam_actions, iam_evaluator, lambda_runtime, responses, router, s3

_LOOK_AGAIN_SECONDS = 1.0  # how fast a policy change takes effect


class Role:
    """A role's permissions, cached for a moment."""

    def __init__(self, documents: list[Any]) -> None:
        self.documents = documents
        self.looked_at = time.monotonic()
        self._statements = list(chain.from_iterable(map(_statements, documents)))
        self._naming: dict[tuple[str, str], list[Mapping[str, Any]]] = {}

    def may(self, action: str, resource: str, context: Context) -> bool:
        """Whether the policies allow it; cached, as the same tables and keys recur."""
        naming = self._naming.get((action, resource))
        if naming is None:
            naming = [statement for statement in self._statements if names(statement, action, resource)]
            self._naming[action, resource] = naming
        return decided(naming, context)


_roles: dict[tuple[str, str], Role] = {}


def apply(_config: Config) -> None:
    """Put the token into the functions' credentials, and check every request."""
    upstream_credentials = lambda_runtime.execution_credentials

    def credentials(config: dict[str, Any]) -> dict[str, str]:
        given: dict[str, str] = upstream_credentials(config)
        role = config.get("Role", "")
        given["AWS_SESSION_TOKEN"] = role_session.token(role, config.get("FunctionName", ""))
        return given

    upstream_credential = s3.resolve_credential

    def credential(access_key: str, account: str | None = None, token: Any = None) -> Any:
        """For presigned URLs of Signature Version 4: our tokens are not STS's."""
        ours = isinstance(token, str) and role_session.role_of(token) is not None
        return upstream_credential(access_key, account, *(() if ours else (token,)))

    lambda_runtime.execution_credentials = credentials
    s3.resolve_credential = credential
    gateway.guard = refuse


def refuse(service: str, method: str, target: str, headers: dict[str, str], body: bytes) -> gateway.Answer | None:
    """AWS's refusal of a request that the role does not allow; None if it is allowed."""
    caller = headers.get("x-amz-security-token") or _presigned(target)
    session = role_session.role_of(caller)
    role = _role(*session) if session else None
    if session is None or role is None:
        return None
    responses.set_request_account_id(session[0])
    for need in _needs(service, method, target, headers, body):
        if not role.may(*need):
            message = _refusal(caller, *need)
            status, answer, text = iam_actions.access_denied_response(
                service, need[0], caller, responses.new_uuid(), message=message, headers=headers
            )
            return status, answer, b"" if method == "HEAD" else text
    return None


def lacking(role: str, session: str, wanted: Iterable[needs.Need]) -> str | None:
    """IAM's message for the first need that a role's policies do not allow; None if they allow all."""
    if not role:
        return None
    caller = role_session.token(role, session)
    known = _role(*(role_session.role_of(caller) or ("", "")))
    missing = (need for need in wanted if known and not known.may(*need))
    return next((_refusal(caller, *need) for need in missing), None)


def _presigned(target: str) -> str:
    """The token of a presigned URL, of either signature version."""
    query = parse_qs(target.partition("?")[2]) if "ecurity-" in target else {}
    return (query.get("X-Amz-Security-Token") or query.get("x-amz-security-token") or [""])[0]


def _needs(service: str, method: str, target: str, headers: dict[str, str], body: bytes) -> Iterator[needs.Need]:
    if wanted := headers.get("x-amz-target"):
        return needs.of_json_call(service, wanted.partition(".")[2], body)
    if service == "s3":
        return needs.of_s3_call(method, target, headers, body)
    if service == "emr-serverless":
        responses.set_request_region(router.extract_region(headers, {}))
        return needs.of_emr_call(method, target, body)
    return iter(())


def _role(account: str, name: str) -> Role | None:
    known = _roles.get((account, name))
    if known is not None and time.monotonic() - known.looked_at < _LOOK_AGAIN_SECONDS:
        return known
    record = iam._roles.get_scoped(account, None, name)
    if record is None:
        return None
    documents = _documents(account, record)
    if known is None or known.documents != documents:
        known = _roles[account, name] = Role(documents)
    known.looked_at = time.monotonic()
    return known


def _documents(account: str, role: dict[str, Any]) -> list[Any]:
    managed = (iam_evaluator._resolve_managed_policy_document(arn, account) for arn in role.get("AttachedPolicies", []))
    return [*(role.get("InlinePolicies") or {}).values(), *filter(None, managed)]


def _statements(document: str | dict[str, Any]) -> list[Mapping[str, Any]]:
    content = json.loads(document) if isinstance(document, str) else document
    statements = content.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def _refusal(caller: str, action: str, resource: str, _context: Context) -> str:
    return (
        f"User: {caller} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )
