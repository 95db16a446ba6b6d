"""Key data of many firms on the running platform: the process, its Spark job, and what one firm's way gives (C10)."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from creditmesh.gateway.key_data import FEATURE_TYPES, extract
from run.platform import LocalPlatform
from tests.support.executions import output
from tests.support.third_information import AS_OF, INPUTS, documents, line

FIRMS = 4
DAY = AS_OF.isoformat()
PATIENCE = 240.0


def run(local: LocalPlatform, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The process's output."""
    states = local.aws("stepfunctions")
    machine = local.outputs["KeyDataExtractionArn"]
    execution = states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(given))["executionArn"]
    return output(states, execution, PATIENCE)


def features(local: LocalPlatform, url: str, folder: Path) -> dict[str | None, dict[str, Any]]:
    """The Parquet under a place, by firm."""
    storage, (bucket, _, prefix) = local.aws("s3"), url.removeprefix("s3://").partition("/")
    folder.mkdir()
    for entry in storage.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
        if entry["Key"].endswith(".parquet"):
            storage.download_file(bucket, entry["Key"], str(folder / entry["Key"].rpartition("/")[2]))
    return {row["firm"]: row for row in pq.read_table(folder).to_pylist()}


def test_many_firms_get_the_key_data_that_one_gets(local: LocalPlatform, tmp_path: Path) -> None:
    """A set in two files with a broken line; the job's tests draw features once more from the clean rows."""
    storage, bucket, mark = local.aws("s3"), local.outputs["DataBucket"], uuid.uuid4().hex[:8]
    lines = [*(line(f"firm-{index}", documents(index)) for index in range(FIRMS)), "{"]
    for number, part in enumerate((lines[:2], lines[2:])):
        key = f"third-information/test-{mark}/{number}.jsonl"
        storage.put_object(Bucket=bucket, Key=key, Body=("\n".join(part) + "\n").encode())

    told = run(local, f"test-{mark}", {"input": f"third-information/test-{mark}"})
    counts = {"rows": FIRMS + 1, "unreadable": 1, "with_errors": 1, "first_as_of": DAY, "last_as_of": DAY}
    assert (told["outcome"], told["counts"]) == ("extracted", counts)
    found = features(local, told["features"], tmp_path / "features")
    assert set(found) == {*(f"firm-{index}" for index in range(FIRMS)), None}
    for index in range(FIRMS):
        alone = extract(documents(index), **INPUTS, as_of=AS_OF)
        assert {name: found[f"firm-{index}"][name] for name in FEATURE_TYPES} == alone.features
        assert found[f"firm-{index}"]["as_of"] == AS_OF
