"""The archives of libraries that jobs take along to EMR: from the lock, for EMR's machine, the same bytes again."""

from __future__ import annotations

import ast
import gzip
import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

from aws import libraries
from aws.target import Refused
from tests.support import template
from tests.unit.aws.test_deployment import elf

ROOT = template.ROOT
LOCK = (ROOT / "locks" / "spark.txt").read_text("utf-8")
REFS = {"ArtefactBucket": "artefacts", "TrainingSparkParameters": "--conf spark.driver.memory=8g", "SparkCode": "code"}
ARM64 = 0xB7


def names(requirements: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", requirements, flags=re.MULTILINE))


def one(name: str) -> str:
    """The lock's lines for one package."""
    blocks = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)
    return next(block for block in blocks if block.startswith(f"{name}=="))


def test_all_of_the_lock_but_sparks_own_is_taken_with_its_hashes() -> None:
    chosen = libraries.TRAINING.requirements(LOCK)
    assert names(LOCK) - names(chosen) == {"py4j", "pyspark"}
    assert one("optbinning") in chosen
    assert chosen.count("--hash=") == LOCK.count("--hash=") - sum(
        one(name).count("--hash=") for name in ("py4j", "pyspark")
    )


def imported(file: Path) -> set[str]:
    """What a module imports, anywhere in it, by first names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


def test_whatever_training_imports_is_in_the_archive() -> None:
    package = ROOT / "layers/creditmesh/src/creditmesh"
    files = [ROOT / "emr/jobs/train_scorecard.py", *(ROOT / "emr/training").glob("*.py"), *package.glob("risk/**/*.py")]
    ours = {"creditmesh", "training", "pyspark", "py4j"}  # the last two are EMR's
    wanted = {
        name
        for name in set().union(*map(imported, files)) - ours - sys.stdlib_module_names
        if not name.startswith("mypy_boto3")  # types only
    }
    known = packages_distributions()
    assert {"numpy", "pandas", "optbinning"} <= wanted
    packed = names(libraries.TRAINING.requirements(LOCK))
    assert {name for name in wanted if not {one.lower() for one in known[name]} & packed} == set()


def test_the_resident_job_takes_boto3_with_all_that_it_needs_and_nothing_else() -> None:
    taken, todo = set[str](), ["boto3"]
    while todo:
        name = todo.pop()
        taken.add(name)
        wanted = [one for one in requires(name) or () if "extra ==" not in one]
        todo += [need for one in wanted if (need := re.split(r"[^A-Za-z0-9-]", one, maxsplit=1)[0]) not in taken]
    assert taken == libraries.SCORING.packages
    assert names(libraries.SCORING.requirements(LOCK)) == taken
    imports = imported(ROOT / "emr/jobs/score_applications.py") - sys.stdlib_module_names
    assert imports == {"boto3", "botocore", "creditmesh", "py4j", "pyspark"}


def test_the_resident_jobs_archive_reaches_the_services_it_calls(tmp_path: Path) -> None:
    target = libraries.make(libraries.SCORING, ROOT, tmp_path, ROOT / libraries.LOCK)
    assert target == tmp_path / libraries.SCORING.key(ROOT / libraries.LOCK)
    assert target.stat().st_size < 4_000_000
    with tarfile.open(target) as archive:
        archive.extractall(tmp_path / "x", filter="data")
    script = (
        "import boto3\n"
        "for name in ('dynamodb', 's3', 'kms', 'sts'):\n"
        "    print(boto3.client(name, region_name='eu-west-1').meta.endpoint_url)\n"
        "try: boto3.client('ec2', region_name='eu-west-1')\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    command = [str(ROOT / ".venvs/spark/bin/python"), "-S", "-c", script]
    environment = {"PYTHONPATH": str(tmp_path / "x"), "AWS_CONFIG_FILE": os.devnull}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    *endpoints, unknown = done.stdout.split()
    assert [re.split(r"[/.]", endpoint)[2] for endpoint in endpoints] == ["dynamodb", "s3", "kms", "sts"]
    assert unknown == "UnknownServiceError"


def unpacked(folder: Path, times: int) -> Path:
    """A folder as an installer leaves it; the order and the clock differ with ``times``."""
    contents = {
        "good/__init__.py": b"x = 1\n", "good/tests/test_good.py": b"", "good/stubs.pyi": b"",
        "good/__pycache__/a": b"", "good/include/good.h": b"", "good/bin/tool": b"#!/bin/sh\n",
        "good.libs/data": b"abc", ".lock": b"",
    }  # fmt: skip
    for number, name in enumerate(sorted(contents, reverse=times % 2 == 0)):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(contents[name])
        os.utime(file, (times + number, times + number))
        file.chmod(0o600 + times)
    elf(folder / "good" / "native.so", ARM64)
    return folder


def test_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    archives = [tmp_path / "1.tar.gz", tmp_path / "2.tar.gz"]
    for number, archive in enumerate(archives):
        libraries.pack(unpacked(tmp_path / str(number), number), archive)
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with tarfile.open(archives[0]) as archive:
        found = archive.getmembers()
    assert [entry.name for entry in found] == [
        "good/__init__.py", "good/bin/tool", "good/native.so", "good.libs/data",
    ]  # fmt: skip
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode) for entry in found} == {
        (0, 0, 0, "", "", 0o755)
    }
    assert gzip.decompress(archives[0].read_bytes())


def test_code_of_another_machine_is_refused_and_no_archive_is_left(tmp_path: Path) -> None:
    folder = unpacked(tmp_path / "folder", 1)
    elf(folder / "good" / "other.so", 0x3E)
    with pytest.raises(Refused, match=r"good/other\.so is for x86-64, EMR runs arm64"):
        libraries.pack(folder, tmp_path / "archive.tar.gz")
    assert not (tmp_path / "archive.tar.gz").exists()


def test_the_lock_is_installed_for_emr_and_checked_by_hash(tmp_path: Path) -> None:
    lock, some = tmp_path / "lock.txt", libraries.Archive("some")
    lock.write_text(one("threadpoolctl") + one("py4j"))
    target = libraries.make(some, ROOT, tmp_path, lock)
    made = target.stat().st_mtime_ns
    assert libraries.make(some, ROOT, tmp_path, lock).stat().st_mtime_ns == made, "it is up to date"
    (tmp_path / "x").mkdir()
    with tarfile.open(target) as archive:
        archive.extractall(tmp_path / "x", filter="data")
    command = [str(ROOT / ".venvs/lambda/bin/python"), "-c", "import threadpoolctl; print(threadpoolctl.__file__)"]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path / "x")}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "x" / "threadpoolctl.py")
    assert not (tmp_path / "x" / "py4j").exists()
    lock.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", one("threadpoolctl")))
    with pytest.raises(subprocess.CalledProcessError):
        libraries.make(some, ROOT, tmp_path, lock)


def test_another_lock_is_another_key_and_each_archive_has_its_own() -> None:
    lock = ROOT / libraries.LOCK
    keys = libraries.parameters(ROOT)
    assert len(set(keys.values())) == len(keys) == 2
    assert libraries.SCORING.key(ROOT / "locks" / "layer.txt") != libraries.SCORING.key(lock)
    assert all(key.startswith("emr/libraries/") for key in keys.values())


def spark_parameters(key: str) -> str:
    """What the training process gives its job, with the conditions decided as for that key."""
    machine = template.source()["Resources"]["ScorecardTraining"]["Properties"]
    text, names = machine["DefinitionSubstitutions"]["SparkParameters"]["Fn::Sub"]
    condition, named, nothing = names["Libraries"]["Fn::If"]
    assert template.source()["Conditions"][condition] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "TrainingLibraries"}, ""]}]
    }
    refs = {**REFS, "TrainingLibraries": key}
    return str(
        template.resolve({"Fn::Sub": text}, {**refs, "Libraries": template.resolve(named if key else nothing, refs)})
    )


def test_on_aws_the_job_is_told_where_its_libraries_and_its_interpreter_are() -> None:
    key = libraries.TRAINING.key(ROOT / libraries.LOCK)
    given = spark_parameters(key)
    assert f"--conf spark.archives=s3://artefacts/{key}#libraries " in given
    for place in ("spark.emr-serverless.driverEnv", "spark.executorEnv"):
        assert f"--conf {place}.PYTHONPATH=./libraries " in given
        assert f"--conf {place}.PYSPARK_PYTHON=python{libraries.PYTHON} " in given
    assert f"--conf spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON=python{libraries.PYTHON} " in given
    assert given.endswith(" --conf spark.driver.memory=8g")
    application = template.source()["Resources"]["TrainingSpark"]["Properties"]
    assert application["Architecture"].lower() == libraries.WANTED
    assert application["ReleaseLabel"] == "emr-spark-8.0.0", "another release may have other Pythons"


def test_the_embedded_cloud_is_told_of_no_archive() -> None:
    assert template.source()["Parameters"]["TrainingLibraries"]["Default"] == ""
    given = spark_parameters("")
    assert "archives" not in given
    assert "PYTHONPATH" not in given
    assert given.startswith(
        "--py-files s3://artefacts/emr/code/creditmesh-spark.zip --conf spark.sql.ansi.enabled=true "
    )
