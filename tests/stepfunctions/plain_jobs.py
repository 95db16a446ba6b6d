"""Job runs without a JVM: processes are tested here, that a run is a real spark-submit is in tests/contract/cloud."""

from __future__ import annotations

from pathlib import Path

from tests.contract.cloud.clouds import ROOT

# spark-submit [options] entry.py arguments: Python runs the entry point.
_SUBMIT = """#!{python}
import os, sys
entry = next(i for i, word in enumerate(sys.argv) if i and word.endswith(".py"))
os.execv("{python}", ["{python}", *sys.argv[entry:]])
"""


def spark_venv(directory: Path) -> Path:
    """The environment of Spark, but for a ``spark-submit`` that runs the entry point by itself.

    A JVM's start is most of what a small job costs.
    """
    (real,) = (ROOT / ".venvs" / "spark").glob("lib/python3*/site-packages")
    packages = directory / real.relative_to(ROOT / ".venvs" / "spark")
    packages.mkdir(parents=True)
    for path in real.iterdir():
        if path.name != "pyspark":
            (packages / path.name).symlink_to(path)
    (directory / "bin").mkdir()
    python = ROOT / ".venvs" / "spark" / "bin" / "python"
    (directory / "bin" / "python").symlink_to(python)
    submit = packages / "pyspark" / "bin" / "spark-submit"
    submit.parent.mkdir(parents=True)
    submit.write_text(_SUBMIT.replace("{python}", str(python)), encoding="utf-8")
    submit.chmod(0o755)
    return directory
