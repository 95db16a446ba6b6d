"""Contract of ``mends/emr_serverless``: runs are real Spark processes, so these tests take some seconds each."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from cloud.job_log import told_last
from run.stack import RESIDENT_JVM
from tests.support.processes import below, living

from .clouds import REGION, ROOT, Cloud, eventually, refused
from .test_cloudformation import at_rest

# Reads its input and writes its answer through the emulator's S3; imports a helper sent along with --py-files.
JOB = """
import sys
import boto3
from pyspark.sql import SparkSession
from helper import WORD

bucket, count = sys.argv[1], int(sys.argv[2])
spark = SparkSession.builder.getOrCreate()
total = spark.range(count).selectExpr("sum(id) AS total").first()["total"]
boto3.client("s3").put_object(Bucket=bucket, Key="answer", Body=f"{WORD} {total} {spark.version}".encode())
spark.stop()
"""
# Fails until the bucket holds the key "go"; runs on without Spark's start, which these tests do not need.
FLAKY = """
import sys, time
import boto3
from botocore.exceptions import ClientError

storage = boto3.client("s3")
starts = storage.list_objects_v2(Bucket=sys.argv[1], Prefix="start-").get("KeyCount", 0)
storage.put_object(Bucket=sys.argv[1], Key=f"start-{starts + 1}", Body=b"")
if starts + 1 < int(sys.argv[2]):
    sys.exit(3)
if sys.argv[3] == "stay":
    time.sleep(300)
"""
# Reads and writes folders of S3 by Spark itself, as on EMR.
FOLDERS = """
import sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
lines = spark.read.text(sys.argv[2])
lines.selectExpr("upper(value) AS value").coalesce(1).write.mode("overwrite").text(sys.argv[3])
spark.stop()
"""


def bucket_with_jobs(cloud: Cloud, name: str) -> str:
    """A bucket that holds the two jobs and the helper."""
    import io
    import zipfile

    storage = cloud.client("s3")
    storage.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("helper.py", "WORD = 'helped'\n")
    storage.put_object(Bucket=name, Key="helper.zip", Body=archive.getvalue())
    storage.put_object(Bucket=name, Key="job.py", Body=JOB.encode())
    storage.put_object(Bucket=name, Key="flaky.py", Body=FLAKY.encode())
    storage.put_object(Bucket=name, Key="folders.py", Body=FOLDERS.encode())
    return name


def application(cloud: Cloud, name: str) -> str:
    """A Spark application; returns its id."""
    made = cloud.client("emr-serverless").create_application(name=name, releaseLabel="emr-spark-8.0.0", type="SPARK")
    return str(made["applicationId"])


def driver(bucket: str, file: str, *arguments: str) -> dict[str, Any]:
    """A job driver as boto3 takes it."""
    return {
        "sparkSubmit": {
            "entryPoint": f"s3://{bucket}/{file}",
            "entryPointArguments": [bucket, *arguments],
            "sparkSubmitParameters": f"--py-files s3://{bucket}/helper.zip {RESIDENT_JVM}",
        }
    }


def start(cloud: Cloud, number: str, job: dict[str, Any], **fields: Any) -> str:
    """Start a run; returns its id."""
    role = "arn:aws:iam::000000000000:role/spark"
    run = cloud.client("emr-serverless").start_job_run(
        applicationId=number, executionRoleArn=role, jobDriver=job, **{"clientToken": uuid.uuid4().hex, **fields}
    )
    return str(run["jobRunId"])


def state(cloud: Cloud, number: str, run: str) -> str:
    """The run's state."""
    return str(cloud.client("emr-serverless").get_job_run(applicationId=number, jobRunId=run)["jobRun"]["state"])


@pytest.mark.thorough
def test_upstream_has_no_emr_serverless(vanilla: Cloud, name: str) -> None:
    """The day this fails, look whether upstream's own is enough."""
    with pytest.raises((ClientError, EndpointConnectionError)):
        application(vanilla, name)


def test_a_started_application_stays_as_it_is(mended: Cloud, name: str) -> None:
    """Neither changed nor deleted before it is stopped; what may be changed meanwhile can be."""
    number, emr = application(mended, name), mended.client("emr-serverless")
    emr.start_application(applicationId=number)
    code, message = refused(
        lambda: emr.update_application(applicationId=number, autoStopConfiguration={"enabled": False})
    )
    assert code == "ValidationException"
    assert message.startswith(
        "Only the following configurations can be updated when an application is in STARTED state"
    )
    emr.update_application(applicationId=number, maximumCapacity={"cpu": "4 vCPU", "memory": "16 GB"})
    code, message = refused(lambda: emr.delete_application(applicationId=number))
    assert (code, message.rpartition(". ")[2]) == ("ValidationException", "Current status: STARTED")
    emr.stop_application(applicationId=number)
    emr.update_application(applicationId=number, autoStopConfiguration={"enabled": False})
    emr.delete_application(applicationId=number)


