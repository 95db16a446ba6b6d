"""Every way through the training process, small steps and a small job standing for the real ones (M08)."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.cloud.clouds import PYTHON, REGION, ROLE, Cloud
from tests.stepfunctions.plain_jobs import spark_venv
from tests.stepfunctions.scripted import definition, read_expressions, tasks_of
from tests.support import template

TRAINING = "scorecard_training"
DATA, ARTEFACTS = "data", "artefacts"
SET = "training-sets/2026/good"
PREPARE = """
def handler(event, context):
    if "unprepared" in event["run"]:
        raise KeyError("labels")
    outcome = "nothing_to_learn" if "unlabelled" in event["run"] else "prepared"
    return {"outcome": outcome, "goods": 2, "bads": 0, "told": event}
"""
"""What each step does lies in the run's name."""
PROPOSE = """
def handler(event, context):
    if "unproposed" in event["run"]:
        raise KeyError("candidate")
    failed = ["label_jump"] if "poisoned" in event["run"] else []
    told = {"content_hash": "sha256:1", "version": "2.1.0", "failed_gates": failed, "by": event["by"]}
    return {**told, "outcome": "gates_failed" if failed else "proposed"}
"""
JOB = """
import json, sys
import boto3

given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
bucket, _, place = given["--output-uri"].removeprefix("s3://").partition("/")
storage = boto3.client("s3")
storage.put_object(Bucket="starts", Key=place + "told.json", Body=json.dumps(given).encode())
if "broken" in given["--run-id"]:
    sys.exit("a made-up reason")
summary = {"outcome": "trained"}
if "useless" in given["--run-id"]:
    summary = {"outcome": "training_set_invalid", "code": "one_class_only", "message": "all are good"}
if "silent" not in given["--run-id"]:
    storage.put_object(Bucket=bucket, Key=place + "summary.json", Body=json.dumps(summary).encode())
"""
REFUSED: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "no-object": ([], [("input", "must_be_object"), ("model_id", "missing")]),
    "no-model": ({}, [("model_id", "missing")]),
    "no-id": ({"model_id": "../other"}, [("model_id", "must_be_a_model_id")]),
    "elsewhere": (
        {"model_id": "m", "training_set": "reports/"},
        [("training_set", "must_be_a_folder_of_training_sets")],
    ),
    "upwards": (
        {"model_id": "m", "training_set": "training-sets/../x"},
        [("training_set", "must_be_a_folder_of_training_sets")],
    ),
    "unknown": ({"model_id": "m", "config": "x"}, [("config", "unknown_field")]),
    "no-person": ({"model_id": "m", "by": 7}, [("by", "must_be_text")]),
    "name'd": ({"model_id": "m"}, [("execution_name", "letters_digits_and_._-")]),
}


@dataclass
class Runs:
    """A cloud with the process in it."""

    cloud: Cloud
    machine: str

    def output(self, name: str, given: Any) -> dict[str, Any]:
        states = self.cloud.client("stepfunctions")
        started = states.start_execution(stateMachineArn=self.machine, name=name, input=json.dumps(given))
        ended = self.cloud.ended(str(started["executionArn"]), seconds=90)
        assert ended["status"] == "SUCCEEDED", ended
        told: dict[str, Any] = json.loads(ended["output"])
        return told

    def job(self, name: str) -> dict[str, str]:
        """What the job of a run was told."""
        stored = self.cloud.client("s3").get_object(Bucket="starts", Key=f"training-runs/{name}/told.json")
        told: dict[str, str] = json.load(stored["Body"])
        return told


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    if not PYTHON.exists():
        pytest.skip("the emulator's environment is missing; run `make setup`")
    cloud = Cloud(tmp_path_factory.mktemp("training"), mended=True)
    cloud.start(CREDITMESH_SPARK_HOME_VENV=str(spark_venv(tmp_path_factory.mktemp("spark"))))
    try:
        yield Runs(cloud, prepared(cloud))
    finally:
        cloud.stop()


