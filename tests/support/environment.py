"""Which variables a function may read: the settings that its handler reaches through the bootstraps, by the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from creditmesh.platform.settings import Settings, variables

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "layers" / "creditmesh" / "src"
_BEHIND = {"model_keys": ("model_signing_key", "trusted_model_keys")}
"""Attributes that are made of others."""
_PLATFORM = "creditmesh.platform.bootstrap"
_SHARED = ("creditmesh.platform.idempotency", "creditmesh.platform.failed_records")
"""Modules of the platform that read settings by themselves."""

Made = tuple[str, str]
"""What a bootstrap makes: its module and the name there."""


def read_by(handler: str) -> set[str]:
    """The variables besides STAGE that a handler (`module.attribute`), or what it imports of `functions/`, may read."""
    found: set[str] = set()
    wanted: list[Made] = []
    for path in _modules(handler.rpartition(".")[0]):
        tree = _tree(path)
        found |= _settings(tree) | {name.upper() for name in _environ(tree)}
        wanted += _named(tree, tree)
        for shared in set(_SHARED) & set(_imported(tree)):
            wanted += _named(its := _tree(_file(shared)), its)
            found |= _settings(its)
    seen: set[Made] = set()
    while wanted:
        one = wanted.pop()
        if one not in seen and (body := _makers(one[0]).get(one[1])):
            seen.add(one)
            found |= _settings(body)
            wanted += _named(body, _tree(_file(one[0])), one[0])
    return found


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _file(module: str) -> Path:
    return PACKAGE / (module.replace(".", "/") + ".py")


def _modules(module: str) -> set[Path]:
    """The handler's module and every module of `functions/` that it imports, whichever way."""
    found: set[Path] = set()
    wanted = [module]
    while wanted:
        path = ROOT / "functions" / (wanted.pop().replace(".", "/") + ".py")
        if path.exists() and path not in found:
            found.add(path)
            wanted += _imported(_tree(path))
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
def _makers(module: str) -> dict[str, ast.FunctionDef]:
    """What makes the parts of a bootstrap; those of the platform are methods."""
    body = _tree(_file(module)).body
    if module == _PLATFORM:
        body = next(node.body for node in body if isinstance(node, ast.ClassDef))
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def _named(body: ast.AST, tree: ast.Module, module: str = "") -> Iterator[Made]:
    """What a piece of a module takes from bootstraps: names imported or of its own, parts of `platform()`."""
    origin = {name: (module, name) for name in _makers(module)} if module else {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).endswith(".bootstrap"):
            origin |= {one.asname or one.name: (str(node.module), one.name) for one in node.names}
    whole = {name for name in _bound(body) if name != "self"}
    for node in ast.walk(body):
        if isinstance(node, ast.Name) and node.id in origin:
            yield origin[node.id]
        elif isinstance(node, ast.Attribute) and (
            _calls(node.value, "platform") or (isinstance(node.value, ast.Name) and node.value.id in {*whole, "self"})
        ):
            yield _PLATFORM, node.attr


def _bound(tree: ast.AST) -> Iterator[str]:
    """Names bound to the whole platform."""
    return _names_of(tree, "platform")


def _names_of(tree: ast.AST, maker: str) -> Iterator[str]:
    """Names bound to what `maker()` returns, alone or in a tuple."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            yield from (one.id for one, value in pairs if isinstance(one, ast.Name) and _calls(value, maker))


def _settings(tree: ast.AST) -> set[str]:
    """Variables behind the attributes of `settings()` and of names bound to it."""
    own = set(_names_of(tree, "settings"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (
            _calls(node.value, "settings") or (isinstance(node.value, ast.Name) and node.value.id in own)
        ):
            names |= set(_BEHIND.get(node.attr, (node.attr,)))
    assert names <= set(vars(Settings)), f"no settings: {names - set(vars(Settings))}"
    known = variables()
    return {known[name].name for name in names & set(known)} - {"STAGE", "BUSINESS_ZONE", "COUNTRY"}


def _calls(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


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
