"""The portfolio job for real: spark-submit with nothing but what is shipped, Parquet in and out (C11, C25)."""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloud.spark_code import jobs_archive
from creditmesh.decisions.serving.spark_settings import KERNEL, SMALL_MACHINE, spark_submit_parameters
from creditmesh.kernel.unread import UNREAD
from creditmesh.risk.artefact import Artefact
from creditmesh.risk.bulk import RESULT_FIELDS
from creditmesh.risk.bulk.portfolio import splits
from creditmesh.risk.bulk.storage import place
from creditmesh.risk.evaluator import evaluate
from tests.spark.conftest import ROOT
from tests.spark.job_cloud import BUCKET, MODEL_KEY, client, emulator, environment, signing_key
from tests.support.artefact_strategies import feature_rows

BINARIES = ROOT / ".venvs/spark/bin"
SOURCE = ROOT / "layers/creditmesh/src"
MODEL = ROOT / MODEL_KEY
DAY = date(2026, 11, 22)
ROWS = 300
ARROW = {"integer": pa.int64(), "string": pa.string(), "boolean": pa.bool_()}


def submit(directory: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the job."""
    settings = {**KERNEL, **SMALL_MACHINE, "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1"}
    command = [
        str(BINARIES / "spark-submit"), "--master", "local[1]", *shlex.split(spark_submit_parameters(settings)),
        "--py-files", str(jobs_archive(ROOT, directory)), str(ROOT / "emr/jobs/score_portfolio.py"), *arguments,
    ]  # fmt: skip
    env = {**os.environ, **more, "PYSPARK_PYTHON": str(BINARIES / "python"), "SPARK_LOCAL_IP": "127.0.0.1"}
    return subprocess.run(command, env=env, cwd=directory, capture_output=True, text=True, timeout=300, check=False)


def refused(*arguments: str, **more: str) -> str:
    """What the job says where it ends before it asks for Spark."""
    command = [str(BINARIES / "python"), str(ROOT / "emr/jobs/score_portfolio.py"), *arguments]
    env = {**os.environ, **more, "PYTHONPATH": str(SOURCE)}
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode != 0
    return ran.stderr


def told(ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What the job said last."""
    assert ran.returncode == 0, ran.stdout[:4000]
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def written(files: list[Path], artefact: Artefact, good_firm: dict[str, Any]) -> list[dict[str, Any]]:
    """Write the portfolio's files, the last of which knows one feature less and has odd numbers; its rows."""
    rows = [{"firm": f"firm-{i}", **row} for i, row in enumerate(feature_rows(artefact, (good_firm, 5), ROWS))]
    columns = ((name, ARROW[feature.type]) for name, feature in artefact.features.items())
    schema = pa.schema([("firm", pa.string()), *columns, (UNREAD, pa.string())])
    size = ROWS // len(files)
    for index, file in enumerate(files):
        table = pa.Table.from_pylist(rows[index * size : (index + 1) * size], schema)
        if index == len(files) - 1:
            chance = random.Random(3)
            odd = [chance.choice([None, float("nan"), float("inf"), -0.5, 4_000.9]) for _ in range(size)]
            table = table.drop_columns(["enquiries_6m"] if "enquiries_6m" in schema.names else []).set_column(
                table.schema.get_field_index("debt_ratio_bps"), "debt_ratio_bps", pa.array(odd, pa.float64())
            )
            for row, value in zip(rows[index * size :], odd, strict=True):
                row["debt_ratio_bps"] = value
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, file, row_group_size=40)
    return rows


