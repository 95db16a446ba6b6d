"""The job for many firms for real: spark-submit with nothing but what is shipped, JSON lines in, Parquet out (C10)."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cloud.spark_code import jobs_archive
from creditmesh.decisions.serving.spark_settings import SCAN, SMALL_MACHINE, spark_submit_parameters
from creditmesh.gateway.key_data import extract
from tests.spark.conftest import ROOT
from tests.spark.test_features_agree import NAMES
from tests.support.third_information import AS_OF, INPUTS, documents, line

pytestmark = pytest.mark.thorough

BINARIES = ROOT / ".venvs/spark/bin"
SOURCE = ROOT / "layers/creditmesh/src"
DAY = AS_OF.isoformat()
COUNTS = {"rows": 4, "unreadable": 1, "with_errors": 1, "first_as_of": DAY, "last_as_of": DAY}


def submit(directory: Path, *arguments: str) -> dict[str, Any]:
    """Run the job; its last line of output."""
    settings = spark_submit_parameters(
        {**SCAN, **SMALL_MACHINE, "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1"}
    )
    command = [
        str(BINARIES / "spark-submit"), "--master", "local[1]", *shlex.split(settings),
        "--py-files", str(jobs_archive(ROOT, directory)), str(ROOT / "emr/jobs/extract_key_data.py"), *arguments,
    ]  # fmt: skip
    env = {**os.environ, "PYSPARK_PYTHON": str(BINARIES / "python"), "SPARK_LOCAL_IP": "127.0.0.1"}
    ran = subprocess.run(command, env=env, cwd=directory, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def read(directory: Path) -> dict[str, dict[str, Any]]:
    """The Parquet that was written, by firm, through another reader than Spark."""
    return {row["firm"]: row for row in pq.read_table(directory).to_pylist()}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three firms and a broken line through the job: third information, then the clean rows again."""
    directory = tmp_path_factory.mktemp("job")
    lines = [line(f"firm-{index}", documents(index)) for index in range(3)]
    (directory / "third.jsonl").write_text("\n".join([*lines, "{"]) + "\n", encoding="utf-8")
    places = [f"--{name}={directory / place}" for name, place in (("input", "third.jsonl"), ("output", "features"))]
    summary = directory / "told" / "summary.json"
    told = submit(directory, *places, f"--rows-output={directory / 'rows'}", f"--summary={summary}")
    assert (told["event"], told["job"]) == ("written", "extract-key-data")
    assert {name: told[name] for name in COUNTS} == COUNTS
    assert json.loads(summary.read_text(encoding="utf-8")) == COUNTS
    again = [f"--input={directory / 'rows'}", "--input-kind=clean-rows", f"--output={directory / 'again'}"]
    submit(directory, *again)
    return directory


def test_features_are_those_of_the_platform(written: Path) -> None:
    found = read(written / "features")
    assert set(found) == {"firm-0", "firm-1", "firm-2", None}
    for index in range(3):
        row, expected = found[f"firm-{index}"], extract(documents(index), **INPUTS, as_of=AS_OF)
        assert {name: row[name] for name in NAMES} == expected.features
        assert row["as_of"] == AS_OF
        told = [{**note, "values": dict(note["values"])} for note in row["quality"]]
        assert told == [finding.model_dump() for finding in expected.quality]


def test_a_broken_line_is_there_with_its_finding(written: Path) -> None:
    row = read(written / "features")[None]  # type: ignore[index]  # a line that is none names no firm
    assert [(note["severity"], note["finding"]) for note in row["quality"]] == [("error", "not_json")]
    assert [name for name in NAMES if row[name] is not None] == []


def test_features_can_be_drawn_anew_from_the_clean_rows(written: Path) -> None:
    assert read(written / "again") == read(written / "features")
