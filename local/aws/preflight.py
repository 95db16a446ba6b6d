"""Checks before a deployment changes anything; each finding is one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from aws.parameters import SET_BY_DEPLOYMENT
from aws.target import Refused, Target
from cloud.stack import CREATE_ROLLED_BACK, DeployFailed, Stack

_UNUSABLE = ("Disabled", "PendingDeletion")


@dataclass(frozen=True)
class Preflight:
    """The checks for one target."""

    session: Any
    target: Target
    template: Mapping[str, Any]
    values: Mapping[str, str]

    def check(self) -> None:
        """Run all checks.

        Raises:
            Refused: something must be fixed first.
        """
        self.package_bucket()
        self.log_role()
        self.stack()

    def _client(self, service: str) -> Any:
        return self.session.client(service)

    def package_bucket(self) -> None:
        """Bucket names are global: another account may have this one."""
        storage, name = self._client("s3"), self.target.package_bucket
        try:
            storage.head_bucket(Bucket=name, ExpectedBucketOwner=self.target.account)
        except ClientError as problem:
            if problem.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise Refused(
                    f"Bucket {name}, which code archives go to, belongs to another account or is closed to "
                    f"{self.target.caller} ({problem}); ask its owner, or deploy to another region."
                ) from problem

    def log_role(self) -> None:
        """API Gateway needs a role for access logs, set once per account and region.

        Without it the stack fails late.
        """
        if not self._client("apigateway").get_account().get("cloudwatchRoleArn"):
            raise Refused(
                f"API Gateway in {self.target.account}/{self.target.region} has no role for CloudWatch Logs, which "
                "access logs need; set one (docs/how-to/deploy-aws.md, Prerequisites)."
            )

    def stack(self) -> None:
        """Check whether the stack can be updated, or a new one can use the stage."""
        stack = Stack(self._client, self.target.stack)
        found = stack.found()
        if found is None:
            self.leftovers()
            return
        if not found.get("Description", "").startswith("creditmesh"):
            raise Refused(
                f"There is a stack {self.target.stack} in {self.target.place} that is no creditmesh stack "
                f"(«{found.get('Description', '')}»); choose another stage."
            )
        try:
            stack.require_ready()
        except DeployFailed as problem:
            raise Refused(str(problem)) from problem
        if found["StackStatus"] not in CREATE_ROLLED_BACK:  # else it is recreated
            self.set_back(found)
            self.secrets_and_keys(stack)

    def set_back(self, found: Mapping[str, Any]) -> None:
        """A parameter that is not given takes its default: the stack's other values must be given again."""
        summary = self._client("cloudformation").get_template_summary(StackName=self.target.stack)
        defaults = {parameter["ParameterKey"]: parameter.get("DefaultValue") for parameter in summary["Parameters"]}
        lost = sorted(
            f"{name}={value}"
            for name, value in ((one["ParameterKey"], one["ParameterValue"]) for one in found.get("Parameters", []))
            if name not in self.values and name not in SET_BY_DEPLOYMENT and name in self.template["Parameters"]
            and value != defaults.get(name)
        )  # fmt: skip
        if lost:
            raise Refused(
                f"Stack {self.target.stack} has {', '.join(lost)}, and this deployment would set that back; "
                "name it in PARAMETERS=file.json."
            )

    def secrets_and_keys(self, stack: Stack) -> None:
        """Secrets and keys of the stack that were deleted outside CloudFormation."""
        region = f"--region {self.target.region}"
        for one in stack.resources("AWS::SecretsManager::Secret"):
            name, secrets = one["PhysicalResourceId"], self._client("secretsmanager")
            try:
                gone = "DeletedDate" in secrets.describe_secret(SecretId=name)
            except secrets.exceptions.ResourceNotFoundException:
                raise Refused(
                    f"{one['LogicalResourceId']} of {self.target.stack} ({name}) was deleted; "
                    "see docs/how-to/deploy-aws.md, Rotation, for what depends on it."
                ) from None
            if gone:
                raise Refused(
                    f"{one['LogicalResourceId']} of {self.target.stack} is scheduled for deletion; restore it with "
                    f"`aws secretsmanager restore-secret {region} --secret-id {name}`."
                )
        for one in stack.resources("AWS::KMS::Key"):
            name = one["PhysicalResourceId"]
            state = self._client("kms").describe_key(KeyId=name)["KeyMetadata"]["KeyState"]
            if state in _UNUSABLE:
                cancel = f"aws kms cancel-key-deletion {region} --key-id {name} && " if state != "Disabled" else ""
                raise Refused(
                    f"{one['LogicalResourceId']} of {self.target.stack} is {state}, so its data is unreadable; "
                    f"restore it with `{cancel}aws kms enable-key {region} --key-id {name}`."
                )

    def leftovers(self) -> None:
        """Resources of a deleted stack of this stage whose names the new one needs."""
        found = [
            *(("dynamodb delete-table --table-name", name) for name in self._tables()),
            *(("logs delete-log-group --log-group-name", name) for name in self._log_groups()),
            *(
                ("secretsmanager delete-secret --force-delete-without-recovery --secret-id", name)
                for name in self._secrets()
            ),
        ]
        if found:
            commands = "".join(f"\n  aws {command} {name} --region {self.target.region}" for command, name in found)
            raise Refused(
                f"Stage {self.target.stage} has leftovers of a deleted stack: {', '.join(name for _, name in found)}; "
                "take them into a new stack (docs/how-to/deploy-aws.md, Taking a stage back), choose another stage, or "
                f"remove them, data and all:{commands}"
            )

    def _fixed_names(self, kind: str, property_name: str) -> set[str]:
        """Names that the template itself gives to resources of a type."""
        named = (
            (resource.get("Properties") or {}).get(property_name)
            for resource in self.template["Resources"].values()
            if resource["Type"] == kind
        )
        texts = (one.get("Fn::Sub") if isinstance(one, Mapping) else one for one in named)
        return {text.replace("${Stage}", self.target.stage) for text in texts if isinstance(text, str)}

    def _tables(self) -> Iterator[str]:
        wanted = self._fixed_names("AWS::DynamoDB::Table", "TableName")
        pages = self._client("dynamodb").get_paginator("list_tables").paginate()
        yield from (name for page in pages for name in page["TableNames"] if name in wanted)

    def _log_groups(self) -> Iterator[str]:
        wanted = self._fixed_names("AWS::Logs::LogGroup", "LogGroupName")
        pages = (
            self._client("logs")
            .get_paginator("describe_log_groups")
            .paginate(logGroupNamePrefix=f"/creditmesh/{self.target.stage}/")
        )
        yield from (
            group["logGroupName"] for page in pages for group in page["logGroups"] if group["logGroupName"] in wanted
        )

    def _secrets(self) -> Iterator[str]:
        wanted = self._fixed_names("AWS::SecretsManager::Secret", "Name")
        if wanted:
            pages = self._client("secretsmanager").get_paginator("list_secrets").paginate(IncludePlannedDeletion=True)
            yield from (one["Name"] for page in pages for one in page["SecretList"] if one["Name"] in wanted)
