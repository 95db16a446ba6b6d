"""A CloudFormation template as data, and the packaging of its local files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

_IN_FILES = ("CodeUri", "ContentUri", "DefinitionUri")
"""Properties with a local file or folder, or an object in S3."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with CloudFormation's short forms; dates stay text, and repeated keys are refused."""

    yaml_implicit_resolvers = {
        first: [resolver for resolver in resolvers if resolver[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise yaml.constructor.ConstructorError(problem=f"{key.value} is repeated", problem_mark=key.start_mark)
        super().flatten_mapping(node)


def _short_form(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)


def parse(text: str) -> Any:
    """A template or part of one as plain data with the long forms of intrinsic functions."""
    return yaml.load(text, Loader=_Loader)


def inlined(node: Any, folder: Path) -> Any:
    """Replace each ``AWS::Include`` transform by the local file that it names.

    CloudFormation does the same with files in S3, but the embedded cloud and SAM's library do not.

    Args:
        node: the template, or a part of it.
        folder: base of relative file names.
    """
    if isinstance(node, list):
        return [inlined(one, folder) for one in node]
    if not isinstance(node, dict):
        return node
    transform = node.get("Fn::Transform")
    if isinstance(transform, dict) and transform.get("Name") == "AWS::Include":
        return parse((folder / transform["Parameters"]["Location"]).read_text(encoding="utf-8"))
    return {name: inlined(one, folder) for name, one in node.items()}


def packaged(template: Path, store: Callable[[Path], str]) -> dict[str, Any]:
    """The template as CloudFormation accepts it.

    Args:
        template: the file.
        store: uploads a file or a folder and returns its location (``s3://…``).
    """
    document: dict[str, Any] = inlined(parse(template.read_text(encoding="utf-8")), template.parent)
    shared = ((document.get("Globals") or {}).get("Function") or {}).pop("CodeUri", None)
    for resource in document["Resources"].values():
        properties = resource.get("Properties") or {}
        if resource["Type"] == "AWS::Serverless::Function" and "InlineCode" not in properties:
            properties.setdefault("CodeUri", shared)
        for name in _IN_FILES:
            path = properties.get(name)
            if isinstance(path, str) and not path.startswith("s3://"):
                properties[name] = store(template.parent / path)
    return document