def test_a_stack_fails_on_a_started_application(mended: Cloud, name: str) -> None:
    """Also where no more than a tag of the stack was changed; its deletion fails too."""
    stacks = mended.client("cloudformation")
    properties = {"ReleaseLabel": "emr-7.2.0", "Type": "SPARK", "Name": name}
    template = json.dumps(
        {"Resources": {"Spark": {"Type": "AWS::EMRServerless::Application", "Properties": properties}}}
    )

    def update(value: str) -> str:
        stacks.update_stack(StackName=name, TemplateBody=template, Tags=[{"Key": "fingerprint", "Value": value}])
        return str(at_rest(mended, name)["StackStatus"])

    stacks.create_stack(StackName=name, TemplateBody=template, Tags=[{"Key": "fingerprint", "Value": "1"}])
    at_rest(mended, name)
    number = stacks.describe_stack_resources(StackName=name)["StackResources"][0]["PhysicalResourceId"]
    emr = mended.client("emr-serverless")
    assert update("2") == "UPDATE_COMPLETE"
    emr.start_application(applicationId=number)
    assert update("3").startswith("UPDATE_ROLLBACK_")
    stacks.delete_stack(StackName=name)
    assert at_rest(mended, name)["StackStatus"] == "DELETE_FAILED"
    emr.stop_application(applicationId=number)
    stacks.delete_stack(StackName=name)
    assert eventually(lambda: "does not exist" in refused(lambda: at_rest(mended, name))[1])


@pytest.mark.thorough
def test_a_batch_run_is_a_spark_process(mended: Cloud, name: str) -> None:
    """Spark computes, --py-files is importable, S3 is the emulator's, and the state machine waits for it."""
    bucket, number = bucket_with_jobs(mended, name), application(mended, name)
    job = driver(bucket, "job.py", "1000")
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::emr-serverless:startJobRun.sync", "End": True,
        "Arguments": {
            "ApplicationId": number, "ExecutionRoleArn": "arn:aws:iam::000000000000:role/spark",
            "JobDriver": {"SparkSubmit": {key[0].upper() + key[1:]: part for key, part in job["sparkSubmit"].items()}},
        },
    }  # fmt: skip
    ended = mended.run(mended.machine(name, {"Score": task}, "Score"), seconds=240)
    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(ended["output"])["State"] == "SUCCESS"
    answer = mended.client("s3").get_object(Bucket=bucket, Key="answer")["Body"].read().decode()
    assert answer == "helped 499500 4.0.2"


@pytest.mark.thorough
def test_a_batch_run_reads_and_writes_folders_of_s3(mended: Cloud, name: str) -> None:
    """By s3:// in Spark: what was there is overwritten, neighbours stay, and nothing is left beside the log."""
    bucket, number = bucket_with_jobs(mended, name), application(mended, name)
    storage = mended.client("s3")
    for key, text in (("in/a", "one"), ("in-2/b", "other"), ("out/old", "x"), ("out-2/x", "y")):
        storage.put_object(Bucket=bucket, Key=key, Body=text.encode())
    run = start(mended, number, driver(bucket, "folders.py", f"s3://{bucket}/in/", f"s3://{bucket}/out/"))
    assert eventually(lambda: state(mended, number, run) in ("SUCCESS", "FAILED"), 240)
    assert state(mended, number, run) == "SUCCESS"
    found = {entry["Key"] for entry in storage.list_objects_v2(Bucket=bucket)["Contents"] if "out" in entry["Key"]}
    (written,) = [key for key in found if key.startswith("out/part-")]
    assert found == {written, "out/_SUCCESS", "out-2/x"}
    assert storage.get_object(Bucket=bucket, Key=written)["Body"].read() == b"ONE\n"
    assert sorted(path.name for path in (mended.state_dir / "emr" / run).glob("s3*")) == []


def test_a_run_that_takes_too_long_is_cancelled(mended: Cloud, name: str) -> None:
    """By executionTimeoutMinutes; the state that waits for it fails with the run as its cause."""
    bucket, number = bucket_with_jobs(mended, name), application(mended, name)
    submit = driver(bucket, "flaky.py", "1", "stay")["sparkSubmit"]
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::emr-serverless:startJobRun.sync", "End": True,
        "Arguments": {
            "ApplicationId": number, "ExecutionRoleArn": "arn:aws:iam::000000000000:role/spark",
            "ExecutionTimeoutMinutes": 0.1,
            "JobDriver": {"SparkSubmit": {key[0].upper() + key[1:]: part for key, part in submit.items()}},
        },
    }  # fmt: skip
    ended = mended.run(mended.machine(name, {"Wait": task}, "Wait"), seconds=60)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
    run = json.loads(ended["cause"])
    assert (run["State"], run["StateDetails"]) == ("CANCELLED", "Job execution took longer than 0.1 minutes")
    assert eventually(lambda: not below(mended.pid, "flaky.py"), 10)


