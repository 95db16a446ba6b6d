"""The Python libraries of Spark jobs on EMR: an archive per kind of job, from the lock.

``PYTHONPATH=local .venvs/cloud/bin/python -m aws.libraries`` builds them in ``build/emr/libraries/``. An archive is a
folder for ``sys.path``, not an environment: an arm64 interpreter cannot be built on another machine, and EMR has one.
Archives are reproducible, and their names contain the digest of their inputs.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aws.layer import WANTED, machine
from aws.target import Refused
from cloud.build import digest

LOCK = Path("locks") / "spark.txt"
# An interpreter of emr-spark-8.0.0 on arm64 (3.11, 3.12 and 3.13 exist; the jobs' settings choose), with a glibc for
# wheels of this platform.
PYTHON = "3.11"
_PLATFORM = ("--python-platform", "aarch64-manylinux_2_28", "--python-version", PYTHON)
# EMR's Spark has its own build of them.
_LEFT_OUT = frozenset({"py4j", "pyspark"})
# No job reads these.
_UNWANTED = frozenset({"tests", "include", "__pycache__"})
_UNWANTED_KINDS = frozenset({".pyi", ".h", ".hpp", ".pxd"})
_SERVICES = Path("botocore") / "data"


@dataclass(frozen=True)
class Archive:
    """The libraries of one kind of job."""

    name: str
    packages: frozenset[str] = frozenset()
    """Packages of the lock; empty means all but Spark's own."""
    services: frozenset[str] = frozenset()
    """AWS services whose descriptions botocore keeps; empty means all."""

    def requirements(self, lock: str) -> str:
        blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
        return "".join(block for block in blocks if self._takes(re.split(r"[=\[\s]", block, maxsplit=1)[0]))

    def _takes(self, package: str) -> bool:
        return package in self.packages if self.packages else package not in _LEFT_OUT

    def key(self, lock: Path) -> str:
        """Its key in the bucket of artefacts, and its path below ``build/``."""
        made_from = digest([Path(__file__)], f"{self.requirements(lock.read_text('utf-8'))}{self}")
        return f"emr/libraries/{self.name}-{made_from[:16]}.tar.gz"

    def drop(self, folder: Path) -> None:
        """Remove descriptions of services that the job does not call, which are most of botocore's size."""
        for path in (folder / _SERVICES).iterdir() if self.services else ():
            if path.is_dir() and path.name not in self.services:
                shutil.rmtree(path)


TRAINING = Archive("training")
# boto3 and its requirements: it is undocumented whether EMR's interpreter has it, and in which version.
SCORING = Archive(
    "scoring",
    packages=frozenset({"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"}),
    services=frozenset({"dynamodb", "kms", "s3", "sts"}),
)


def make(archive: Archive, root: Path, build: Path, lock: Path) -> Path:
    """Build the archive from ``lock``, wheels only, verified by hash; no effect if it exists.

    Args:
        root: the repository.
        build: the parent folder of the archive's key.
        lock: the requirements with their hashes.

    Raises:
        subprocess.CalledProcessError: a package could not be installed, or does not match the lock.
        Refused: it contains code of another architecture.
    """
    target = build / archive.key(lock)
    if target.exists():
        return target
    folder, chosen = target.parent / archive.name, target.parent / f"{archive.name}.txt"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    chosen.write_text(archive.requirements(lock.read_text("utf-8")))
    uv = str(root / ".venvs" / "uv" / "bin" / "uv")
    install = [uv, "pip", "install", "-q", "--target", str(folder), "--no-deps", "--require-hashes"]
    subprocess.run([*install, "--only-binary", ":all:", *_PLATFORM, "-r", str(chosen)], check=True)
    archive.drop(folder)
    for older in target.parent.glob(f"{archive.name}-*.tar.gz"):
        older.unlink()
    pack(folder, target)
    shutil.rmtree(folder)
    return target


def pack(folder: Path, target: Path) -> None:
    """Archive the needed files of ``folder``; sorted, without times and owners.

    Raises:
        Refused: it contains code of another architecture.
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


def uploads(root: Path) -> dict[str, Path]:
    """The archives of this checkout's lock by key, built if needed; prints their sizes."""
    lock, made = root / LOCK, dict[str, Path]()
    for archive in (TRAINING, SCORING):
        target = make(archive, root, root / "build", lock)
        size = target.stat().st_size / 1024 / 1024
        print(f"libraries for {archive.name}: {size:.0f} MB, Python {PYTHON}, {WANTED}", flush=True)
        made[archive.key(lock)] = target
    return made


def parameters(root: Path) -> dict[str, str]:
    lock = root / LOCK
    return {"TrainingLibraries": TRAINING.key(lock), "ScoringLibraries": SCORING.key(lock)}


if __name__ == "__main__":
    for path in uploads(Path(__file__).resolve().parents[2]).values():
        print(path)
