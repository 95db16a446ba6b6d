"""The Python libraries that training takes along to EMR: one archive, from the lock (docs/self-learning.md).

``PYTHONPATH=local .venvs/cloud/bin/python -m aws.libraries`` makes ``build/emr/training-libs.tar.gz``. It holds what
``sys.path`` needs, not an environment: an interpreter of arm64 cannot be made on another machine, and EMR has one.
Archives are reproducible: the same lock gives the same bytes.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from aws.layer import WANTED, machine
from aws.target import Refused
from cloud.build import digest

KEY = "emr/training-libs.tar.gz"
"""Where it lies in the bucket of artefacts; the template's parameter TrainingLibraries."""

# What emr-spark-8.0.0 has on arm64 (3.11, 3.12 and 3.13 are there; the template says which one runs), on a glibc that
# takes wheels of this platform.
PYTHON = "3.11"
_PLATFORM = ("--python-platform", "aarch64-manylinux_2_28", "--python-version", PYTHON)
# EMR's Spark brings its own build of them.
_LEFT_OUT = frozenset({"py4j", "pyspark"})
# No job reads these.
_UNWANTED = frozenset({"tests", "include", "__pycache__"})
_UNWANTED_KINDS = frozenset({".pyi", ".h", ".hpp", ".pxd"})


def requirements(lock: str) -> str:
    """The lock without what jobs on EMR must not take along."""
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
    return "".join(block for block in blocks if re.split(r"[=\[\s]", block, maxsplit=1)[0] not in _LEFT_OUT)


def build(root: Path, target: Path, lock: Path) -> bool:
    """Make ``target`` from ``lock``, wheels only, checked by hash.

    Args:
        root: the repository.
        target: the archive.
        lock: the requirements with their hashes.

    Returns:
        False if it was up to date.

    Raises:
        subprocess.CalledProcessError: a package could not be installed, or is not what the lock says.
        Refused: there is code of another machine in it.
    """
    stamp, wanted = target.with_suffix(".stamp"), digest([lock, Path(__file__)])
    if target.exists() and stamp.exists() and stamp.read_text() == wanted:
        return False
    folder, chosen = target.parent / "libraries", target.parent / "requirements.txt"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    chosen.write_text(requirements(lock.read_text("utf-8")))
    uv = str(root / ".venvs" / "uv" / "bin" / "uv")
    install = [uv, "pip", "install", "-q", "--target", str(folder), "--no-deps", "--require-hashes"]
    subprocess.run([*install, "--only-binary", ":all:", *_PLATFORM, "-r", str(chosen)], check=True)
    pack(folder, target)
    shutil.rmtree(folder)
    stamp.write_text(wanted)
    return True


def pack(folder: Path, target: Path) -> None:
    """Archive what a job needs of ``folder``; names sorted, no times, no owners.

    Raises:
        Refused: there is code of another machine in it.
    """
    unfinished = target.with_suffix(".part")
    with (
        unfinished.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in _wanted(folder):
            kind = machine(path)
            if kind not in (None, WANTED):
                raise Refused(f"{path.relative_to(folder)} is for {kind}, EMR runs {WANTED}.")
            entry = tarfile.TarInfo(str(path.relative_to(folder)))
            entry.size, entry.mode = path.stat().st_size, 0o755
            with path.open("rb") as content:
                archive.addfile(entry, content)
    unfinished.replace(target)


def _wanted(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        *above, name = path.relative_to(folder).parts
        unwanted = name == ".lock" or path.suffix in _UNWANTED_KINDS or not _UNWANTED.isdisjoint(above)
        if path.is_file() and not unwanted:
            yield path


def training_libraries(root: Path) -> Path:
    """The archive of this checkout's lock, made if need be; says how large it is."""
    target = root / "build" / KEY
    build(root, target, root / "locks" / "spark.txt")
    size = target.stat().st_size / 1024 / 1024
    print(f"libraries for training: {size:.0f} MB, Python {PYTHON}, {WANTED}", flush=True)
    return target


if __name__ == "__main__":
    print(training_libraries(Path(__file__).resolve().parents[2]))
