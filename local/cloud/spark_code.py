"""The code of the Spark jobs in the bucket of artefacts, each version under the digest of its content.

``emr/<digest>/jobs/*.py`` and ``emr/<digest>/creditmesh-spark.zip``. The template parameter ``SparkCode`` is the
digest, so new code is a change of the stack, and rolling back the stack returns to code that is still there.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cloud import build

PARAMETER = "SparkCode"
KEPT = 5
"""Number of versions kept besides those in use."""

_PARTS = ("kernel", "risk", "features", "decisions/serving")
"""What jobs import of the package; on EMR Serverless they run without the layer's libraries."""
_VERSION = re.compile(r"emr/([0-9a-f]{16})/")
_AT_ONCE = 1000  # limit of DeleteObjects


@dataclass(frozen=True)
class SparkCode:
    """One version of the code: its digest and its files by key."""

    digest: str
    files: dict[str, Path]


def collect(root: Path, build_dir: Path) -> SparkCode:
    """Collect the code of this checkout; the jobs' imports become one archive.

    Args:
        root: the repository.
        build_dir: where the archive is made.
    """
    names = {f"jobs/{path.name}": path for path in sorted((root / "emr" / "jobs").glob("*.py"))}
    names["creditmesh-spark.zip"] = jobs_archive(root, build_dir)
    digest = build.digest(names.values())[:16]
    return SparkCode(digest, {f"emr/{digest}/{name}": path for name, path in names.items()})


def jobs_archive(root: Path, build_dir: Path) -> Path:
    """The jobs' imports as an archive for --py-files."""
    source = root / "layers" / "creditmesh" / "src" / "creditmesh"
    staging = build_dir / "spark"
    shutil.rmtree(staging, ignore_errors=True)
    for part in _PARTS:
        shutil.copytree(source / part, staging / "creditmesh" / part, ignore=shutil.ignore_patterns("__pycache__"))
    training = root / "emr" / "training"
    shutil.copytree(training, staging / "training", ignore=shutil.ignore_patterns("__pycache__", "data"))
    for package in {"", *(part.rpartition("/")[0] for part in _PARTS)}:
        shutil.copy(source / package / "__init__.py", staging / "creditmesh" / package / "__init__.py")
    target = build_dir / "creditmesh-spark.zip"
    build.archive(staging, target)
    return target


def prune(storage: Any, bucket: str, in_use: Collection[str]) -> list[str]:
    """Delete all but the newest versions.

    Args:
        storage: a boto3 client of S3.
        bucket: the bucket of artefacts.
        in_use: digests to keep regardless of age.

    Returns:
        The deleted digests.
    """
    keys: dict[str, list[str]] = {}
    newest: dict[str, datetime] = {}
    for page in storage.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="emr/"):
        for entry in page.get("Contents", []):
            if version := _VERSION.match(entry["Key"]):
                keys.setdefault(version[1], []).append(entry["Key"])
                newest[version[1]] = max(entry["LastModified"], newest.get(version[1], entry["LastModified"]))
    old = sorted((digest for digest in keys if digest not in in_use), key=lambda digest: newest[digest])
    doomed = old[: max(0, len(old) - KEPT)]
    unwanted = [{"Key": key} for digest in doomed for key in keys[digest]]
    for start in range(0, len(unwanted), _AT_ONCE):
        storage.delete_objects(Bucket=bucket, Delete={"Objects": unwanted[start : start + _AT_ONCE], "Quiet": True})
    return doomed
