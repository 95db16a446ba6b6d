"""A stack's life in the embedded cloud as the deployment leads it: failed creation, update beside Spark, deletion."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cloud import stack as stacks
from cloud.stack import DeployFailed, Stack

from .clouds import PYTHON, REGION, ROOT, Cloud, eventually

APPLICATION = {
    "Type": "AWS::EMRServerless::Application",
    "Properties": {"Name": "one", "Type": "SPARK", "ReleaseLabel": "emr-spark-8.0.0"},
}
TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "DeletionPolicy": "RetainExceptOnCreate",
    "Properties": {
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    },
}
NEVER = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
BROKEN = {
    "Type": "AWS::CloudFormation::WaitCondition", "DependsOn": ["Table", "Application"],
    "Properties": {"Handle": {"Ref": "Never"}, "Timeout": "1"},
}  # fmt: skip


class Deployed:
    """One stack and what it is made of."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.cloud, self.name, self._count = cloud, name, 0
        self.stack = Stack(cloud.client, name, pause=0.05)
        cloud.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def change(self, **resources: Any) -> None:
        self._count += 1
        body = json.dumps({"Resources": resources})
        self.cloud.client("s3").put_object(Bucket=self.name, Key="template", Body=body)
        self.stack.change(f"change-{self._count}", f"{self.cloud.endpoint}/{self.name}/template", {})

    def physical(self) -> dict[str, str]:
        found = self.cloud.client("cloudformation").describe_stack_resources(StackName=self.name)["StackResources"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}

    def application(self) -> dict[str, Any]:
        made = self.physical()["Application"]
        return dict(self.cloud.client("emr-serverless").get_application(applicationId=made)["application"])

    def start(self) -> None:
        self.cloud.client("emr-serverless").start_application(applicationId=self.physical()["Application"])


@pytest.fixture
def deployed(mended: Cloud, name: str) -> Deployed:
    return Deployed(mended, name)


def table(**properties: Any) -> dict[str, Any]:
    return {**TABLE, "Properties": {**TABLE["Properties"], **properties}}


def test_a_failed_creation_is_followed_by_a_good_one(deployed: Deployed) -> None:
    named = table(TableName=f"{deployed.name}-table")
    with pytest.raises(DeployFailed, match="ROLLBACK_COMPLETE"):
        deployed.change(Table=named, Application=APPLICATION, Never=NEVER, Broken=BROKEN)
    deployed.stack.require_ready()
    deployed.stack.delete_failed_creation()
    assert deployed.stack.found() is None
    deployed.change(Table=named, Application=APPLICATION)
    assert deployed.physical()["Table"] == f"{deployed.name}-table", "the first one's table was not left behind"
    policy = deployed.cloud.client("cloudformation").get_stack_policy(StackName=deployed.name)
    assert policy["StackPolicyBody"] == stacks.POLICY


def test_the_application_stops_only_for_its_own_changes(deployed: Deployed) -> None:
    deployed.change(Table=TABLE, Application=APPLICATION)
    deployed.start()
    deployed.change(Table=table(Tags=[{"Key": "a", "Value": "b"}]), Application=APPLICATION)
    assert deployed.application()["state"] == "STARTED"
    larger = {**APPLICATION["Properties"], "MaximumCapacity": {"Cpu": "8 vCPU", "Memory": "32 GB"}}
    deployed.change(Table=TABLE, Application={**APPLICATION, "Properties": larger})
    found = deployed.application()
    assert found["state"] == "STOPPED"
    assert found["maximumCapacity"]["cpu"] == "8 vCPU"
    assert found["autoStartConfiguration"]["enabled"]


def test_a_deletion_stops_the_application_and_leaves_the_table(deployed: Deployed) -> None:
    deployed.change(Table=TABLE, Application=APPLICATION)
    deployed.start()
    physical = deployed.physical()
    assert {name: one["PhysicalResourceId"] for name, one in deployed.stack.delete().items()} == {
        "Table": physical["Table"]
    }
    assert deployed.stack.found() is None
    assert deployed.cloud.client("dynamodb").describe_table(TableName=physical["Table"])["Table"]
    assert deployed.stack.delete() == {}


SMALL = """
Parameters:
  SparkCode: {Type: String, AllowedPattern: "[0-9a-f]{16}"}
  Note: {Type: String, Default: first}
Resources:
  Bucket: {Type: AWS::S3::Bucket, DeletionPolicy: Retain}
  Code: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub "${SparkCode} ${Note}"}}
Outputs:
  ArtefactBucket: {Value: !Ref Bucket}
  Code: {Value: !Ref Code}
"""


def test_a_deployment_of_the_whole_command(mended: Cloud, name: str, tmp_path: Path) -> None:
    """Code by digest, an address book that only a deployment with the file changes, no tags, nothing done twice."""
    template, book, values = tmp_path / "template.yaml", tmp_path / "book.json", tmp_path / "values.json"
    template.write_text(SMALL)
    book.write_text('{"first": {}}')
    values.write_text('{"Note": "second"}')

    def deploy(*options: str) -> dict[str, str]:
        command = [str(PYTHON), "-m", "cloud.deploy", "--endpoint", mended.endpoint, "--template", str(template),
                   "--stack", name, "--package-bucket", f"{name}-packages", *options]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "local")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    storage, cloudformation, parameters = (mended.client(one) for one in ("s3", "cloudformation", "ssm"))

    def read(key: str) -> bytes:
        return bytes(storage.get_object(Bucket=outputs["ArtefactBucket"], Key=key)["Body"].read())

    def change_sets() -> list[str]:
        return [one["ChangeSetName"] for one in cloudformation.list_change_sets(StackName=name)["Summaries"]]

    outputs = deploy("--institutions", str(book))
    code, note = parameters.get_parameter(Name=outputs["Code"])["Parameter"]["Value"].split()
    assert note == "first"
    assert read(f"emr/{code}/jobs/score_applications.py") == (ROOT / "emr/jobs/score_applications.py").read_bytes()
    assert read("institutions.json") == b'{"first": {}}'
    assert not cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("Tags")
    made = change_sets()
    assert deploy() == outputs, "what was deployed stands in the package bucket"
    assert change_sets() == made
    assert read("institutions.json") == b'{"first": {}}'
    book.write_text('{"second": {}}')
    deploy("--institutions", str(book))
    assert change_sets() == made, "the address book is no part of the stack"
    assert read("institutions.json") == b'{"second": {}}'
    deploy("--parameters", str(values))
    assert change_sets() != made
    assert parameters.get_parameter(Name=outputs["Code"])["Parameter"]["Value"].split()[1] == "second"
    assert read("institutions.json") == b'{"second": {}}'
    cloudformation.delete_stack(StackName=name)
    assert eventually(lambda: Stack(mended.client, name).found() is None)
    again = deploy()
    assert again["ArtefactBucket"] != outputs["ArtefactBucket"], "the record of a stack that is gone says nothing"