def test_a_failed_batch_run_fails_the_state(mended: Cloud, name: str) -> None:
    """With the end of its output in the cause; retryPolicy.maxAttempts is respected."""
    bucket, number = bucket_with_jobs(mended, name), application(mended, name)
    run = start(mended, number, driver(bucket, "flaky.py", "9", "end"), retryPolicy={"maxAttempts": 2})
    assert eventually(lambda: state(mended, number, run) == "FAILED", 240)
    starts = mended.client("s3").list_objects_v2(Bucket=bucket, Prefix="start-")["KeyCount"]
    assert starts == 2


def test_the_same_client_token_starts_one_run(mended: Cloud, name: str) -> None:
    """A repeat answers the first run's id; a run can be cancelled, and its processes are gone then."""
    bucket, number = bucket_with_jobs(mended, name), application(mended, name)
    job = driver(bucket, "flaky.py", "1", "stay")
    first = start(mended, number, job, clientToken="once")
    assert start(mended, number, job, clientToken="once") == first
    assert eventually(lambda: mended.client("s3").list_objects_v2(Bucket=bucket, Prefix="start-")["KeyCount"], 240)
    started = below(mended.pid, "flaky.py")
    assert started
    assert mended.client("emr-serverless").get_application(applicationId=number)["application"]["state"] == "STARTED"
    code, _ = refused(lambda: mended.client("emr-serverless").stop_application(applicationId=number))
    assert code == "ValidationException"
    mended.client("emr-serverless").cancel_job_run(applicationId=number, jobRunId=first)
    assert state(mended, number, first) in ("CANCELLED", "CANCELLING")
    assert eventually(lambda: not living(started), 10)
    runs = mended.client("emr-serverless").list_job_runs(applicationId=number)["jobRuns"]
    assert [run["id"] for run in runs] == [first]


def test_the_reason_of_a_failure_is_not_lost_among_stacks() -> None:
    """What the state's cause tells of it."""
    stack = "\n".join(f"\tat org.apache.spark.sql.Place{number}.call(Place.scala:{number})" for number in range(300))
    farewell = "26/11/22 06:45:23 INFO ShutdownHookManager: Deleting directory /somewhere\n" * 40
    log = f"started\nValueError: columns ['tax'] are not those of a clean row\n{stack}\n\t... 7 more\n{farewell}"
    assert told_last(log.encode()).endswith("ValueError: columns ['tax'] are not those of a clean row")
    assert len(told_last(("x" * 5_000).encode())) == 600


@pytest.mark.thorough
def test_a_streaming_run_comes_back(tmp_path: Path) -> None:
    """After a failure, by its retry policy; its processes end with the emulator, however that ends."""
    cloud = Cloud(tmp_path, mended=True).start()
    try:
        bucket, number = bucket_with_jobs(cloud, "jobs"), application(cloud, "stream")
        policy = {"maxFailedAttemptsPerHour": 5}
        run = start(cloud, number, driver(bucket, "flaky.py", "2", "stay"), mode="STREAMING", retryPolicy=policy)

        def starts() -> int:
            return int(cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="start-").get("KeyCount", 0))

        assert eventually(lambda: starts() == 2, 240)
        assert state(cloud, number, run) == "RUNNING"
        started = below(cloud.pid)
    finally:
        cloud.kill()
    assert started
    assert eventually(lambda: not living(started), 10)


@pytest.mark.thorough
def test_bundled_java(tmp_path: Path) -> None:
    """With no Java on the machine, the one from PyPI runs Spark behind a shim (DESIGN 12)."""
    uv = ROOT / ".venvs" / "uv" / "bin" / "uv"
    venv = tmp_path / "venv"
    if not uv.exists():
        pytest.skip("uv is missing; run `make setup`")
    subprocess.run([str(uv), "venv", "-q", str(venv)], check=True)
    locks = [str(ROOT / "locks" / lock) for lock in ("spark.txt", "java.txt")]
    done = subprocess.run(
        [str(uv), "pip", "sync", "-q", "--require-hashes", "--python", str(venv / "bin" / "python"), *locks],
        check=False,
    )
    if done.returncode:
        pytest.skip("no package index within reach")
    cloud = Cloud(tmp_path / "state", mended=True)
    cloud.start(CREDITMESH_JAVA="bundled", CREDITMESH_SPARK_HOME_VENV=str(venv))
    try:
        bucket, number = bucket_with_jobs(cloud, "jobs"), application(cloud, "java")
        run = start(cloud, number, driver(bucket, "job.py", "10"))
        assert eventually(lambda: state(cloud, number, run) in ("SUCCESS", "FAILED"), 240)
        assert state(cloud, number, run) == "SUCCESS"
        assert (tmp_path / "state" / "java" / "bin" / "java").exists()
    finally:
        cloud.stop()
        time.sleep(0.1)
