"""template.yaml as data: read with CloudFormation's tags, transformed as SAM does, references resolved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cloud.template import inlined, parse

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
ACCOUNT = "123456789012"
PSEUDO = {
    "AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "creditmesh",
}  # fmt: skip


NO_VALUE = object()
"""What a property resolves to that is to be left out."""


def source() -> dict[str, Any]:
    """The template as written; a fresh copy each time."""
    return deepcopy(_source())


@cache
def _source() -> dict[str, Any]:
    document = parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def transformed(region: str = REGION, **parameters: str) -> dict[str, Any]:
    """The template as SAM hands it to CloudFormation; a fresh copy each time.

    Args:
        region: where it is deployed; SAM writes the partition of it into what it adds.
        parameters: values that differ from the template's defaults.
    """
    return deepcopy(_transformed(region, tuple(sorted(parameters.items()))))


@cache
def _transformed(region: str, parameters: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    import boto3
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    document = inlined(source(), ROOT)
    for resource in document["Resources"].values():
        for name in ("CodeUri", "ContentUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = "s3://packages/code.zip"
        if resource["Type"] == "AWS::Serverless::StateMachine":
            written = Path(resource["Properties"].pop("DefinitionUri")).name
            resource["Properties"]["Definition"] = definition(written.removesuffix(".asl.yaml"))
    document["Globals"]["Function"]["CodeUri"] = "s3://packages/code.zip"
    translator = Translator({}, sam_parser=Parser(), boto_session=boto3.Session(region_name=region))
    done: dict[str, Any] = translator.translate(document, dict(parameters))
    # What the translator shares between resources is told apart again.
    return dict(json.loads(json.dumps(done)))


def definition(process: str = "loan_origination") -> dict[str, Any]:
    """A process as written, with its placeholders."""
    text = (ROOT / "stepfunctions" / f"{process}.asl.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def of_type(document: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The properties of all resources of a type, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in document["Resources"].items()
        if resource["Type"] == kind
    }


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value inside a document with its path, the document itself included."""
    yield path, value
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from walk(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from walk(inner, f"{path}[{number}]")


def resolve(value: Any, refs: Mapping[str, Any], conditions: Mapping[str, bool] | None = None) -> Any:
    """A value with its intrinsic functions filled in; what is `AWS::NoValue` is left out.

    Args:
        refs: logical id, `logical id.attribute`, parameter or pseudo parameter -> its value.
        conditions: the template's conditions, needed where `Fn::If` is used.
    """

    def inner(one: Any) -> Any:
        return resolve(one, refs, conditions)

    if isinstance(value, list):
        return [one for one in map(inner, value) if one is not NO_VALUE]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((name, given),) = value.items()
        if name == "Ref":
            return NO_VALUE if given == "AWS::NoValue" else refs[given]
        if name == "Fn::GetAtt":
            return refs[given if isinstance(given, str) else ".".join(given)]
        if name == "Fn::Sub":
            text, more = (given, {}) if isinstance(given, str) else (given[0], inner(given[1]))
            return re.sub(
                r"\$\{([^}!]+)\}", lambda match: str(more[match[1]] if match[1] in more else refs[match[1]]), text
            )
        if name == "Fn::Join":
            return given[0].join(map(str, inner(given[1])))
        if name == "Fn::If" and conditions is not None:
            return inner(given[1] if conditions[given[0]] else given[2])
    done = {name: inner(one) for name, one in value.items()}
    return {name: one for name, one in done.items() if one is not NO_VALUE}


def holds(condition: Any, refs: Mapping[str, Any], conditions: Mapping[str, Any]) -> bool:
    """Whether a condition of the template holds.

    Args:
        conditions: all of the template's, for those that name others.
    """
    ((name, given),) = condition.items()
    if name == "Condition":
        return holds(conditions[given], refs, conditions)
    if name == "Fn::Equals":
        left, right = resolve(given, refs)
        return bool(str(left) == str(right))
    parts = [holds(one, refs, conditions) for one in given]
    return {"Fn::And": all(parts), "Fn::Or": any(parts), "Fn::Not": not parts[0]}[name]
