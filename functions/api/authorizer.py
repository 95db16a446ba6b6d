"""REQUEST authoriser of the REST API: a bearer token in, a policy with the caller's role and tenant out.

API Gateway caches the answer for the same `Authorization` header for a few minutes, so the policy allows every route of
the stage. The routes check roles and answer with problem documents.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from creditmesh.platform.bootstrap import platform
from creditmesh.platform.observability import LambdaContext, logger
from creditmesh.platform.tokens import Issuer, KeySet, TokenRefused, Verifier


class Unauthorized(Exception):  # API Gateway answers 401 only if the message is this word
    """The request carries no valid token."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


@cache
def verifier() -> Verifier:
    """The token verifier for the environment; without an issuer it accepts guests only."""
    return Verifier(
        lambda: platform().guest_keys, [KeySet(issuer, platform().http) for issuer in Issuer.from_environment()]
    )


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the caller's policy and context.

    Raises:
        Unauthorized: API Gateway answers 401.
        InstitutionUnavailable: the issuer's keys are unavailable; API Gateway answers 500.
    """
    try:
        caller = verifier().caller(_bearer(event))
    except TokenRefused:
        logger.info("a token was refused")
        raise Unauthorized from None
    stage = "/".join(str(event["methodArn"]).split("/")[:2])
    return {
        "principalId": caller.subject,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{stage}/*"}],
        },
        "context": {"subject": caller.subject, "role": caller.role.value, "tenant": caller.tenant},
    }


def _bearer(event: dict[str, Any]) -> str:
    headers = {name.lower(): text for name, text in (event.get("headers") or {}).items()}
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenRefused("no bearer token")
    return str(token.strip())
