"""Build what template.yaml needs and deploy it to the embedded cloud; a second run with nothing changed does nothing.

Run with ``.venvs/cloud/bin/python -m cloud.deploy --endpoint http://127.0.0.1:4566 --parameters parameters.json``.
With ``--stage`` the artefacts are built for AWS (arm64) and no endpoint is set: the AWS CLI uses its own settings.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from awscli.customizations.cloudformation.yamlhelper import yaml_dump, yaml_parse  # type: ignore[import-not-found]

from cloud import build, models
from cloud.includes import inlined

# Standard library only: what EMR Serverless runs beside Spark itself (conventions 17).
_SPARK_PARTS = ("kernel", "risk", "gateway/keydata")
_LOCAL_PATHS = ("CodeUri", "ContentUri", "DefinitionUri", "TemplateURL")
ROOT = Path(__file__).resolve().parents[2]


class DeployFailed(Exception):
    """A step of the deployment failed; the message says which and why."""


def prepare(template: Path, build_dir: Path) -> Path:
    """The template as `aws cloudformation package` can take it; returns where it was written.

    That command does not know SAM's Globals: for a function without a CodeUri of its own it archives the whole folder
    of the template, virtual environments included. So each function gets the CodeUri from Globals, code folders are
    archived reproducibly first, and paths become absolute. Included files are put in their places.
    """
    document = inlined(yaml_parse(template.read_text()), template.parent, yaml_parse)
    shared = ((document.get("Globals") or {}).get("Function") or {}).pop("CodeUri", None)
    archives: dict[str, str] = {}
    for resource in document["Resources"].values():
        properties = resource.get("Properties") or {}
        if resource["Type"] == "AWS::Serverless::Function" and "InlineCode" not in properties:
            properties.setdefault("CodeUri", shared)
        for name in _LOCAL_PATHS:
            path = properties.get(name)
            if isinstance(path, str) and not path.startswith(("s3://", "http")):
                properties[name] = _packable(template.parent / path, build_dir, archives)
    target = build_dir / "prepared.yaml"
    target.write_text(yaml_dump(document))
    return target


def _packable(path: Path, build_dir: Path, archives: dict[str, str]) -> str:
    if not path.is_dir():
        return str(path)
    if str(path) not in archives:
        target = build_dir / f"{path.name}.zip"
        build.archive(path, target)
        archives[str(path)] = str(target)
    return archives[str(path)]


@dataclass
class Deployment:
    """What to deploy, and where.

    Attributes:
        endpoint: URL of the embedded cloud, or None for AWS.
        template: the SAM template.
        parameters: its parameter values.
        stack: the stack's name.
        build_dir: where artefacts are built.
        region: AWS region.
        package_bucket: bucket for code archives; made where it is missing.
        artefact_output: stack output that names the bucket for jobs and models; without such an output none are sent.
        signing_key_output: stack output that names the key that signs models; without it no models are sent.
        uploads: further files for the bucket of jobs and models, by key.
    """

    endpoint: str | None
    template: Path = ROOT / "template.yaml"
    parameters: Mapping[str, str] = field(default_factory=dict)
    stack: str = "creditmesh"
    build_dir: Path = ROOT / "build"
    region: str = "eu-west-1"
    package_bucket: str = "creditmesh-packages"
    artefact_output: str = "ArtefactBucket"
    signing_key_output: str = "ModelSigningKeyArn"
    stage: bool = False
    uploads: Mapping[str, Path] = field(default_factory=dict)

    def run(self) -> dict[str, str]:
        """Build, package, deploy, upload; returns the stack's outputs.

        Raises:
            DeployFailed: a step failed.
        """
        self.build_dir.mkdir(parents=True, exist_ok=True)
        with (self.build_dir / "lock").open("w") as alone:
            fcntl.flock(alone, fcntl.LOCK_EX)  # several platforms on this machine are built in one folder
            wanted = self._fingerprint(build.layer_archive(ROOT, self.build_dir, stage=self.stage))
            if self._deployed() != wanted:
                self._package_and_deploy(wanted)
            outputs = self.outputs()
            self._upload(outputs)
        return outputs

    def client(self, service: str) -> Any:
        """A boto3 client of the target."""
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"} if self.endpoint else {}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=self.region, **keys)  # type: ignore[call-overload]

    def _fingerprint(self, layer: str) -> str:
        folder = self.template.parent
        names = ("functions", "infrastructure", "stepfunctions", "nested")
        sources = [path for path in (self.template, *(folder / name for name in names)) if path.exists()]
        return build.digest(sources, layer + json.dumps(dict(self.parameters), sort_keys=True))

    def _deployed(self) -> str | None:
        """Fingerprint of what the stack holds; its tag survives with the stack, wherever we build."""
        stack = self._stack()
        if stack is None or not stack["StackStatus"].endswith("_COMPLETE") or "ROLLBACK" in stack["StackStatus"]:
            return None
        return next((tag["Value"] for tag in stack.get("Tags", []) if tag["Key"] == "fingerprint"), None)

    def _stack(self) -> dict[str, Any] | None:
        stacks = self.client("cloudformation")
        try:
            found: dict[str, Any] = stacks.describe_stacks(StackName=self.stack)["Stacks"][0]
        except stacks.exceptions.ClientError:
            return None
        return found

    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        stack = self._stack()
        return {output["OutputKey"]: output["OutputValue"] for output in (stack or {}).get("Outputs", [])}

    def _package_and_deploy(self, fingerprint: str) -> None:
        packaged = self.build_dir / "packaged.yaml"
        prepared = prepare(self.template, self.build_dir)
        self._make_package_bucket()
        self._aws("package", "--template-file", str(prepared), "--s3-bucket", self.package_bucket,
                  "--output-template-file", str(packaged))  # fmt: skip
        self._change(packaged, fingerprint)

    def _change(self, packaged: Path, fingerprint: str) -> None:
        """Create and execute a change set.

        What `aws cloudformation deploy` does, but that command looks for the end every 30 seconds only.
        """
        stacks, number = self.client("cloudformation"), f"deploy-{fingerprint[:12]}-{int(time.time())}"
        key = f"{build.digest([packaged])[:32]}.template"
        self.client("s3").put_object(Bucket=self.package_bucket, Key=key, Body=packaged.read_bytes())
        stack = self._stack()
        exists = stack is not None and stack["StackStatus"] not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
        stacks.create_change_set(
            StackName=self.stack, ChangeSetName=number, ChangeSetType="UPDATE" if exists else "CREATE",
            TemplateURL=f"{self._bucket_url()}/{key}", Tags=[{"Key": "fingerprint", "Value": fingerprint}],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )  # fmt: skip
        made = self._poll(lambda: stacks.describe_change_set(StackName=self.stack, ChangeSetName=number), "Status")
        if made["Status"] == "FAILED":
            if "No updates" in made.get("StatusReason", "") or "didn't contain changes" in made.get("StatusReason", ""):
                return
            raise DeployFailed(f"the change set of {self.stack}: {made.get('StatusReason')}")
        stacks.execute_change_set(StackName=self.stack, ChangeSetName=number)
        done = self._poll(lambda: stacks.describe_stacks(StackName=self.stack)["Stacks"][0], "StackStatus")
        if "ROLLBACK" in done["StackStatus"] or "FAILED" in done["StackStatus"]:
            raise DeployFailed(f"stack {self.stack} ended as {done['StackStatus']}{self._reasons()}")

    def _poll(self, describe: Callable[[], dict[str, Any]], field: str) -> dict[str, Any]:
        pause = 0.1 if self.endpoint else 3.0
        while True:
            found = describe()
            if not found[field].endswith(("_PENDING", "_IN_PROGRESS")):
                return found
            time.sleep(pause)

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

    def _aws(self, *arguments: str) -> None:
        environment = {**os.environ, "AWS_DEFAULT_REGION": self.region, "AWS_PAGER": ""}
        if self.endpoint:
            environment |= {
                "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            }  # fmt: skip
        command = [sys.executable, "-m", "awscli", "cloudformation", *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd=self.template.parent
        )
        if done.returncode:
            raise DeployFailed(
                f"aws cloudformation {arguments[0]} failed:\n{done.stderr or done.stdout}{self._reasons()}"
            )

    def _reasons(self) -> str:
        stacks = self.client("cloudformation")
        try:
            events = stacks.describe_stack_events(StackName=self.stack)["StackEvents"]
        except stacks.exceptions.ClientError:
            return ""
        bad = [event for event in events if "FAILED" in event["ResourceStatus"]]
        return "".join(f"\n{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in bad[:8])

    def _upload(self, outputs: Mapping[str, str]) -> None:
        """Jobs, what they import and models; an object that is there already is not sent again."""
        bucket = outputs.get(self.artefact_output)
        if bucket is None:
            return
        files = {f"emr/jobs/{path.name}": path for path in sorted((ROOT / "emr" / "jobs").glob("*.py"))}
        files |= {f"models/{path.name}": path for path in sorted((ROOT / "models").glob("*-training.json"))}
        package = self._spark_archive()
        if package is not None:
            files["emr/creditmesh-spark.zip"] = package
        files |= self.uploads
        storage = self.client("s3")
        for key, path in files.items():
            mark = build.digest([path])
            if self._mark(storage, bucket, key) != mark:
                with path.open("rb") as body:
                    storage.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"sha256": mark})
        signing_key = outputs.get(self.signing_key_output)
        if signing_key is not None:
            self._upload_models(bucket, signing_key)

    def _upload_models(self, bucket: str, signing_key: str) -> None:
        """The shipped models, signed, for nothing else decides (S10); one that is there under this key stays."""
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

    def _spark_archive(self) -> Path | None:
        """What jobs import, with the packages above it, importable by Spark's Python from --py-files."""
        source = ROOT / "layers" / "creditmesh" / "src" / "creditmesh"
        if not (source / "risk").is_dir():
            return None
        staging = self.build_dir / "spark"
        shutil.rmtree(staging, ignore_errors=True)
        for part in _SPARK_PARTS:
            shutil.copytree(source / part, staging / "creditmesh" / part, ignore=shutil.ignore_patterns("__pycache__"))
        training = ROOT / "emr" / "training"
        if training.is_dir():
            shutil.copytree(training, staging / "training", ignore=shutil.ignore_patterns("__pycache__", "data"))
        for package in {"", *(part.rpartition("/")[0] for part in _SPARK_PARTS)}:
            shutil.copy(source / package / "__init__.py", staging / "creditmesh" / package / "__init__.py")
        target = self.build_dir / "creditmesh-spark.zip"
        build.archive(staging, target)
        return target


def main() -> None:
    """Command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--endpoint", help="URL of the embedded cloud; none for AWS")
    arguments.add_argument("--template", type=Path, default=Deployment.template)
    arguments.add_argument("--parameters", type=Path, help="JSON file of parameter values")
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
    )  # fmt: skip
    try:
        outputs = deployment.run()
    except (DeployFailed, subprocess.CalledProcessError) as problem:
        sys.exit(f"deployment failed: {problem}")
    print(json.dumps(outputs, indent=1))
    print(f"deployed in {time.monotonic() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