def expected(artefact: Artefact, row: dict[str, Any]) -> dict[str, Any]:
    """The evaluator's result for a firm, as narrow as the job's."""
    result = evaluate(artefact, row, DAY).to_dict()
    index = result["risk_index"] or {"index": None, "grade": None}
    narrow = {name: result[name] for name in RESULT_FIELDS if name in result}
    return {"firm": row["firm"], **narrow, "risk_index": index["index"], "index_grade": index["grade"]}


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a portfolio and what is made of it."""
    return tmp_path_factory.mktemp("portfolio")


@pytest.mark.thorough
def test_scores_a_local_portfolio(portfolio: Path, origination: Artefact, good_firm: dict[str, Any]) -> None:
    """Every firm's result is the evaluator's; the counts are told, and what counts as unknown with them."""
    data, output = portfolio / "data", portfolio / "out"
    rows = written([data / "a" / "0.parquet", data / "1.parquet"], origination, good_firm)
    (data / "_temporary").mkdir()
    (data / "_temporary" / "half.parquet").write_bytes(b"not written to the end")
    arguments = [f"--data-uri={data}", f"--model-uri={MODEL}", f"--output-uri={output}", f"--on={DAY}", "--ids=firm"]
    found = told(submit(portfolio, *arguments))
    results = pq.read_table(output).to_pylist()
    assert sorted(results, key=lambda row: str(row["firm"])) == sorted(
        (expected(origination, row) for row in rows), key=lambda row: str(row["firm"])
    )
    odd = sum(
        value != value or value == float("inf")
        for value in (row["debt_ratio_bps"] for row in rows if row["debt_ratio_bps"] is not None)
    )
    assert found["stages"] == dict(sorted(Counter(row["stage"] for row in results).items()))
    assert (found["rows"], found["not_a_number"]) == (ROWS, {"debt_ratio_bps": odd})
    assert json.loads((output / "_SUCCESS").read_text())["stages"] == found["stages"]
    assert "must be an empty folder" in refused(*arguments)


def test_splits_hold_every_row_once_whatever_the_workers(tmp_path: Path) -> None:
    """Row groups stay whole, files may share a split, and no split is so small that tasks would cost more than work."""
    for index, rows in enumerate((1_300_000, 10, 0, 900_000)):
        pq.write_table(
            pa.table({"x": pa.array(range(rows), pa.int32())}), tmp_path / f"{index}.parquet", row_group_size=200_000
        )
    for workers in (1, 2, 50):
        found = splits(place(str(tmp_path)), workers)
        rows = [
            (item.uri[-9:], row)
            for split in found
            for item in split.ranges
            for row in (item.first, item.first + item.count)
        ]
        assert rows == sorted(rows)
        assert sum(item.count for split in found for item in split.ranges) == 2_200_010
        assert all(sum(item.count for item in split.ranges) >= 500_000 for split in found[:-1])
    with pytest.raises(ValueError, match="no Parquet"):
        splits(place(str(tmp_path / "nothing")), 1)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The emulator's port."""
    with emulator(tmp_path_factory.mktemp("cloud")) as port:
        yield port


def test_scores_a_portfolio_in_s3(
    cloud: int, portfolio: Path, origination: Artefact, good_firm: dict[str, Any]
) -> None:
    """From a bucket to a bucket, by a signed model; a model nobody signed for is refused."""
    file, storage = portfolio / "s3" / "0.parquet", client("s3", cloud)
    rows = written([file], origination, good_firm)
    storage.put_object(Bucket=BUCKET, Key="portfolio/as_of=2026-11-22/0.parquet", Body=file.read_bytes())
    base = f"s3://{BUCKET}"
    arguments = [f"--data-uri={base}/portfolio", f"--model-uri={base}/{MODEL_KEY}", f"--output-uri={base}/scored/one"]
    arguments += [f"--on={DAY}", "--ids=firm"]
    assert "--trusted-keys must be given" in refused(*arguments, **environment(cloud))
    found = told(submit(portfolio, *arguments, f"--trusted-keys={signing_key(cloud)}", **environment(cloud)))
    listed = [item["Key"] for item in storage.list_objects_v2(Bucket=BUCKET, Prefix="scored/one/")["Contents"]]
    assert sorted(listed) == ["scored/one/_SUCCESS", "scored/one/part-00000.parquet"]
    body = storage.get_object(Bucket=BUCKET, Key="scored/one/part-00000.parquet")["Body"].read()
    results = pq.read_table(pa.BufferReader(body)).to_pylist()
    assert results == [expected(origination, row) for row in rows]
    assert found["rows"] == ROWS
