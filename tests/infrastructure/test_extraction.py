"""What the extraction of key data may do, and that it is told what it needs (C10; research aws.md 10)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cloud.iam import allowed
from creditmesh.decisions.serving.spark_settings import INTERPRETER, SCAN, SCAN_WORKERS, spark_submit_parameters
from tests.support import template
from tests.support.template import ROOT, of_type, walk

Template = dict[str, Any]
REFS = {
    "ArtefactBucket": "artefacts", "DataBucket": "data", "ArtefactBucket.Arn": "arn:aws:s3:::artefacts",
    "DataBucket.Arn": "arn:aws:s3:::data", "SparkLog.Arn": "log", "KeyDataSpark.Arn": "app",
    "KeyDataJobRole.Arn": "role", "ExtractionSparkParameters": "", "SparkCode": "code", **template.PSEUDO,
}  # fmt: skip


def statements(policies: list[Any]) -> list[dict[str, Any]]:
    """The statements written out in a resource itself, references filled in."""
    found: list[dict[str, Any]] = []
    for policy in policies:
        document = policy.get("PolicyDocument", policy)
        found += template.resolve(document.get("Statement", []), REFS)
    return found


@pytest.fixture
def job(source: Template) -> list[dict[str, Any]]:
    role = source["Resources"]["KeyDataJobRole"]["Properties"]
    assert role["ManagedPolicyArns"] == [{"Ref": "StorageKeyPolicy"}, {"Ref": "SparkJobPolicy"}]
    return statements([*role["Policies"], source["Resources"]["SparkJobPolicy"]["Properties"]])


@pytest.fixture
def machine(source: Template) -> dict[str, Any]:
    return dict(source["Resources"]["KeyDataExtraction"]["Properties"])


def test_placeholders_of_every_process_are_those_the_template_fills(source: Template) -> None:
    machines = of_type(source, "AWS::Serverless::StateMachine")
    assert len(machines) >= 3
    for name, properties in machines.items():
        text = (ROOT / properties["DefinitionUri"]).read_text(encoding="utf-8")
        found = set(re.findall(r"\$\{([A-Za-z]+)\}", text))
        assert found == set(properties["DefinitionSubstitutions"]), name


def test_the_job_reads_sets_and_writes_batches_and_reaches_nothing_else(job: list[dict[str, Any]]) -> None:
    reads = ("data/third-information/set/1.jsonl", "data/key-data-batches/x/rows/1", "artefacts/emr/code/jobs/j.py")
    assert all(allowed(job, "s3:GetObject", f"arn:aws:s3:::{place}") for place in reads)
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"):
        assert allowed(job, action, "arn:aws:s3:::data/key-data-batches/x/features/1")
    for place in ("data/third/1", "data/raw/1", "data/key-data/1", "data/reports/1", "artefacts/models/1"):
        assert not any(allowed(job, f"s3:{verb}Object", f"arn:aws:s3:::{place}") for verb in ("Get", "Put", "Delete"))
    assert not allowed(job, "s3:PutObject", "arn:aws:s3:::data/third-information/set/1.jsonl")
    assert {action.partition(":")[0] for one in job for action in one["Action"]} == {"s3", "logs"}


def test_the_process_may_start_this_job_and_read_its_summary(machine: dict[str, Any]) -> None:
    given = statements(machine["Policies"])
    assert allowed(given, "emr-serverless:StartJobRun", "app")
    for action in ("GetJobRun", "CancelJobRun", "TagResource"):
        assert allowed(given, f"emr-serverless:{action}", "app/jobruns/1")
    (passing,) = [one for one in given if one["Action"] == ["iam:PassRole"]]
    assert passing["Resource"] == "role"
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "emr-serverless.amazonaws.com"}}
    assert allowed(given, "s3:GetObject", "arn:aws:s3:::data/key-data-batches/x/summary.json")
    assert not allowed(given, "s3:GetObject", "arn:aws:s3:::data/key-data-batches/x/features/1")
    services = {action.partition(":")[0] for one in given for action in one["Action"]}
    assert services == {"emr-serverless", "iam", "s3", "logs"}


def test_the_places_of_the_definition_are_those_the_job_may_use(job: list[dict[str, Any]]) -> None:
    text = json.dumps(template.definition("key_data_extraction"))
    assert "'key-data-batches/' & $states.context.Execution.Name" in text
    assert allowed(job, "s3:GetObject", "arn:aws:s3:::artefacts/emr/code/jobs/extract_key_data.py")
    assert "/emr/${SparkCode}/jobs/extract_key_data.py" in text
    assert (ROOT / "emr/jobs/extract_key_data.py").exists()


def test_spark_is_set_as_for_scans_and_given_the_package(machine: dict[str, Any]) -> None:
    given = template.resolve(machine["DefinitionSubstitutions"]["SparkParameters"], REFS)
    settings = spark_submit_parameters({**SCAN, **SCAN_WORKERS, **INTERPRETER})
    assert given.strip() == f"--py-files s3://artefacts/emr/code/creditmesh-spark.zip {settings}"


def test_the_state_waits_longer_than_the_job_may_take_and_the_process_longer_still(source: Template) -> None:
    document = template.definition("key_data_extraction")
    longest = source["Parameters"]["ExtractionMinutes"]["MaxValue"]
    limits = [value for path, value in walk(document) if path == "States.ExtractKeyData.TimeoutSeconds"]
    assert limits == ["{% (${ExtractionMinutes} + 10) * 60 %}"]
    assert document["TimeoutSeconds"] > (longest + 10) * 60
    assert document["States"]["ExtractKeyData"]["Arguments"]["ExecutionTimeoutMinutes"] == "{% ${ExtractionMinutes} %}"


def test_copies_made_for_an_extraction_end_by_themselves(source: Template) -> None:
    """No consent's end reaches them (S09)."""
    rules = source["Resources"]["DataBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    days = {rule["Prefix"]: rule.get("ExpirationInDays") for rule in rules}
    assert days["third-information/"] == 7
    assert days["key-data-batches/"] == 30
