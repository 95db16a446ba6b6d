"""The layer's byte-code: which interpreter compiles it, by which recipe, and what comes of it where Python 3.13 is."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from aws import layer
from cloud import build

UNCHECKED_HASH = 0b01
READ = """
import importlib.util, marshal, sys
content = open(sys.argv[1], "rb").read()
assert content[:4] == importlib.util.MAGIC_NUMBER
print(int.from_bytes(content[4:8], "little"), marshal.loads(content[16:]).co_filename)
"""


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A layer's folder with a module, one in a package, and one that does not compile."""
    folder = tmp_path / "layer" / "python"
    (folder / "creditmesh" / "risk").mkdir(parents=True)
    (folder / "single.py").write_text("ONE = 1\n")
    (folder / "creditmesh" / "risk" / "score.py").write_text("def score() -> int:\n    return 1\n")
    (folder / "creditmesh" / "template.py").write_text("{{ no python }} :\n")
    return folder


def test_an_interpreter_of_the_version_is_found_behind_broken_shims(tmp_path: Path) -> None:
    shim = script(tmp_path / "shim", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    other = script(tmp_path / "other", "echo cpython-312")
    right = script(tmp_path / "right", "echo cpython-313")
    later = script(tmp_path / "later", "echo cpython-313")
    missing = str(tmp_path / "missing")
    assert build.first_of_tag([missing, shim, other, right, later], "cpython-313") == right
    assert build.first_of_tag([missing, shim, other], "cpython-313") is None


def test_the_recipe(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths as on Lambda, no look at the source's time, beside the sources whatever this process does with its own."""
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    python = script(tmp_path / "python", f'printf "%s\\n" "$@" > {tmp_path}/arguments; env > {tmp_path}/environment')
    build.compile_packages(packages, python)
    given = (tmp_path / "arguments").read_text().splitlines()
    assert given[:2] == ["-m", "compileall"]
    assert given[given.index("-s") + 1] == str(packages)
    assert given[given.index("-p") + 1] == "/opt/python"
    assert given[given.index("--invalidation-mode") + 1] == "unchecked-hash"
    assert given[-1] == str(packages)
    environment = (tmp_path / "environment").read_text()
    assert "PYTHONPYCACHEPREFIX" not in environment
    assert "PYTHONDONTWRITEBYTECODE" not in environment


@pytest.mark.parametrize("version", ["this", "3.13"])
def test_the_byte_code_is_taken_as_it_is(packages: Path, version: str) -> None:
    python = sys.executable if version == "this" else build.stage_python()
    if python is None:
        pytest.skip("no Python 3.13 on this machine")
    build.compile_packages(packages, python)
    tag = sys.implementation.cache_tag if version == "this" else "cpython-313"
    compiled = {str(path.relative_to(packages)) for path in packages.rglob("*.pyc")}
    assert compiled == {f"__pycache__/single.{tag}.pyc", f"creditmesh/risk/__pycache__/score.{tag}.pyc"}
    for name in compiled:
        done = subprocess.run([python, "-c", READ, str(packages / name)], capture_output=True, text=True, check=True)
        flags, place = done.stdout.split()
        assert int(flags) == UNCHECKED_HASH
        module = name.replace("__pycache__/", "").replace(f".{tag}.pyc", ".py")
        assert place == f"/opt/python/{module}"
    # The unpacked source has another time, and is not even looked at.
    source = packages / "single.py"
    source.write_text("raise SystemExit('compiled again')\n")
    os.utime(source, (0, 0))
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run([python, "-c", "import single; assert single.ONE == 1"], env=clean, cwd=packages, check=True)


def test_the_layer_says_whether_it_has_byte_code(packages: Path) -> None:
    assert "no byte-code (no Python 3.13 on this machine)" in str(layer.check(packages))
    build.compile_packages(packages, sys.executable)
    assert "byte-code of 2 modules" in str(layer.check(packages))


def test_a_layer_for_aws_is_compiled_where_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the recipe's own steps, on a small repository without dependencies."""
    root = tmp_path / "root"
    source = root / "layers" / "creditmesh" / "src" / "creditmesh"
    source.mkdir(parents=True)
    (source / "__init__.py").write_text("")
    (root / "locks").mkdir()
    (root / "locks" / "layer.txt").write_text("")
    uv = root / ".venvs" / "uv" / "bin"
    uv.mkdir(parents=True)
    script(uv / "uv", "exit 0")
    asked: list[str] = []
    monkeypatch.setattr(build, "compile_packages", lambda _packages, python: asked.append(python))
    for found in (None, "/somewhere/python3.13", "/somewhere/python3.13"):
        monkeypatch.setattr(build, "stage_python", lambda found=found: found)
        build.layer(root, tmp_path / "layer", stage=True)
    assert asked == ["/somewhere/python3.13"], "built again once there is an interpreter, and then not again"
