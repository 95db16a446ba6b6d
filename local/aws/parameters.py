"""The template's parameters for a real account: from a file outside the repository, checked against the template."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aws.target import Refused

# What exists for the embedded cloud only.
_LOCAL_ONLY = ("JwksUrlPrefix", "PublicUrlPrefix", "PublicUrlSuffix")


def read(path: Path | None) -> dict[str, str]:
    """Parameters of a JSON file: name to text, or to a JSON document, which is passed on as text.

    Raises:
        Refused: the file is missing or malformed.
    """
    if path is None:
        return {}
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise Refused(f"The parameters in {path} cannot be read: {problem.strerror}.") from problem
    except ValueError as problem:
        raise Refused(f"{path} is not JSON: {problem}.") from problem
    if not isinstance(document, dict):
        raise Refused(f"{path} must hold one JSON object, parameter names to values.")
    return {name: _text(value) for name, value in document.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def complete(given: Mapping[str, str], stage: str, declared: Mapping[str, Any], partition: str) -> dict[str, str]:
    """What the stack is told.

    Args:
        given: from the file.
        stage: the stage.
        declared: the template's parameters.
        partition: ``aws``, ``aws-cn``, …

    Raises:
        Refused: a parameter is unknown, belongs to the embedded cloud, or cannot work in this account.
    """
    for name in given:
        if name in _LOCAL_ONLY:
            raise Refused(f"Parameter {name} is for the embedded cloud; AWS knows its own addresses.")
        if name not in declared:
            raise Refused(f"template.yaml has no parameter {name}.")
    if given.get("Stage", stage) != stage:
        raise Refused(f"The parameters say Stage={given['Stage']}, the command says STAGE={stage}.")
    if partition == "aws-cn" and not given.get("OidcIssuer"):
        raise Refused("Mainland China has no Cognito user pools: set OidcIssuer and OidcAudience (DESIGN 14).")
    if given.get("OidcIssuer") and not given.get("OidcAudience"):
        raise Refused("OidcIssuer needs OidcAudience.")
    _check_institutions(given.get("Institutions", "{}"))
    return {**given, "Stage": stage}


def _check_institutions(text: str) -> None:
    try:
        known = json.loads(text)
    except ValueError as problem:
        raise Refused(f"Parameter Institutions is not JSON: {problem}.") from problem
    for name, one in known.items():
        address = urlsplit(str(one.get("base_url", "")))
        if address.scheme != "https" or not address.hostname:
            raise Refused(f"Institution {name} needs a base_url with https; personal data goes there.")
