"""Every way through the extraction process, a small job standing for the real one (C10, E16)."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.cloud.clouds import PYTHON, REGION, ROLE, Cloud, eventually
from tests.stepfunctions.plain_jobs import spark_venv
from tests.stepfunctions.scripted import definition, read_expressions, tasks_of
from tests.support import template

EXTRACTION = "key_data_extraction"
DATA, ARTEFACTS = "data", "artefacts"
COUNTS = {"rows": 2, "unreadable": 0, "with_errors": 0, "first_as_of": "2026-11-21", "last_as_of": "2026-11-21"}
# Takes the real job's arguments; the set's last folder says what it does. It needs no Spark session, which costs most.
JOB = """
import argparse, json, sys, time
import boto3

parser = argparse.ArgumentParser()
for name in ("--input", "--input-kind", "--output", "--rows-output", "--summary"):
    parser.add_argument(name)
given = parser.parse_args()
storage = boto3.client("s3")
bucket, _, key = given.summary.removeprefix("s3://").partition("/")
told = {name: value for name, value in vars(given).items() if value}
storage.put_object(Bucket="starts", Key=f"{key}/{time.time_ns()}", Body=json.dumps(told).encode())
if given.input.endswith("/broken/"):
    sys.exit("a made-up reason")
if given.input.endswith("/slow/"):
    time.sleep(120)
if not given.input.endswith("/silent/"):
    storage.put_object(Bucket=bucket, Key=key, Body=json.dumps(COUNTS).encode())
"""
THIRD, ROWS = "third-information/2026-11/good", "key-data-batches/earlier/rows"
REFUSED: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "no-input": ({}, [("input", "missing")]),
    "no-object": ([THIRD], [("input", "must_be_object"), ("input", "missing")]),
    "no-text": ({"input": 7}, [("input", "must_be_text")]),
    "elsewhere": ({"input": "third/2026-11"}, [("input", "must_be_a_folder_of_its_kind")]),
    "upwards": ({"input": "third-information/../third"}, [("input", "must_be_a_folder_of_its_kind")]),
    "all-there-is": ({"input": "third-information/"}, [("input", "must_be_a_folder_of_its_kind")]),
    "other-kinds-folder": ({"input": THIRD, "input_kind": "clean-rows"}, [("input", "must_be_a_folder_of_its_kind")]),
    "no-such-kind": ({"input": THIRD, "input_kind": "csv"}, [("input_kind", "third_information_or_clean_rows")]),
    "no-flag": ({"input": THIRD, "keep_rows": "yes"}, [("keep_rows", "must_be_boolean")]),
    "unknown": (
        {"input": THIRD, "output": "x", "as_of": "y"},
        [("output", "unknown_field"), ("as_of", "unknown_field")],
    ),
    "name'd": ({"input": THIRD}, [("execution_name", "letters_digits_and_._=+-")]),
    "nothing-there": ({"input": "third-information/2026-12"}, [("input", "nothing_there")]),
}


@dataclass
class Runs:
    """A cloud with the process in it, and how to start it."""

    cloud: Cloud
    machine: str
    application: str

    def start(self, name: str, given: Any, machine: str | None = None) -> str:
        started = self.cloud.client("stepfunctions").start_execution(
            stateMachineArn=machine or self.machine, name=name, input=json.dumps(given)
        )
        return str(started["executionArn"])

    def output(self, name: str, given: Any, machine: str | None = None) -> dict[str, Any]:
        ended = self.cloud.ended(self.start(name, given, machine), seconds=90)
        assert ended["status"] == "SUCCEEDED", ended
        told: dict[str, Any] = json.loads(ended["output"])
        return told

    def started(self, name: str) -> list[dict[str, Any]]:
        """What the jobs of an execution were told."""
        storage, prefix = self.cloud.client("s3"), f"key-data-batches/{name}/summary.json/"
        entries = storage.list_objects_v2(Bucket="starts", Prefix=prefix).get("Contents", [])
        return [json.load(storage.get_object(Bucket="starts", Key=entry["Key"])["Body"]) for entry in entries]

    def job_run(self, number: str) -> dict[str, Any]:
        emr = self.cloud.client("emr-serverless")
        return dict(emr.get_job_run(applicationId=self.application, jobRunId=number)["jobRun"])

    def job_runs(self) -> list[dict[str, Any]]:
        found = self.cloud.client("emr-serverless").list_job_runs(applicationId=self.application)["jobRuns"]
        return list(found)


def prepared(cloud: Cloud) -> str:
    """Buckets, sets and the job; the Spark application's id."""
    storage, archive = cloud.client("s3"), io.BytesIO()
    for bucket in (DATA, ARTEFACTS, "starts"):
        storage.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in (
        f"{ROWS}/part-0",
        *(f"third-information/2026-11/{one}/1" for one in ("good", "broken", "slow", "silent")),
    ):
        storage.put_object(Bucket=DATA, Key=key, Body=b"{}")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("nothing.py", "")
    storage.put_object(Bucket=ARTEFACTS, Key="emr/none.zip", Body=archive.getvalue())
    job = JOB.replace("COUNTS", repr(COUNTS))
    storage.put_object(Bucket=ARTEFACTS, Key="emr/code/jobs/extract_key_data.py", Body=job.encode())
    made = cloud.client("emr-serverless").create_application(name="k", releaseLabel="emr-spark-8.0.0", type="SPARK")
    return str(made["applicationId"])


