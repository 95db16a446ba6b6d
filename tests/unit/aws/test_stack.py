"""How a stack is created, updated and deleted, by the calls that are made; nothing here reaches AWS."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from cloud import stack as stacks
from cloud.emr_applications import NotStopped, stopped
from cloud.stack import DeployFailed, Stack

NAME, REGION = "creditmesh-test", "eu-central-1"
STACK_ID = f"arn:aws:cloudformation:{REGION}:123456789012:stack/{NAME}/1"
MADE = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": REGION}
NAMED = {"StackName": NAME}


class Emr:
    """EMR Serverless with one application, as strict as AWS is about states."""

    def __init__(self, state: str = "STARTED", runs: tuple[str, ...] = ("RUNNING",), intruders: int = 0) -> None:
        self.exceptions = boto3.client("emr-serverless", **KEYS).exceptions
        self.state, self.runs, self.automatic = state, list(runs), True
        self.done: list[str] = []
        self._intruders = intruders

    def _refuse(self, operation: str) -> None:
        raise self.exceptions.ValidationException({"Error": {"Code": "ValidationException"}}, operation)

    def get_application(self, applicationId: str) -> dict[str, Any]:
        if not self.state:
            raise self.exceptions.ResourceNotFoundException({"Error": {"Code": "ResourceNotFoundException"}}, "Get")
        return {"application": {"state": self.state, "autoStartConfiguration": {"enabled": self.automatic}}}

    def get_paginator(self, operation: str) -> Emr:
        assert operation == "list_job_runs"
        return self

    def paginate(self, applicationId: str, states: list[str]) -> list[dict[str, Any]]:
        found = [{"id": str(number), "state": state} for number, state in enumerate(self.runs) if state in states]
        self.runs = ["CANCELLED" if state == "CANCELLING" else state for state in self.runs]
        return [{"jobRuns": found[:1]}, {"jobRuns": found[1:]}]

    def cancel_job_run(self, applicationId: str, jobRunId: str) -> None:
        self.runs[int(jobRunId)] = "CANCELLING"
        self.done.append("cancel")

    def stop_application(self, applicationId: str) -> None:
        if any(state in ("SUBMITTED", "RUNNING", "CANCELLING") for state in self.runs):
            self._refuse("Stop")
        self.state = "STOPPED"
        self.done.append("stop")

    def update_application(self, applicationId: str, autoStartConfiguration: dict[str, bool]) -> None:
        if self._intruders:  # the scheduled function was quicker
            self._intruders -= 1
            self.state, self.runs = "STARTED", [*self.runs, "RUNNING"]
        if self.state not in ("CREATED", "STOPPED"):
            self._refuse("Update")
        self.automatic = autoStartConfiguration["enabled"]
        self.done.append(f"automatic {self.automatic}")


@pytest.mark.parametrize("runs", [("RUNNING",), ("RUNNING", "SUBMITTED", "CANCELLING"), ()])
def test_an_application_is_stopped_and_comes_back(runs: tuple[str, ...]) -> None:
    emr = Emr(runs=runs)
    with stopped(emr, ["app"], pause=0):
        assert (emr.state, emr.automatic) == ("STOPPED", False)
        assert set(emr.runs) <= {"CANCELLED"}
    assert emr.automatic, "the scheduled function's job starts it again"


def test_a_job_started_meanwhile_is_cancelled_too() -> None:
    emr = Emr(intruders=2)
    with stopped(emr, ["app"], pause=0):
        assert (emr.state, emr.automatic) == ("STOPPED", False)
    assert emr.done.count("stop") == 3


def test_automatic_start_comes_back_after_a_failure_too() -> None:
    emr = Emr()
    with pytest.raises(ZeroDivisionError), stopped(emr, ["app"], pause=0):
        raise ZeroDivisionError
    assert emr.automatic


def test_an_application_that_is_gone_is_nobodys_trouble() -> None:
    emr = Emr(state="")
    with stopped(emr, ["app"], pause=0):
        pass
    assert emr.done == []


def test_an_application_that_does_not_stop_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.emr_applications._SECONDS", 0.05)
    with pytest.raises(NotStopped, match="list-job-runs --application-id app"), stopped(Emr("STOPPING"), ["app"], 0.01):
        pass


class Aws:
    """CloudFormation by stubs, and EMR Serverless."""

    def __init__(self, emr: Emr | None = None) -> None:
        self.cloudformation: Any = boto3.client("cloudformation", **KEYS)
        self.stub, self.emr = Stubber(self.cloudformation), emr or Emr()
        self.stub.activate()
        self.stack = Stack(lambda name: self.cloudformation if name == "cloudformation" else self.emr, NAME, pause=0)

    def described(self, status: str, by: str = NAME) -> None:
        made = {"StackName": NAME, "StackId": STACK_ID, "CreationTime": MADE, "StackStatus": status}
        self.stub.add_response("describe_stacks", {"Stacks": [made]}, {"StackName": by})

    def missing(self) -> None:
        message = f"Stack with id {NAME} does not exist"
        self.stub.add_client_error("describe_stacks", "ValidationError", message, expected_params=NAMED)

    def change_set(self, kind: str, status: str = "CREATE_COMPLETE", reason: str = "") -> None:
        sent = {
            "StackName": NAME, "ChangeSetName": "one", "ChangeSetType": kind, "TemplateURL": "https://t",
            "Parameters": [{"ParameterKey": "Stage", "ParameterValue": "test"}], "Capabilities": ANY,
        }  # fmt: skip
        self.stub.add_response("create_change_set", {"Id": "one"}, sent)
        self.stub.add_response("describe_change_set", {"Status": status, "StatusReason": reason})

    def changes(self, *changes: dict[str, str]) -> None:
        found = [{"Type": "Resource", "ResourceChange": one} for one in changes]
        self.stub.add_response("describe_change_set", {"Changes": found[:1], "NextToken": "more"})
        self.stub.add_response("describe_change_set", {"Changes": found[1:]})

    def executed(self, status: str) -> None:
        self.stub.add_response("execute_change_set", {}, {"StackName": NAME, "ChangeSetName": "one"})
        self.described("UPDATE_IN_PROGRESS")
        self.described(status)

    def protected(self) -> None:
        self.stub.add_response("set_stack_policy", {}, {"StackName": NAME, "StackPolicyBody": stacks.POLICY})

    def resources(self, by: str, *found: tuple[str, str, str, str]) -> None:
        names = ("LogicalResourceId", "ResourceType", "PhysicalResourceId", "ResourceStatus")
        given = [{**dict(zip(names, one, strict=True)), "LastUpdatedTimestamp": MADE} for one in found]
        self.stub.add_response("list_stack_resources", {"StackResourceSummaries": given}, {"StackName": by})

    def events(self, *found: tuple[str, str, str, str]) -> None:
        names = ("LogicalResourceId", "ResourceType", "PhysicalResourceId", "ResourceStatus")
        of_stack = {"StackId": STACK_ID, "StackName": NAME, "Timestamp": MADE}
        given = [{**dict(zip(names, one, strict=True)), **of_stack, "EventId": one[0]} for one in found]
        self.stub.add_response("describe_stack_events", {"StackEvents": given}, {"StackName": STACK_ID})

    def change(self) -> None:
        self.stack.change("one", "https://t", {"Stage": "test"})
        self.stub.assert_no_pending_responses()


APPLICATION = {"ResourceType": "AWS::EMRServerless::Application", "PhysicalResourceId": "app"}
FUNCTION = {"ResourceType": "AWS::Lambda::Function", "PhysicalResourceId": "f", "Action": "Modify"}


def test_a_stack_is_created_and_protected() -> None:
    aws = Aws()
    aws.missing()
    aws.change_set("CREATE")
    aws.changes({"ResourceType": APPLICATION["ResourceType"], "Action": "Add"})
    aws.executed("CREATE_COMPLETE")
    aws.protected()
    aws.change()
    assert aws.emr.done == []


def test_the_shell_that_an_unexecuted_change_set_leaves_is_created() -> None:
    aws = Aws()
    aws.described("REVIEW_IN_PROGRESS")
    aws.change_set("CREATE")
    aws.changes()
    aws.executed("CREATE_COMPLETE")
    aws.protected()
    aws.change()


def test_an_update_leaves_the_resident_job_running() -> None:
    aws = Aws()
    aws.described("UPDATE_COMPLETE")
    aws.change_set("UPDATE")
    aws.stub.add_response("get_stack_policy", {"StackPolicyBody": "{}"}, NAMED)
    aws.changes(FUNCTION)
    aws.executed("UPDATE_COMPLETE")
    aws.protected()
    aws.change()
    assert (aws.emr.state, aws.emr.runs, aws.emr.done) == ("STARTED", ["RUNNING"], [])


@pytest.mark.parametrize("action", ["Modify", "Remove"])
def test_an_application_is_stopped_only_where_it_changes(action: str) -> None:
    aws = Aws()
    aws.described("UPDATE_COMPLETE")
    aws.change_set("UPDATE")
    aws.stub.add_response("get_stack_policy", {}, NAMED)
    aws.protected()
    aws.changes(FUNCTION, {**APPLICATION, "Action": action})
    aws.executed("UPDATE_COMPLETE")
    aws.protected()
    aws.change()
    assert aws.emr.done == ["cancel", "stop", "automatic False", "automatic True"]


@pytest.mark.parametrize(
    "reason", ["No updates are to be performed.", "The submitted information didn't contain changes."]
)
def test_a_change_set_without_changes_is_not_executed(reason: str) -> None:
    aws = Aws()
    aws.described("UPDATE_COMPLETE")
    aws.change_set("UPDATE", "FAILED", reason)
    aws.change()


def test_a_failed_change_set_and_a_failed_update_say_why() -> None:
    aws = Aws()
    aws.described("UPDATE_COMPLETE")
    aws.change_set("UPDATE", "FAILED", "Template error")
    with pytest.raises(DeployFailed, match="Template error"):
        aws.change()
    aws = Aws()
    aws.missing()
    aws.change_set("CREATE")
    aws.changes()
    aws.executed("ROLLBACK_COMPLETE")
    shared = {"StackId": STACK_ID, "EventId": "1", "StackName": NAME, "Timestamp": MADE}
    names = ("LogicalResourceId", "ResourceStatus", "ResourceStatusReason")
    newest_first = [
        (("Api", "DELETE_COMPLETE", ""), ("Table", "CREATE_FAILED", "cancelled")),
        (("Api", "CREATE_FAILED", "too large"), (NAME, "CREATE_IN_PROGRESS", ""), ("Old", "CREATE_FAILED", "long ago")),
    ]
    for number, page in enumerate(newest_first):
        events = [{**shared, **dict(zip(names, one, strict=True))} for one in page]
        more = {} if number else {"NextToken": "more"}
        aws.stub.add_response("describe_stack_events", {"StackEvents": events, **more})
    with pytest.raises(DeployFailed, match="ROLLBACK_COMPLETE\nApi: too large\nTable: cancelled$"):
        aws.change()


def test_an_emulator_without_stack_policies_is_deployed_to() -> None:
    aws = Aws()
    aws.missing()
    aws.change_set("CREATE")
    aws.changes()
    aws.executed("CREATE_COMPLETE")
    aws.stub.add_client_error("set_stack_policy", "InternalFailure", http_status_code=501)
    aws.change()


def test_a_policy_that_cannot_be_set_is_no_success() -> None:
    aws = Aws()
    aws.missing()
    aws.change_set("CREATE")
    aws.changes()
    aws.executed("CREATE_COMPLETE")
    aws.stub.add_client_error("set_stack_policy", "AccessDenied", http_status_code=403)
    with pytest.raises(aws.cloudformation.exceptions.ClientError, match="AccessDenied"):
        aws.change()


def test_the_policy_denies_replacing_and_deleting_what_holds_data() -> None:
    allow, deny = json.loads(stacks.POLICY)["Statement"]
    assert (allow["Effect"], allow["Action"]) == ("Allow", "Update:*")
    assert (deny["Effect"], deny["Action"]) == ("Deny", ["Update:Replace", "Update:Delete"])
    assert {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::Cognito::UserPool"} <= set(
        deny["Condition"]["StringEquals"]["ResourceType"]
    )
    assert len(stacks.POLICY) < 16384, "CloudFormation's limit"


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_a_creation_that_failed_is_deleted(status: str) -> None:
    aws = Aws()
    for _ in range(2):
        aws.described(status)
    aws.resources(NAME, ("Scoring", "AWS::EMRServerless::Application", "app", "DELETE_FAILED"))
    aws.stub.add_response("delete_stack", {}, NAMED)
    aws.described("DELETE_IN_PROGRESS", by=STACK_ID)
    aws.described("DELETE_COMPLETE", by=STACK_ID)
    aws.events(("Scoring", "AWS::EMRServerless::Application", "app", "DELETE_COMPLETE"))
    aws.stack.delete_failed_creation()
    aws.stub.assert_no_pending_responses()
    assert aws.emr.done[:3] == ["cancel", "stop", "automatic False"]


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", None])
def test_a_stack_that_stands_is_not_deleted(status: str | None) -> None:
    aws = Aws()
    aws.described(status) if status else aws.missing()
    aws.stack.delete_failed_creation()
    aws.stub.assert_no_pending_responses()


def test_a_deletion_says_what_stays() -> None:
    aws = Aws(Emr("STOPPED", ()))
    aws.described("UPDATE_COMPLETE")
    aws.resources(NAME)
    aws.stub.add_response("delete_stack", {}, NAMED)
    aws.described("DELETE_COMPLETE", by=STACK_ID)
    kept = ("Applications", "AWS::DynamoDB::Table", "creditmesh-test-applications", "DELETE_SKIPPED")
    aws.events(kept, ("Api", "AWS::ApiGateway::RestApi", "x", "DELETE_COMPLETE"))
    retained = aws.stack.delete()
    assert {name: one["PhysicalResourceId"] for name, one in retained.items()} == {kept[0]: kept[2]}


def test_a_failed_deletion_is_told() -> None:
    aws = Aws(Emr("STOPPED", ()))
    aws.described("UPDATE_COMPLETE")
    aws.resources(NAME)
    aws.stub.add_response("delete_stack", {}, NAMED)
    aws.described("DELETE_FAILED", by=STACK_ID)
    aws.stub.add_response("describe_stack_events", {"StackEvents": []}, NAMED)
    with pytest.raises(DeployFailed, match="DELETE_FAILED"):
        aws.stack.delete()


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("CREATE_IN_PROGRESS", "describe-stacks --stack-name creditmesh-test --region eu-central-1"),
        ("UPDATE_IN_PROGRESS", "another operation is in progress"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "another operation is in progress"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "another operation is in progress"),
        ("DELETE_IN_PROGRESS", "another operation is in progress"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name creditmesh-test --region eu-central-1"),
        ("CREATE_FAILED", "rollback-stack"),
        ("UPDATE_FAILED", "rollback-stack"),
        ("DELETE_FAILED", "delete-stack"),
    ],
)
def test_a_stack_that_is_not_ready_is_left_alone(status: str, says: str) -> None:
    aws = Aws()
    aws.described(status)
    if "FAILED" in status:
        aws.stub.add_response("describe_stack_events", {"StackEvents": []}, NAMED)
    with pytest.raises(DeployFailed, match=says):
        aws.stack.require_ready()


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", None]
)
def test_a_stack_that_is_ready(status: str | None) -> None:
    aws = Aws()
    aws.described(status) if status else aws.missing()
    aws.stack.require_ready()


def test_a_stack_that_cannot_be_seen_is_not_taken_for_none() -> None:
    aws = Aws()
    aws.stub.add_client_error("describe_stacks", "AccessDenied", "no")
    with pytest.raises(aws.cloudformation.exceptions.ClientError, match="AccessDenied"):
        aws.stack.found()
