"""Where the conformance tests run: an embedded cloud of their own, or an AWS account."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from cloud.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).with_name("template.yaml")
CLOUD_PYTHON = ROOT / ".venvs" / "cloud" / "bin" / "python"


def eventually(found: Callable[[], Any], seconds: float) -> Any:
    """The first true value of ``found()`` within so many seconds, else its last one."""
    deadline = time.monotonic() + seconds
    while not (value := found()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return value


@dataclass(frozen=True)
class Place:
    """An endpoint, or an account."""

    endpoint: str | None
    """The embedded cloud's address; None on AWS."""
    region: str
    """Where."""
    packages: str
    """Bucket of templates and code."""
    patience: float = 1.0
    """How much longer things take than in the embedded cloud."""

    @cache  # noqa: B019 (one place per session)
    def client(self, service: str) -> Any:
        """A boto3 client."""
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"} if self.endpoint else {}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=self.region, **keys)  # type: ignore[call-overload]

    def eventually(self, found: Callable[[], Any], seconds: float = 10.0) -> Any:
        """The first true value of ``found()``, with this place's patience."""
        return eventually(found, seconds * self.patience)

    def deploy(self, stage: str, folder: Path, **parameters: str) -> subprocess.CompletedProcess[str]:
        """Deploy the conformance stack as the platform is deployed."""
        file = folder / f"{stage}.json"
        embedded = "yes" if self.endpoint else "no"
        file.write_text(json.dumps({"Stage": stage, "Embedded": embedded, **parameters}))
        command = [
            str(CLOUD_PYTHON), "-m", "cloud.deploy", "--template", str(TEMPLATE), "--stack", stack(stage),
            "--parameters", str(file), "--region", self.region, "--package-bucket", self.packages,
        ]  # fmt: skip
        command += ["--endpoint", self.endpoint] if self.endpoint else []
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "local")}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def delete(self, stage: str) -> None:
        """Take a conformance stack away, as the platform's are, with what it keeps; nothing where there is none."""
        storage, tables = self.client("s3"), self.client("dynamodb")
        made = self.outputs(stage)
        for bucket in filter(None, (made.get("Objects"), made.get("FailedBatches"))):  # empty, or they are not deleted
            for one in storage.list_objects_v2(Bucket=bucket).get("Contents", []):
                storage.delete_object(Bucket=bucket, Key=one["Key"])
        Stack(self.client, stack(stage), pause=0.1 if self.endpoint else 3.0).delete()
        with contextlib.suppress(tables.exceptions.ResourceNotFoundException):
            tables.delete_table(TableName=table(stage))

    def status(self, stage: str) -> str | None:
        """How a stack stands; None where there is none."""
        try:
            return str(
                self.client("cloudformation").describe_stacks(StackName=stack(stage))["Stacks"][0]["StackStatus"]
            )
        except ClientError:
            return None

    def outputs(self, stage: str) -> dict[str, str]:
        """A stack's outputs."""
        try:
            found = self.client("cloudformation").describe_stacks(StackName=stack(stage))["Stacks"][0]
        except ClientError:
            return {}
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}

    def invoke(self, function: str, event: Any) -> Any:
        """A function's answer."""
        return json.loads(
            self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))["Payload"].read()
        )

    def start(self, machine: str, given: Any, name: str) -> str:
        """Start an execution; its ARN."""
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=machine, name=name, input=json.dumps(given)
        )
        return str(started["executionArn"])

    def ended(self, execution: str, seconds: float = 15.0) -> dict[str, Any]:
        """An execution once it has ended."""
        states = self.client("stepfunctions")
        self.eventually(lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING", seconds)
        described: dict[str, Any] = states.describe_execution(executionArn=execution)
        assert described["status"] != "RUNNING", f"{execution} still runs"
        return described

    def item(self, stage: str, key: str) -> dict[str, Any] | None:
        """An item of the conformance table."""
        found = self.client("dynamodb").get_item(TableName=table(stage), Key={"pk": {"S": key}}, ConsistentRead=True)
        return found.get("Item")

    def items(self, stage: str, beginning: str) -> int:
        """How many items of the conformance table have a key that begins so."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(
            TableName=table(stage), Select="COUNT", ConsistentRead=True, FilterExpression="begins_with(pk, :beginning)",
            ExpressionAttributeValues={":beginning": {"S": beginning}},
        )  # fmt: skip
        return sum(page["Count"] for page in pages)


def stack(stage: str) -> str:
    """The stack's name."""
    return f"creditmesh-{stage}-conformance"


def table(stage: str) -> str:
    """The stack's table."""
    return f"creditmesh-{stage}-conformance-items"
