"""Builds and deploys template.yaml to the embedded cloud; does nothing if nothing has changed.

Run with ``.venvs/cloud/bin/python -m cloud.deploy --endpoint http://127.0.0.1:4566 --parameters parameters.json``. With
``--stage`` the artefacts are built for AWS (arm64) and no endpoint is set: the AWS CLI uses its own settings.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from cloud import build, models, spark_code, template
from cloud.emr_applications import NotStopped
from cloud.stack import DeployFailed, Stack

ADDRESS_BOOK = "institutions.json"
"""Key of the institutions' addresses in the bucket of artefacts (creditmesh.platform.institutions)."""
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Deployment:
    """What to deploy, and where."""

    endpoint: str | None
    """URL of the embedded cloud; None for AWS."""
    template: Path = ROOT / "template.yaml"
    parameters: Mapping[str, str] = field(default_factory=dict)
    stack: str = "creditmesh"
    build_dir: Path = ROOT / "build"
    region: str = "eu-west-1"
    package_bucket: str = "creditmesh-packages"
    """Bucket for code archives and the deployment record; created if missing."""
    artefact_output: str = "ArtefactBucket"
    """Stack output with the bucket for jobs and models; without it none are uploaded."""
    signing_key_output: str = "ModelSigningKeyArn"
    """Stack output with the key that signs models; without it no models are uploaded."""
    stage: bool = False
    """Build for AWS instead of this machine."""
    uploads: Mapping[str, Path] = field(default_factory=dict)
    """Additional files for the bucket of artefacts, by key."""

    def run(self) -> dict[str, str]:
        """Build, package, upload and deploy; returns the stack's outputs.

        Files of the jobs are uploaded before the stack changes, so that it never refers to missing objects. Only before
        the first deployment there is no bucket yet.

        Raises:
            DeployFailed: a step failed.
            NotStopped: an EMR Serverless application that the deployment changes could not be stopped.
        """
        self.build_dir.mkdir(parents=True, exist_ok=True)
        with (self.build_dir / "lock").open("w") as alone:
            fcntl.flock(alone, fcntl.LOCK_EX)  # several platforms on this machine share the build folder
            self._stack.require_ready()
            layer = build.layer_archive(ROOT, self.build_dir, stage=self.stage)
            code = spark_code.collect(ROOT, self.build_dir)
            values = self._values(code)
            wanted = self._fingerprint(layer, values)
            before = self._stack.outputs()
            self._upload(before, code)
            if self._deployed() != wanted:
                replaced = self._stack.parameters().get(spark_code.PARAMETER, "")
                self._package_and_deploy(wanted, values)
                outputs = self._stack.outputs()
                self._upload(outputs, code)
                self._record(wanted)
                self._prune(outputs, {code.digest, replaced})
        return self._stack.outputs()

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"} if self.endpoint else {}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=self.region, **keys)  # type: ignore[call-overload]

    @cached_property
    def _stack(self) -> Stack:
        return Stack(self.client, self.stack, **({"pause": 0.1} if self.endpoint else {}))

    def _values(self, code: spark_code.SparkCode) -> dict[str, str]:
        declared = template.parse(self.template.read_text("utf-8")).get("Parameters") or {}
        own = {spark_code.PARAMETER: code.digest} if spark_code.PARAMETER in declared else {}
        return {**self.parameters, **own}

    def _fingerprint(self, layer: str, values: Mapping[str, str]) -> str:
        folder = self.template.parent
        names = ("functions", "infrastructure/generated", "stepfunctions", "nested")
        sources = [path for path in (self.template, *(folder / name for name in names)) if path.exists()]
        return build.digest(sources, layer + json.dumps(dict(values), sort_keys=True))

    @property
    def _record_key(self) -> str:
        return f"deployed/{self.stack}.json"

    def _state(self, stack: Mapping[str, Any]) -> dict[str, str]:
        """Identifies the stack and its last change, so that the record of another deployment is ignored."""
        return {
            "stack": stack["StackId"],
            "changed": str(stack.get("LastUpdatedTime", stack["CreationTime"])),
        }

    def _deployed(self) -> str | None:
        """Fingerprint of the deployed content, from the record in the package bucket; None if unknown.

        Not a stack tag: CloudFormation passes those on to all resources, so each deployment would change all of them,
        including EMR Serverless applications, which cannot change while started.
        """
        stack, storage = self._stack.found(), self.client("s3")
        if stack is None or not stack["StackStatus"].endswith("_COMPLETE") or "ROLLBACK" in stack["StackStatus"]:
            return None
        try:
            record = json.loads(storage.get_object(Bucket=self.package_bucket, Key=self._record_key)["Body"].read())
        except storage.exceptions.ClientError:
            return None
        known = all(record.get(name) == value for name, value in self._state(stack).items())
        return str(record.get("fingerprint")) if known else None

    def _record(self, fingerprint: str) -> None:
        stack = self._stack.found()
        if stack is not None:
            body = json.dumps({**self._state(stack), "fingerprint": fingerprint}).encode()
            self.client("s3").put_object(Bucket=self.package_bucket, Key=self._record_key, Body=body)

    def _package_and_deploy(self, fingerprint: str, values: Mapping[str, str]) -> None:
        self._make_package_bucket()
        document = json.dumps(template.packaged(self.template, cache(self._store))).encode()
        key = f"{hashlib.sha256(document).hexdigest()[:32]}.template"
        self.client("s3").put_object(Bucket=self.package_bucket, Key=key, Body=document)
        self._stack.delete_failed_creation()
        self._stack.change(f"deploy-{fingerprint[:12]}-{int(time.time())}", f"{self._bucket_url()}/{key}", values)

    def _store(self, path: Path) -> str:
        """Upload a file, or a folder as an archive, to the package bucket, named by its digest."""
        if path.is_dir():
            folder, path = path, self.build_dir / f"{path.name}.zip"
            build.archive(folder, path)
        key = f"{build.digest([path])[:32]}{path.suffix}"
        self._send(self.client("s3"), self.package_bucket, key, path)
        return f"s3://{self.package_bucket}/{key}"

    def _bucket_url(self) -> str:
        if self.endpoint:
            return f"{self.endpoint}/{self.package_bucket}"
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return f"https://{self.package_bucket}.s3.{self.region}.{suffix}"

    def _make_package_bucket(self) -> None:
        storage = self.client("s3")
        if self.package_bucket not in {bucket["Name"] for bucket in storage.list_buckets()["Buckets"]}:
            storage.create_bucket(
                Bucket=self.package_bucket, CreateBucketConfiguration={"LocationConstraint": self.region}
            )

    def _upload(self, outputs: Mapping[str, str], code: spark_code.SparkCode) -> None:
        """Upload jobs, their imports and models, except for objects that exist."""
        bucket = outputs.get(self.artefact_output)
        if bucket is None:
            return
        files = {f"models/{path.name}": path for path in sorted((ROOT / "models").glob("*-training.json"))}
        files |= {**code.files, **self.uploads}
        storage = self.client("s3")
        for key, path in files.items():
            self._send(storage, bucket, key, path)
        signing_key = outputs.get(self.signing_key_output)
        if signing_key is not None:
            self._upload_models(bucket, signing_key)

    def _send(self, storage: Any, bucket: str, key: str, path: Path) -> None:
        mark = build.digest([path])
        if self._mark(storage, bucket, key) != mark:
            with path.open("rb") as body:
                storage.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"sha256": mark})

    def _prune(self, outputs: Mapping[str, str], in_use: set[str]) -> None:
        bucket = outputs.get(self.artefact_output)
        if bucket is not None:
            spark_code.prune(self.client("s3"), bucket, in_use)

    def _upload_models(self, bucket: str, signing_key: str) -> None:
        """Upload the shipped models, signed, except for those that exist."""
        storage = self.client("s3")
        for path in models.shipped(ROOT / "models"):
            mark = build.digest([path], signing_key)
            for key in models.keys(path):
                if self._mark(storage, bucket, key) != mark:
                    body = models.signed(self.client("kms"), signing_key, path)
                    storage.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"sha256": mark})

    @staticmethod
    def _mark(storage: Any, bucket: str, key: str) -> str | None:
        try:
            return str(storage.head_object(Bucket=bucket, Key=key)["Metadata"].get("sha256"))
        except storage.exceptions.ClientError:
            return None


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--endpoint", help="URL of the embedded cloud; none for AWS")
    arguments.add_argument("--template", type=Path, default=Deployment.template)
    arguments.add_argument("--parameters", type=Path, help="JSON file of parameter values")
    arguments.add_argument("--institutions", type=Path, help="the institutions' address book; without it it stays")
    arguments.add_argument("--stack", default=Deployment.stack)
    arguments.add_argument("--region", default=Deployment.region)
    arguments.add_argument("--package-bucket", default=Deployment.package_bucket)
    arguments.add_argument("--stage", action="store_true", help="build for AWS (arm64, Python 3.13)")
    options = arguments.parse_args()
    started = time.monotonic()
    deployment = Deployment(
        endpoint=options.endpoint, template=options.template.resolve(), stack=options.stack, region=options.region,
        parameters=json.loads(options.parameters.read_text()) if options.parameters else {},
        package_bucket=options.package_bucket, stage=options.stage,
        uploads={ADDRESS_BOOK: options.institutions} if options.institutions else {},
    )  # fmt: skip
    try:
        outputs = deployment.run()
    except (DeployFailed, NotStopped, ClientError, subprocess.CalledProcessError) as problem:
        sys.exit(f"deployment failed: {problem}")
    print(json.dumps(outputs, indent=1))
    print(f"deployed in {time.monotonic() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
