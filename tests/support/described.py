"""Holds answers of the API to its served description: status, format, headers, body, and the codes of problems."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from api import openapi
from api.app import app
from creditmesh.platform.web import SECURITY_HEADERS

SERVER = "https://api.test/prod"
DOCUMENT = openapi.document(app, SERVER)
ALWAYS = {*SECURITY_HEADERS, "content-type", "content-length"}
PAGES = {"access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers"}
"""What answers carry where the installation serves pages of another origin."""


def undescribed(method: str, path: str, status: int, headers: Mapping[str, str], body: str) -> str | None:
    """What the description lacks of an answer; None if it is as described.

    Args:
        path: the route, with its placeholders.
    """
    operation = DOCUMENT["paths"].get(path, {}).get(method.lower())
    if operation is None:
        return None
    answer = operation["responses"].get(str(status))
    if answer is None:
        return f"status {status}"
    lower = {name.lower(): text for name, text in headers.items()}
    known = {name.lower() for name in answer.get("headers", {})}
    if unknown := lower.keys() - known - ALWAYS - PAGES:
        return f"headers {sorted(unknown)} of {status}"
    required = {name.lower() for name, one in answer.get("headers", {}).items() if one["required"]}
    if missing := required - lower.keys():
        return f"answers {status} without {sorted(missing)}"
    if not body:
        return "an empty body" if "content" in answer else None
    media = lower["content-type"].partition(";")[0]
    if media not in answer.get("content", {}):
        return f"{media} for {status}"
    if not media.endswith("json"):
        return None
    faults = validator(path, method.lower(), str(status), media).iter_errors(json.loads(body))
    return next((f"{'.'.join(map(str, one.instance_path))}: {one.message}" for one in faults), None)


@cache
def validator(path: str, method: str, status: str, media: str) -> Draft202012Validator:
    """The schema of an answer."""
    schema = DOCUMENT["paths"][path][method]["responses"][status]["content"][media].get("schema", {})
    return of_schema(schema)


def of_schema(schema: dict[str, Any]) -> Draft202012Validator:
    """A schema of the description, with what it refers to."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


PROBLEM_SCHEMA = of_schema({"$ref": "#/components/schemas/Problem"})
