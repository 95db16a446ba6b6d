"""What a function loads when it starts: the SDK, and little besides its own context."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from tests.support import template

MOST = 245
"""Modules besides those of boto3, which alone brings some 345 with it; a wiring that knows every context took 400."""
JOINS = {
    "closing.receive_webhook": {"gateway"},  # sources' late answers come by webhook, too
    "gateway.collect_credit_data": {"intake"},
    "intake.queue_for_operator": {"closing"},  # the lender may have answered meanwhile
}
"""Functions that call another context than their own, and which."""

SCRIPT = """
import importlib, json, os, sys
import boto3
sdk = set(sys.modules)
found = {}
for name in json.loads(sys.argv[1]):
    read, write = os.pipe()
    if not os.fork():
        importlib.import_module(name)
        os.write(write, json.dumps(sorted(set(sys.modules) - sdk)).encode())
        os._exit(0)
    os.close(write)
    with open(read) as pipe:
        found[name] = json.load(pipe)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """The modules each handler loads besides the SDK, by the handler's module."""
    functions = [
        one["Properties"]["Handler"].rpartition(".")[0]
        for one in template.source()["Resources"].values() if one["Type"] == "AWS::Serverless::Function"
    ]  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(functions)],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    found: dict[str, list[str]] = json.loads(ran.stdout)
    return found


def test_no_function_but_the_api_loads_many_modules(loaded: dict[str, list[str]]) -> None:
    counted = {name: len(modules) for name, modules in loaded.items() if name != "api.app"}
    assert len(counted) > 25
    assert {name: count for name, count in counted.items() if count > MOST} == {}


def test_a_function_calls_its_own_context() -> None:
    folder = template.ROOT / "functions"
    for path in sorted(folder.glob("*/*.py")):
        context = path.parent.name
        if context == "api":
            continue
        wired = set(re.findall(r"from creditmesh\.(\w+)\.bootstrap import", path.read_text("utf-8"))) - {"platform"}
        assert wired - {context} == JOINS.get(f"{context}.{path.stem}", set()), path
