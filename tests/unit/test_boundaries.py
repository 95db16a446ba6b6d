"""A context imports of another what that one publishes, type-checking imports included; bootstraps join them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import creditmesh

PACKAGE = Path(creditmesh.__file__).parent
BELOW_ALL = {"kernel", "platform", "risk", "features"}
"""What every context may use whole."""
PUBLISHED = {
    "model",
    "ports",
    "moves",
    "notes",
    "scopes",
    "exceptions",
    "flow",
    "records",
    "terms",
    "postings",
    "transfers",
}
"""Pure values, and the protocols of what a context does for others."""
CONTEXTS = sorted(path.parent.name for path in PACKAGE.glob("*/bootstrap.py") if path.parent.name != "platform")
AWS = {"boto3", "botocore", "urllib3"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def files(context: str) -> list[Path]:
    return [path for path in sorted((PACKAGE / context).rglob("*.py")) if path.name != "bootstrap.py"]


@pytest.mark.parametrize("context", CONTEXTS)
def test_only_what_another_context_publishes(context: str) -> None:
    for path in files(context):
        for name in imported(path):
            package, _, rest = name.removeprefix("creditmesh.").partition(".")
            if name.startswith("creditmesh.") and package not in {context, *BELOW_ALL}:
                assert rest in PUBLISHED or (package, rest.split(".")[0]) == ("decisions", "serving"), (path, name)


@pytest.mark.parametrize("context", [*CONTEXTS, "kernel", "risk", "features"])
def test_neither_aws_nor_http_libraries(context: str) -> None:
    for path in files(context):
        assert AWS.isdisjoint(name.split(".")[0] for name in imported(path)), path


def test_there_are_contexts() -> None:
    assert {"authorization", "gateway", "intake", "decisions", "governance", "offers", "closing"} <= set(CONTEXTS)
