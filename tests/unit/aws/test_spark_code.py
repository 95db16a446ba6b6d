"""The Spark jobs' code under its digest: what it is made of, and what is forgotten of earlier versions."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cloud import spark_code
from creditmesh.decisions.scoring_job import resident_job
from tests.support import template

ROOT = template.ROOT
PARTS = ("jobs/score_applications.py", "creditmesh-spark.zip")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small repository with a job, a trainer and the packages that jobs import."""
    package = tmp_path / "layers" / "creditmesh" / "src" / "creditmesh"
    for part in ("kernel", "risk", "features", "gateway", "decisions/serving", "decisions", ""):
        (package / part).mkdir(parents=True, exist_ok=True)
        (package / part / "__init__.py").write_text("")
    for part in ("jobs", "training"):
        (tmp_path / "emr" / part).mkdir(parents=True)
        (tmp_path / "emr" / part / "one.py").write_text("1")
    return tmp_path


def test_the_key_is_the_digest_of_jobs_and_of_what_they_import(checkout: Path, tmp_path: Path) -> None:
    first = spark_code.collect(checkout, tmp_path / "build")
    assert set(first.files) == {f"emr/{first.digest}/{name}" for name in ("jobs/one.py", "creditmesh-spark.zip")}
    assert spark_code.collect(checkout, tmp_path / "build") == first
    seen = {first.digest}
    package = checkout / "layers/creditmesh/src/creditmesh"
    for path in (checkout / "emr/jobs/one.py", package / "risk/new.py", checkout / "emr/training/one.py"):
        path.write_text("2")
        seen.add(spark_code.collect(checkout, tmp_path / "build").digest)
    assert len(seen) == 4
    (package / "gateway/other.py").write_text("no job imports it")
    assert spark_code.collect(checkout, tmp_path / "build").digest in seen


def test_what_the_template_refers_to_is_uploaded(tmp_path: Path) -> None:
    code = spark_code.collect(ROOT, tmp_path)
    parameter = template.source()["Parameters"][spark_code.PARAMETER]
    assert parameter["AllowedPattern"] == "[0-9a-f]{16}"
    assert len(code.digest) == 16
    written = (ROOT / "template.yaml").read_text() + "".join(
        path.read_text() for path in (ROOT / "stepfunctions").glob("*.yaml")
    )
    for job in ("extract_key_data", "train_scorecard"):
        assert f"/emr/${{SparkCode}}/jobs/{job}.py" in written
    scoring = resident_job(f"s3://bucket/emr/{code.digest}", {}, "", "")
    assert scoring.entry_point.removeprefix("s3://bucket/") in code.files
    assert f"s3://bucket/emr/{code.digest}/creditmesh-spark.zip" in scoring.parameters
    for job in ("score_applications", "extract_key_data", "train_scorecard"):
        assert code.files[f"emr/{code.digest}/jobs/{job}.py"].exists()
    assert "/emr/jobs/" not in written
    with zipfile.ZipFile(code.files[f"emr/{code.digest}/creditmesh-spark.zip"]) as archive:
        assert {"creditmesh/__init__.py", "creditmesh/risk/__init__.py", "training/__init__.py"} <= set(
            archive.namelist()
        )


def test_the_archive_beside_an_executor_is_enough_for_its_workers_daemon(tmp_path: Path) -> None:
    """Before any task names the archive; and the features' document is in it."""
    spark_code.collect(ROOT, tmp_path)
    words = shlex.split(resident_job("s3://bucket/emr/1", {}, "", "").parameters)
    module = next(word for word in words if word.startswith("spark.python.daemon.module=")).partition("=")[2]
    told = f"import {module} as found, creditmesh.features.table as t; print(found.__file__, t.VERSION)"
    environment = {**os.environ, "PYTHONPATH": "./creditmesh-spark.zip"}
    ran = subprocess.run(
        [sys.executable, "-c", told], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split()[0].endswith("creditmesh-spark.zip/creditmesh/decisions/serving/worker_daemon.py")


def test_old_versions_go_and_those_in_use_stay() -> None:
    with mock_aws():
        storage: Any = boto3.client("s3", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        storage.create_bucket(Bucket="artefacts")
        digests = [f"{number:016x}" for number in range(spark_code.KEPT + 4)]
        others = ["emr/libraries/training-0.tar.gz", "models/one.json", "emr/0123/jobs/one.py"]
        for key in [*(f"emr/{digest}/{part}" for digest in digests for part in PARTS), *others]:
            storage.put_object(Bucket="artefacts", Key=key, Body=b"1")
        doomed = spark_code.prune(storage, "artefacts", {digests[0], digests[-1]})
        left = {entry["Key"] for entry in storage.list_objects_v2(Bucket="artefacts")["Contents"]}
        assert len(doomed) == 2
        assert not {digests[0], digests[-1]} & set(doomed)
        kept = [digest for digest in digests if digest not in doomed]
        assert left == {f"emr/{digest}/{part}" for digest in kept for part in PARTS} | set(others)
        assert spark_code.prune(storage, "artefacts", {digests[0], digests[-1]}) == []
