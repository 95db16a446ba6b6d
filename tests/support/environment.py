"""Which variables a function may read: the settings that its handler reaches through the wiring, by the source text."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from pathlib import Path

from creditmesh.platform import idempotency, wiring
from creditmesh.platform.settings import Settings, variables

ROOT = Path(__file__).resolve().parents[2]
_BEHIND = {"model_keys": ("model_signing_key", "trusted_model_keys")}
"""Attributes that are made of others."""


def read_by(handler: str) -> set[str]:
    """The variables besides STAGE that a handler (`module.attribute`), or what it imports of `functions/`, may read."""
    found: set[str] = set()
    for path in _modules(handler.rpartition(".")[0]):
        tree = ast.parse(path.read_text("utf-8"))
        found |= _settings(tree)
        for name in _attributes(tree, "wiring"):
            found |= _through(name)
        if "creditmesh.platform.idempotency" in _imported(tree):
            found |= _settings(ast.parse(inspect.getsource(idempotency)))
        found |= {name.upper() for name in _environ(tree)}
    return found


def _modules(module: str) -> set[Path]:
    """The handler's module and every module of `functions/` that it imports, whichever way."""
    found: set[Path] = set()
    wanted = [module]
    while wanted:
        path = ROOT / "functions" / (wanted.pop().replace(".", "/") + ".py")
        if path.exists() and path not in found:
            found.add(path)
            wanted += _imported(ast.parse(path.read_text("utf-8")))
    return found


def _imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return names


@cache
def _functions() -> dict[str, ast.FunctionDef]:
    tree = ast.parse(inspect.getsource(wiring))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


@cache
def _through(name: str) -> frozenset[str]:
    """What a function of the wiring reads, with all that it names of the wiring, callbacks included."""
    seen: set[str] = set()
    wanted, found = [name], set()
    while wanted:
        one = wanted.pop()
        if one in seen or one not in _functions():
            continue
        seen.add(one)
        body = _functions()[one]
        found |= _settings(body)
        wanted += [node.id for node in ast.walk(body) if isinstance(node, ast.Name)]
    return frozenset(found)


def _settings(tree: ast.AST) -> set[str]:
    """Variables behind the attributes of `settings()` and of names bound to it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (_is_call(node.value) or _is_own(node.value, tree)):
            names |= set(_BEHIND.get(node.attr, (node.attr,)))
    assert names <= set(vars(Settings)), f"no settings: {names - set(vars(Settings))}"
    known = variables()
    return {known[name].name for name in names & set(known)} - {"STAGE"}


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "settings"


def _is_own(node: ast.AST, tree: ast.AST) -> bool:
    if not isinstance(node, ast.Name):
        return False
    bound = [one for one in ast.walk(tree) if isinstance(one, ast.Assign) and _is_call(one.value)]
    return any(isinstance(target, ast.Name) and target.id == node.id for one in bound for target in one.targets)


def _attributes(tree: ast.AST, module: str) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == module
    }


def _environ(tree: ast.AST) -> set[str]:
    """Constants in `os.environ["NAME"]` and `os.environ.get("NAME")`."""
    found = set()
    for node in ast.walk(tree):
        key = node.slice if isinstance(node, ast.Subscript) and _is_environ(node.value) else None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_environ(node.func.value):
            key = node.args[0] if node.func.attr == "get" and node.args else key
        if isinstance(key, ast.Constant):
            found.add(str(key.value))
    return found


def _is_environ(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "environ"