def machine(cloud: Cloud, application: str, name: str = "extraction") -> str:
    parameters = f"--py-files s3://{ARTEFACTS}/emr/none.zip --conf spark.driver.memory=512m"
    written = definition(
        {}, EXTRACTION, DataBucket=DATA, ArtefactBucket=ARTEFACTS, KeyDataApplication=application,
        SparkCode="code", KeyDataJobRole=ROLE, ExtractionMinutes="1", SparkParameters=parameters,
    )  # fmt: skip
    states = cloud.client("stepfunctions")
    made = states.create_state_machine(name=name, definition=json.dumps(written), roleArn=ROLE)
    return str(made["stateMachineArn"])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    if not PYTHON.exists():
        pytest.skip("the emulator's environment is missing; run `make setup`")
    cloud = Cloud(tmp_path_factory.mktemp("extraction"), mended=True)
    cloud.start(CREDITMESH_SPARK_HOME_VENV=str(spark_venv(tmp_path_factory.mktemp("spark"))))
    try:
        application = prepared(cloud)
        yield Runs(cloud, machine(cloud, application), application)
    finally:
        cloud.stop()


@pytest.mark.parametrize("name", REFUSED)
def test_refused(runs: Runs, name: str) -> None:
    """With every broken rule by its field; no job is started."""
    given, problems = REFUSED[name]
    told = runs.output(name, given)
    assert told == {"outcome": "refused", "problems": [{"field": field, "rule": rule} for field, rule in problems]}
    assert not runs.started(name)


def test_extracted(runs: Runs) -> None:
    """The job is told the set and places of the execution's own name; its counts come back."""
    told = runs.output("nov.1", {"input": THIRD})
    job = told.pop("job_run_id")
    assert told == {
        "outcome": "extracted",
        "counts": COUNTS,
        "features": f"s3://{DATA}/key-data-batches/nov.1/features/",
    }
    assert runs.started("nov.1") == [
        {"input": f"s3://{DATA}/{THIRD}/", "input_kind": "third-information",
         "output": f"s3://{DATA}/key-data-batches/nov.1/features/",
         "summary": f"s3://{DATA}/key-data-batches/nov.1/summary.json"}
    ]  # fmt: skip
    run = runs.job_run(job)
    assert (run["name"], run["state"], run["mode"]) == ("extract-key-data nov.1", "SUCCESS", "BATCH")
    assert run["tags"] == {"process": "key-data-extraction"}


def test_rows_are_kept_on_demand_and_taken_as_input(runs: Runs) -> None:
    given = {"input": f"{ROWS}/", "input_kind": "clean-rows", "keep_rows": True}
    told = runs.output("nov.2", given)
    assert told["rows"] == f"s3://{DATA}/key-data-batches/nov.2/rows/"
    (job,) = runs.started("nov.2")
    assert (job["input"], job["input_kind"]) == (f"s3://{DATA}/{ROWS}/", "clean-rows")
    assert job["rows_output"] == told["rows"]


def test_failed_with_the_jobs_reason(runs: Runs) -> None:
    told = runs.output("nov.3", {"input": "third-information/2026-11/broken"})
    assert (told["outcome"], told["error"]) == ("failed", "States.TaskFailed")
    assert "a made-up reason" in told["reason"]
    assert runs.job_run(told["job_run_id"])["state"] == "FAILED"


def test_failed_where_the_job_tells_nothing(runs: Runs) -> None:
    """A success without its summary is none."""
    told = runs.output("nov.4", {"input": "third-information/2026-11/silent"})
    assert (told["outcome"], told["error"]) == ("failed", "S3.NoSuchKeyException")


def test_failed_where_no_job_can_be_started(runs: Runs) -> None:
    told = runs.output("nov.5", {"input": THIRD}, machine(runs.cloud, "00gone", "extraction-nowhere"))
    assert (told["outcome"], told["error"]) == ("failed", "EmrServerless.ResourceNotFoundException")
    assert "00gone" in told["reason"]


def test_a_repeat_starts_no_second_job_and_a_stop_ends_it(runs: Runs) -> None:
    given = {"input": "third-information/2026-11/slow"}
    execution = runs.start("nov.6", given)
    assert eventually(lambda: runs.started("nov.6"), 60)
    states = runs.cloud.client("stepfunctions")
    with suppress(states.exceptions.ExecutionAlreadyExists):  # the emulator's answer; AWS names the one that runs
        assert runs.start("nov.6", given) == execution
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        runs.start("nov.6", {"input": THIRD})
    (run,) = [one for one in runs.job_runs() if one["name"].endswith("nov.6")]
    states.stop_execution(executionArn=execution)
    assert eventually(lambda: runs.job_run(run["id"])["state"] == "CANCELLED", 20)
    assert len(runs.started("nov.6")) == 1


def test_every_expression_can_be_read_and_every_task_has_its_time() -> None:
    document = template.definition(EXTRACTION)
    assert read_expressions(document) > 15
    tasks = tasks_of(document)
    assert len(tasks) == 3
    for task in tasks:
        assert {"TimeoutSeconds", "Retry", "Catch"} <= set(task)
        assert task["Retry"][0]["JitterStrategy"] == "FULL"
        assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
