"""The template's parameters for a real account, from a file outside the repository, checked against the template."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from aws.target import Refused

SET_BY_DEPLOYMENT = ("Stage", "SparkCode", "TrainingLibraries", "ScoringLibraries")
_MOST_CHARACTERS = 4096  # CloudFormation's quota for a parameter's value
# For the embedded cloud only.
_LOCAL_ONLY = ("JwksUrlPrefix", "PublicUrlPrefix", "PublicUrlSuffix")


def read(path: Path | None) -> dict[str, str]:
    """Parameters of a JSON file: name → text, or a JSON document, which is passed on as text.

    Raises:
        Refused: the file is missing or malformed.
    """
    return {name: _text(value) for name, value in read_object(path).items()} if path else {}


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        Refused: missing or malformed.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise Refused(f"{path} cannot be read: {problem.strerror}.") from problem
    except ValueError as problem:
        raise Refused(f"{path} is not JSON: {problem}.") from problem
    if not isinstance(document, dict):
        raise Refused(f"{path} must hold one JSON object.")
    return document


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def complete(given: Mapping[str, str], stage: str, declared: Mapping[str, Any], partition: str) -> dict[str, str]:
    """Complete and check the stack's parameters.

    Args:
        given: from the file.
        stage: the stage.
        declared: the template's parameters.
        partition: ``aws``, ``aws-cn``, …

    Raises:
        Refused: a parameter is unknown, missing, for the embedded cloud only, has a forbidden value, or cannot work in
            this account.
    """
    for name, value in given.items():
        if name in _LOCAL_ONLY:
            raise Refused(f"Parameter {name} is for the embedded cloud; AWS knows its own addresses.")
        if name not in declared:
            raise Refused(f"template.yaml has no parameter {name}.{_meant(name, declared)}")
        _check_value(name, value, declared[name])
    for name, declaration in declared.items():
        if "Default" not in declaration and name not in given and name not in SET_BY_DEPLOYMENT:
            raise Refused(f"Parameter {name} is needed and has no default; name it in PARAMETERS=file.json.")
    if given.get("Stage", stage) != stage:
        raise Refused(f"The parameters say Stage={given['Stage']}, the command says STAGE={stage}.")
    if (zone := given.get("BusinessZone")) and zone not in available_timezones():
        raise Refused(f"Parameter BusinessZone must be an IANA time zone such as Asia/Shanghai, not «{zone}».")
    if partition == "aws-cn" and not given.get("OidcIssuer"):
        raise Refused("Mainland China has no Cognito user pools: set OidcIssuer and OidcAudience.")
    if given.get("OidcIssuer") and not given.get("OidcAudience"):
        raise Refused("OidcIssuer needs OidcAudience.")
    return {**given, "Stage": stage}


def _meant(name: str, declared: Mapping[str, Any]) -> str:
    close = get_close_matches(name, declared, n=1)
    return f" Is {close[0]} meant?" if close else ""


def _check_value(name: str, value: str, declaration: Mapping[str, Any]) -> None:
    """Faults that CloudFormation would report later, when the stack is created."""
    if declaration.get("Type") == "Number":
        try:
            number = float(value)
        except ValueError:
            raise Refused(f"Parameter {name} must be a number, not «{value}».") from None
        least, most = declaration.get("MinValue", number), declaration.get("MaxValue", number)
        if not float(least) <= number <= float(most):
            limits = [("at least", "MinValue"), ("at most", "MaxValue")]
            said = " and ".join(f"{words} {declaration[limit]}" for words, limit in limits if limit in declaration)
            raise Refused(f"Parameter {name} must be {said}, not {value}.")
    least, most = declaration.get("MinLength", 0), declaration.get("MaxLength", _MOST_CHARACTERS)
    if not int(least) <= len(value) <= int(most):
        raise Refused(f"Parameter {name} has {len(value)} characters; CloudFormation takes {least} to {most}.")
    allowed = declaration.get("AllowedValues")
    if allowed and value not in [str(one) for one in allowed]:
        raise Refused(f"Parameter {name} must be one of {', '.join(map(str, allowed))}, not «{value}».")
    pattern = declaration.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        raise Refused(f"Parameter {name} must match {pattern}, not be «{value}».")
