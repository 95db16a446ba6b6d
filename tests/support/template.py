"""template.yaml as data: read with CloudFormation's tags, transformed as SAM does, references resolved."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cloud.includes import inlined

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-1"
ACCOUNT = "123456789012"
PSEUDO = {
    "AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "creditmesh",
}  # fmt: skip


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _tag)


def source() -> dict[str, Any]:
    """The template as written; a fresh copy each time."""
    return deepcopy(_source())


@cache
def _source() -> dict[str, Any]:
    document = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=_Loader)
    assert isinstance(document, dict)
    return document


def transformed() -> dict[str, Any]:
    """The template as SAM hands it to CloudFormation; a fresh copy each time."""
    return deepcopy(_transformed())


@cache
def _transformed() -> dict[str, Any]:
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    document = inlined(source(), ROOT, yaml.safe_load)
    for resource in document["Resources"].values():
        for name in ("CodeUri", "ContentUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = "s3://packages/code.zip"
        if resource["Type"] == "AWS::Serverless::StateMachine":
            written = Path(resource["Properties"].pop("DefinitionUri")).name
            resource["Properties"]["Definition"] = definition(written.removesuffix(".asl.yaml"))
    document["Globals"]["Function"]["CodeUri"] = "s3://packages/code.zip"
    translator = Translator(managed_policy_map={}, sam_parser=Parser())
    done: dict[str, Any] = translator.translate(document, {"AWS::Region": REGION})
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


def resolve(value: Any, refs: Mapping[str, str]) -> Any:
    """A value with `Ref`, `Fn::GetAtt` and `Fn::Sub` filled in.

    Args:
        refs: logical id, `logical id.attribute`, parameter or pseudo parameter -> its value.
    """
    if isinstance(value, list):
        return [resolve(one, refs) for one in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) == {"Ref"}:
        return refs[value["Ref"]]
    if set(value) == {"Fn::GetAtt"}:
        return refs[".".join(value["Fn::GetAtt"])]
    if set(value) == {"Fn::Sub"}:
        return re.sub(r"\$\{([^}!]+)\}", lambda match: refs[match[1]], value["Fn::Sub"])
    return {name: resolve(inner, refs) for name, inner in value.items()}