def prepared(cloud: Cloud) -> str:
    """Buckets, steps, the job; the machine's ARN."""
    storage, archive = cloud.client("s3"), io.BytesIO()
    for bucket in (DATA, ARTEFACTS, "starts"):
        storage.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("nothing.py", "")
    storage.put_object(Bucket=ARTEFACTS, Key="emr/none.zip", Body=archive.getvalue())
    storage.put_object(Bucket=ARTEFACTS, Key="emr/code/jobs/train_scorecard.py", Body=JOB.encode())
    for name, source in (("PrepareTrainingFunction", PREPARE), ("ProposeCandidateFunction", PROPOSE)):
        cloud.function(name, source, Timeout=30)
    made = cloud.client("emr-serverless").create_application(name="t", releaseLabel="emr-spark-8.0.0", type="SPARK")
    written = definition(
        {}, TRAINING, DataBucket=DATA, ArtefactBucket=ARTEFACTS, TrainingApplication=str(made["applicationId"]),
        SparkCode="code", TrainingJobRole=ROLE, TrainingMinutes="1", PrepareTrainingFunction="PrepareTrainingFunction",
        ProposeCandidateFunction="ProposeCandidateFunction",
        SparkParameters=f"--py-files s3://{ARTEFACTS}/emr/none.zip --conf spark.driver.memory=512m",
    )  # fmt: skip
    states = cloud.client("stepfunctions")
    created = states.create_state_machine(name="training", definition=json.dumps(written), roleArn=ROLE)
    return str(created["stateMachineArn"])


@pytest.mark.parametrize("name", REFUSED)
def test_refused(runs: Runs, name: str) -> None:
    """With every broken rule by its field."""
    given, problems = REFUSED[name]
    told = runs.output(name, given)
    assert told == {"outcome": "refused", "problems": [{"field": field, "rule": rule} for field, rule in problems]}


def test_proposed_from_the_platforms_labels(runs: Runs) -> None:
    told = runs.output("labels.1", {"model_id": "origination"})
    assert (told["outcome"], told["version"], told["by"]) == ("proposed", "2.1.0", "training")
    place = f"s3://{DATA}/training-runs/labels.1/"
    assert runs.job("labels.1") == {
        "--run-id": "labels.1",
        "--config-uri": f"s3://{ARTEFACTS}/models/origination-training.json",
        "--champion-uri": f"{place}champion.json",
        "--output-uri": place,
        "--labels-uri": f"{place}labels/",
        "--reports-uri": f"s3://{DATA}/reports/",
    }


def test_proposed_from_rows_that_are_given(runs: Runs) -> None:
    told = runs.output("rows.1", {"model_id": "origination", "training_set": SET, "by": "officer-1"})
    assert (told["outcome"], told["by"]) == ("proposed", "officer-1")
    job = runs.job("rows.1")
    assert job["--data-uri"] == f"s3://{DATA}/{SET}/"
    assert "--labels-uri" not in job


def test_gates_failed(runs: Runs) -> None:
    told = runs.output("poisoned.1", {"model_id": "origination"})
    assert (told["outcome"], told["failed_gates"]) == ("gates_failed", ["label_jump"])


def test_training_set_invalid(runs: Runs) -> None:
    told = runs.output("useless.1", {"model_id": "origination", "training_set": SET})
    assert (told["outcome"], told["code"]) == ("training_set_invalid", "one_class_only")


def test_nothing_to_learn(runs: Runs) -> None:
    told = runs.output("unlabelled.1", {"model_id": "origination"})
    assert (told["outcome"], told["goods"], told["bads"]) == ("nothing_to_learn", 2, 0)


@pytest.mark.parametrize(
    ("name", "stage", "error"),
    [
        ("unprepared.1", "PrepareTraining", "KeyError"),
        ("broken.1", "TrainScorecard", "States.TaskFailed"),
        ("silent.1", "ReadSummary", "S3.NoSuchKeyException"),
        ("unproposed.1", "ProposeCandidate", "KeyError"),
    ],
)
def test_failed_with_its_stage(runs: Runs, name: str, stage: str, error: str) -> None:
    told = runs.output(name, {"model_id": "origination"})
    assert (told["outcome"], told["stage"], told["error"]) == ("failed", stage, error)


def test_every_expression_can_be_read_and_every_task_has_its_time() -> None:
    document = template.definition(TRAINING)
    assert read_expressions(document) > 15
    tasks = tasks_of(document)
    assert len(tasks) == 4
    for task in tasks:
        assert {"TimeoutSeconds", "Retry", "Catch"} <= set(task)
        assert task["Retry"][0]["JitterStrategy"] == "FULL"
        assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
