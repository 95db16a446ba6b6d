"""One CloudFormation stack: created, updated and deleted by change sets.

It also handles what CloudFormation does not:

- A stack whose creation was rolled back cannot be updated: it is deleted and created again.
- A stack policy keeps updates from replacing or deleting resources with data.
- EMR Serverless refuses to change or delete a started application: it is stopped first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from cloud.emr_applications import APPLICATION, stopped

CREATE_ROLLED_BACK = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
_NOT_IMPLEMENTED = 501  # LocalStack has no stack policies
_BEGINS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
_REASONS = 8
_NO_CHANGES = ("No updates", "didn't contain changes")
_HOLDS_DATA = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::Cognito::UserPool",
               "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup")  # fmt: skip
POLICY = json.dumps(
    {
        "Statement": [
            {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"},
            {
                "Effect": "Deny", "Action": ["Update:Replace", "Update:Delete"], "Principal": "*", "Resource": "*",
                "Condition": {"StringEquals": {"ResourceType": _HOLDS_DATA}},
            },
        ]
    }
)  # fmt: skip
"""The stack policy. To lift it for one deployment see docs/how-to/deploy-aws.md; the next one restores it."""


class DeployFailed(Exception):
    """A step of the deployment failed; the message says which and why."""


class Stack:
    """A stack by its name.

    Args:
        client: creates a boto3 client of a service.
        name: the stack's name.
        pause: seconds between polls.
    """

    def __init__(self, client: Callable[[str], Any], name: str, pause: float = 3.0) -> None:
        self._client, self.name, self._pause = client, name, pause
        self._stacks = client("cloudformation")

    def found(self) -> dict[str, Any] | None:
        """The stack as CloudFormation describes it; None if missing or only the shell of a change set."""
        try:
            stack: dict[str, Any] = self._stacks.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as problem:
            if "does not exist" in str(problem):
                return None
            raise
        return None if stack["StackStatus"] in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE") else stack

    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in (self.found() or {}).get("Outputs", [])}

    def parameters(self) -> dict[str, str]:
        """The parameters of the last deployment."""
        given = (self.found() or {}).get("Parameters", [])
        return {one["ParameterKey"]: one["ParameterValue"] for one in given}

    def require_ready(self) -> None:
        """Check that a deployment may begin.

        Raises:
            DeployFailed: another operation is in progress, or a person must decide; the message says what to run.
        """
        stack = self.found()
        status = stack["StackStatus"] if stack else ""
        where = f"--stack-name {self.name} --region {self._stacks.meta.region_name}"
        if status.endswith("_IN_PROGRESS"):
            raise DeployFailed(
                f"Stack {self.name} is {status}: another operation is in progress. Deploy again once "
                f"`aws cloudformation describe-stacks {where} --query Stacks[0].StackStatus` shows that it has ended."
            )
        helps = {
            "UPDATE_ROLLBACK_FAILED": f"continue-update-rollback {where}",
            "CREATE_FAILED": f"rollback-stack {where}",
            "UPDATE_FAILED": f"rollback-stack {where}",
            "DELETE_FAILED": f"delete-stack {where}",
        }
        if status in helps:
            raise DeployFailed(
                f"Stack {self.name} is {status}: fix the cause named in its events, run "
                f"`aws cloudformation {helps[status]}`, and deploy again.{self._reasons()}"
            )

    def delete_failed_creation(self) -> None:
        """Delete the stack if its creation was rolled back, which CloudFormation requires.

        Raises:
            DeployFailed: it could not be deleted.
        """
        stack = self.found()
        if stack is not None and stack["StackStatus"] in CREATE_ROLLED_BACK:
            self.delete()

    def delete(self) -> dict[str, Any]:
        """Stop the stack's EMR Serverless applications and delete the stack.

        Returns:
            The retained resources, logical id -> type and physical id.

        Raises:
            DeployFailed: it could not be deleted.
        """
        stack = self.found()
        if stack is None:
            return {}
        applications = [resource["PhysicalResourceId"] for resource in self.resources(APPLICATION)]
        with stopped(self._client("emr-serverless"), applications, self._pause):
            self._stacks.delete_stack(StackName=self.name)
            ended = self._poll(lambda: self._described(stack["StackId"]), "StackStatus")
        if ended["StackStatus"] != "DELETE_COMPLETE":
            raise DeployFailed(f"Stack {self.name} ended as {ended['StackStatus']}{self._reasons()}")
        pages = self._stacks.get_paginator("describe_stack_events").paginate(StackName=stack["StackId"])
        oldest_first = reversed([event for page in pages for event in page["StackEvents"]])
        return {one["LogicalResourceId"]: one for one in oldest_first if one["ResourceStatus"] == "DELETE_SKIPPED"}

    def change(self, name: str, template_url: str, parameters: Mapping[str, str]) -> None:
        """Create or update the stack by a change set.

        Like `aws cloudformation deploy`, which however polls every 30 seconds only.

        Args:
            name: the change set's name.
            template_url: the template.
            parameters: its parameters.

        Raises:
            DeployFailed: the change set or its execution failed.
        """
        exists = self.found() is not None
        self._stacks.create_change_set(
            StackName=self.name, ChangeSetName=name, ChangeSetType="UPDATE" if exists else "CREATE",
            TemplateURL=template_url,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )  # fmt: skip
        made = self._poll(lambda: self._stacks.describe_change_set(StackName=self.name, ChangeSetName=name), "Status")
        if made["Status"] == "FAILED":
            reason = made.get("StatusReason", "")
            if any(words in reason for words in _NO_CHANGES):
                return
            raise DeployFailed(f"the change set of {self.name}: {reason}")
        if exists:
            self._protect(again=False)
        with stopped(self._client("emr-serverless"), self._changed_applications(name), self._pause):
            self._stacks.execute_change_set(StackName=self.name, ChangeSetName=name)
            ended = self._poll(lambda: self._described(self.name), "StackStatus")
        if "ROLLBACK" in ended["StackStatus"] or "FAILED" in ended["StackStatus"]:
            raise DeployFailed(f"stack {self.name} ended as {ended['StackStatus']}{self._reasons()}")
        self._protect()

    def _changed_applications(self, change_set: str) -> list[str]:
        """The EMR Serverless applications that a change set changes or deletes.

        Includes those that may change because something they refer to does: a refused update would cost more.
        """
        pages = self._stacks.get_paginator("describe_change_set").paginate(
            StackName=self.name, ChangeSetName=change_set
        )
        changes = (change["ResourceChange"] for page in pages for change in page["Changes"])
        return [
            change["PhysicalResourceId"]
            for change in changes
            if change["ResourceType"] == APPLICATION and change["Action"] in ("Modify", "Remove")
        ]

    def resources(self, kind: str) -> Iterator[dict[str, Any]]:
        pages = self._stacks.get_paginator("list_stack_resources").paginate(StackName=self.name)
        for page in pages:
            for summary in page["StackResourceSummaries"]:
                if summary["ResourceType"] == kind and summary.get("PhysicalResourceId"):
                    yield summary

    def _protect(self, *, again: bool = True) -> None:
        """Set the stack policy; with ``again=False`` an existing policy, perhaps a lifted one, is kept."""
        try:
            if again or not self._stacks.get_stack_policy(StackName=self.name).get("StackPolicyBody"):
                self._stacks.set_stack_policy(StackName=self.name, StackPolicyBody=POLICY)
        except ClientError as problem:
            if problem.response["ResponseMetadata"]["HTTPStatusCode"] != _NOT_IMPLEMENTED:
                raise

    def _described(self, name: str) -> dict[str, Any]:
        return dict(self._stacks.describe_stacks(StackName=name)["Stacks"][0])

    def _poll(self, describe: Callable[[], dict[str, Any]], field: str) -> dict[str, Any]:
        while True:
            found = describe()
            if not found[field].endswith(("_PENDING", "_IN_PROGRESS")):
                return found
            time.sleep(self._pause)

    def _reasons(self) -> str:
        """The failures of the last operation, first one first: it causes the others."""
        bad: list[str] = []
        try:
            for event in self._last_operation():
                if "FAILED" in event["ResourceStatus"]:
                    bad.append(f"\n{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}")
        except ClientError:
            return ""
        return "".join(bad[: -_REASONS - 1 : -1])

    def _last_operation(self) -> Iterator[dict[str, Any]]:
        """The events of the last operation, newest first; paginated."""
        for page in self._stacks.get_paginator("describe_stack_events").paginate(StackName=self.name):
            for event in page["StackEvents"]:
                yield event
                if event["LogicalResourceId"] == self.name and event["ResourceStatus"] in _BEGINS:
                    return
