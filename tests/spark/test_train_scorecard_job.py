"""The training job for real: spark-submit with nothing but what is shipped, Parquet in, a candidate out (C14, M08)."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cloud.spark_code import jobs_archive
from creditmesh.decisions.serving.spark_settings import SCAN, SMALL_MACHINE, spark_submit_parameters
from tests.spark.conftest import ROOT
from tests.support.populations import training_set

pytestmark = pytest.mark.thorough

BINARIES = ROOT / ".venvs/spark/bin"
SOURCE = ROOT / "layers/creditmesh/src"
CONFIG = {
    "features": [
        {"name": "revenue_minor", "kind": "integer", "reason_code": "SMALL_SCALE"},
        {"name": "arrears_days", "kind": "integer", "specials": [[-1]], "reason_code": "CREDIT_OVERDUE"},
        {"name": "region", "kind": "string"},
        {"name": "tax_payer", "kind": "boolean"},
    ],
    "complexity": "logistic",
    "data_name": "made-up firms",
    "outcome_kind": "simulated",
    "split": {"folds": 2, "out_of_time_share": 0.2},
    "fairness": ["region"],
}


def submit(directory: Path, rows: pd.DataFrame, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    """Run the job: exit status, all it wrote (Spark leads both streams of a Python driver together), its last line."""
    rows.to_parquet(directory / "rows.parquet")
    (directory / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    settings = spark_submit_parameters(
        {**SCAN, **SMALL_MACHINE, "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1"}
    )
    command = [
        str(BINARIES / "spark-submit"), "--master", "local[1]", *shlex.split(settings),
        "--py-files", str(jobs_archive(ROOT, directory)), str(ROOT / "emr/jobs/train_scorecard.py"),
        f"--data-uri={directory / 'rows.parquet'}", f"--config-uri={directory / 'config.json'}",
        f"--output-uri={directory / 'out'}", "--run-id=run-1", *arguments,
    ]  # fmt: skip
    env = {**os.environ, "PYSPARK_PYTHON": str(BINARIES / "python"), "SPARK_LOCAL_IP": "127.0.0.1"}
    env.pop("PYTHONPATH", None)
    ran = subprocess.run(command, env=env, cwd=directory, capture_output=True, text=True, timeout=500, check=False)
    assert ran.stdout.strip(), ran.stderr[-3000:]
    return ran.returncode, ran.stdout + ran.stderr, json.loads(ran.stdout.splitlines()[-1])


def rows_of(count: int) -> pd.DataFrame:
    """Rows as Parquet has them: the revenue as a number with a fraction, unknown and not a number."""
    rows = training_set(count)
    frame = rows.features.drop(columns="noise").assign(bad=rows.bad, observed=rows.observed)
    return frame.assign(revenue_minor=frame["revenue_minor"].astype("Float64") + 0.5)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run that learns."""
    directory = tmp_path_factory.mktemp("train")
    status, errors, told = submit(directory, rows_of(4_000))
    assert status == 0, errors[-3000:]
    return directory / "out", told


def test_it_writes_candidate_card_and_summary(trained: tuple[Path, dict[str, Any]]) -> None:
    folder, told = trained
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert (summary["outcome"], summary["run"], summary["rows"]) == ("trained", "run-1", 4_000)
    assert told["data_hash"] == summary["data_hash"]
    candidate = json.loads((folder / "candidate.json").read_text(encoding="utf-8"))
    assert set(candidate) == {"feature_schema", "scorecard", "calibration", "grades"}
    diagnostics = json.loads((folder / "diagnostics.json").read_text(encoding="utf-8"))
    assert summary["auc"]["out_of_time"] == diagnostics["performance"]["out_of_time"]["auc"] > 0.65
    assert "made-up firms" in (folder / "card.html").read_text(encoding="utf-8")
    assert "模型卡" in (folder / "card.zh-CN.html").read_text(encoding="utf-8")


def test_numbers_enter_as_in_the_evaluators(trained: tuple[Path, dict[str, Any]]) -> None:
    # The halves went down to whole numbers, so the rows are those of the set that never had any.
    rows = training_set(4_000)
    frame = rows.features.drop(columns=["noise", "age_months"])
    known = type(rows)(rows.name, frame, rows.bad, rows.observed, outcome_kind="simulated")
    assert trained[1]["data_hash"] == known.content_hash()


def test_rows_that_cannot_be_learnt_from_end_the_job_by_name(tmp_path: Path) -> None:
    status, errors, told = submit(tmp_path, rows_of(30))
    assert status == 2
    assert "training_set_invalid: too_few_rows: 30 rows" in errors
    assert (told["outcome"], told["code"]) == ("training_set_invalid", "too_few_rows")
    assert json.loads((tmp_path / "out/summary.json").read_text(encoding="utf-8"))["code"] == "too_few_rows"
    assert not (tmp_path / "out/candidate.json").exists()
