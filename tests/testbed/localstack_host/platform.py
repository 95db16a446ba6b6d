"""The whole platform on LocalStack's core in host mode, with MiniStack beside it for what is forwarded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3

from localstack_host.config import LACKING, LOCALSTACK_VERSION, PYTHONPATH, SUBSTITUTED
from run import stack
from run.errors import RunError
from run.places import INSTITUTIONS, ROOT, Ports
from run.platform import LocalPlatform

PYTHON = ROOT / ".venvs" / "localstack" / "bin" / "python"
TITLE = f"LocalStack core {LOCALSTACK_VERSION} in host mode"
_START_SECONDS = 120.0


class LocalStackPorts(Ports):
    """A block of ports: LocalStack first, then each institution, then MiniStack."""

    @property
    def forwarded(self) -> int:
        """MiniStack's port."""
        return self.institutions + INSTITUTIONS

    def all(self) -> list[int]:
        """Every port used."""
        return [*super().all(), self.forwarded]


class LocalStackPlatform(LocalPlatform):
    """One instance; everything below ``state_dir``."""

    ports: LocalStackPorts

    def __init__(self, state_dir: Path, ports: LocalStackPorts | None = None, *, population: int = 400) -> None:
        if not PYTHON.exists():
            raise RunError("LocalStack is not installed; run `python3 local/setup.py --with localstack`.")
        super().__init__(state_dir, ports or LocalStackPorts(), population=population)

    @property
    def forwarded_endpoint(self) -> str:
        """Where MiniStack listens."""
        return f"http://127.0.0.1:{self.ports.forwarded}"

    def _start_cloud(self) -> None:
        common = {"PYTHONPATH": PYTHONPATH}
        cloud = {
            "GATEWAY_PORT": str(self.ports.forwarded), "STATE_DIR": str(self.places.cloud),
            "AWS_ENDPOINT_URL_KMS": self.endpoint,  # Spark jobs run there, but the keys are LocalStack's
        }  # fmt: skip
        self.supervisor.start(
            "forwarded", [str(stack.CLOUD_PYTHON), "-m", "cloud.server"],
            {**common, **cloud, "MINISTACK_REGION": stack.REGION},
            f"{self.forwarded_endpoint}/_ministack/health", timeout=_START_SECONDS,
        )  # fmt: skip
        own = {
            "CREDITMESH_LOCALSTACK_PORT": str(self.ports.cloud), "CREDITMESH_FORWARD_TO": self.forwarded_endpoint,
            "CREDITMESH_LOCALSTACK_STATE": str(self.places.state_dir / "localstack"),
        }  # fmt: skip
        self.supervisor.start(
            "localstack", [str(PYTHON), "-m", "localstack_host.server"], {**common, **own},
            f"{self.endpoint}/_localstack/health", timeout=_START_SECONDS,
        )  # fmt: skip

    def _start_spark(self) -> None:
        """EMR Serverless runs in MiniStack and fetches jobs and models there."""
        copy_objects(self.aws("s3"), _forwarded_client("s3", self.forwarded_endpoint), self.outputs["ArtefactBucket"])
        super()._start_spark()


def copy_objects(source: Any, target: Any, bucket: str) -> int:
    """Copy every object of a bucket to the bucket of the same name elsewhere, made where missing; how many."""
    if bucket not in {known["Name"] for known in target.list_buckets()["Buckets"]}:
        target.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": stack.REGION})
    pages = source.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    for key in keys:
        target.put_object(Bucket=bucket, Key=key, Body=source.get_object(Bucket=bucket, Key=key)["Body"].read())
    return len(keys)


def _forwarded_client(service: str, endpoint: str) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=endpoint, region_name=stack.REGION, **keys)  # type: ignore[call-overload]


def banner() -> str:
    """What must stand at the top of every run on it."""
    told = [f"{TITLE}; substituted:", *(f"  - {line}" for line in SUBSTITUTED)]
    return "\n".join([*told, "not there:", *(f"  - {line}" for line in LACKING)])
