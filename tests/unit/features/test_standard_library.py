"""What is shipped to Spark's workers imports nothing they have not got (DESIGN 1)."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import creditmesh

PACKAGE = Path(creditmesh.__file__).parent
SHIPPED = [
    PACKAGE / "__init__.py",
    *(PACKAGE / "kernel").glob("__init__.py"),
    PACKAGE / "kernel" / "errors.py",
    PACKAGE / "kernel" / "unread.py",
    *sorted((PACKAGE / "features").rglob("*.py")),
]
ALLOWED = ("creditmesh.features", "creditmesh.kernel.errors", "creditmesh.kernel.unread")


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, file
            names.add(node.module or "")
    return names


def test_only_the_standard_library_and_each_other() -> None:
    assert len(SHIPPED) > 30
    for file in SHIPPED:
        for name in imported(file):
            top = name.split(".")[0]
            spark = top == "pyspark" and file.name == "spark.py"
            assert spark or top in sys.stdlib_module_names or name.startswith(ALLOWED), (file.name, name)
