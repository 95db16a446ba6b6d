"""Parts of the template that are files of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def inlined(node: Any, folder: Path, parse: Callable[[str], Any]) -> Any:
    """The template with each local file that an ``AWS::Include`` transform names in the transform's place.

    CloudFormation does the same with files in S3, but the embedded cloud and SAM's library do not.

    Args:
        node: the template, or a part of it.
        folder: what the files' names are relative to.
        parse: reads a file's text.
    """
    if isinstance(node, list):
        return [inlined(one, folder, parse) for one in node]
    if not isinstance(node, dict):
        return node
    transform = node.get("Fn::Transform")
    if isinstance(transform, dict) and transform.get("Name") == "AWS::Include":
        location = transform["Parameters"]["Location"]
        return parse((folder / location).read_text(encoding="utf-8"))
    return {name: inlined(one, folder, parse) for name, one in node.items()}
