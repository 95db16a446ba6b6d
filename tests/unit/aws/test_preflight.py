"""What is found before a deployment changes anything, and the sentence that it is told in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from aws.preflight import Preflight
from aws.target import Refused
from cloud.stack import Stack
from tests.support import template
from tests.unit.aws.test_deployment import TARGET

MADE = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": TARGET.region}
SECRET = "arn:aws:secretsmanager:secret"
SOURCE = template.source()


class Session:
    """Hands out stubbed clients."""

    def __init__(self) -> None:
        self.clients: dict[str, Any] = {}
        self.stubs: dict[str, Stubber] = {}

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = boto3.client(service, **KEYS)
            self.stubs[service] = Stubber(self.clients[service])
            self.stubs[service].activate()
        return self.clients[service]

    def answer(self, service: str, operation: str, **response: Any) -> None:
        self.client(service)
        self.stubs[service].add_response(operation, response)

    def refuse(self, service: str, operation: str, code: str, status: int = 400, message: str = "") -> None:
        self.client(service)
        self.stubs[service].add_client_error(operation, code, message, status)


@pytest.fixture
def session() -> Iterator[Session]:
    made = Session()
    yield made
    for stub in made.stubs.values():
        stub.assert_no_pending_responses()


def preflight(session: Any, **values: str) -> Preflight:
    return Preflight(session, TARGET, SOURCE, {"Stage": "test", **values})


def described(session: Session, status: str = "UPDATE_COMPLETE", description: str = "", **parameters: str) -> None:
    stack = {
        "StackName": TARGET.stack, "StackId": "arn:stack", "CreationTime": MADE, "StackStatus": status,
        "Description": description or SOURCE["Description"],
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    }  # fmt: skip
    session.answer("cloudformation", "describe_stacks", Stacks=[stack])


def resources(session: Session, kind: str, *found: str) -> None:
    given = [
        {"LogicalResourceId": f"The{number}", "ResourceType": kind, "PhysicalResourceId": name,
         "ResourceStatus": "CREATE_COMPLETE", "LastUpdatedTimestamp": MADE}
        for number, name in enumerate(found)
    ]  # fmt: skip
    session.answer("cloudformation", "list_stack_resources", StackResourceSummaries=given)


def test_the_package_bucket_of_somebody_else(session: Session) -> None:
    session.refuse("s3", "head_bucket", "403", 403, "Forbidden")
    with pytest.raises(Refused, match="creditmesh-packages-123456789012-eu-central-1, .* another account"):
        preflight(session).package_bucket()
    session.refuse("s3", "head_bucket", "404", 404)
    preflight(session).package_bucket()
    session.answer("s3", "head_bucket")
    preflight(session).package_bucket()


def test_gateway_needs_its_log_role(session: Session) -> None:
    session.answer("apigateway", "get_account")
    with pytest.raises(Refused, match="CloudWatch Logs"):
        preflight(session).log_role()
    session.answer("apigateway", "get_account", cloudwatchRoleArn="arn:aws:iam::123456789012:role/logs")
    preflight(session).log_role()


def test_a_stack_of_somebody_else(session: Session) -> None:
    described(session, description="Somebody's shop")
    with pytest.raises(Refused, match="no creditmesh stack .*Somebody's shop.*choose another stage"):
        preflight(session).stack()


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"])
def test_a_stack_that_is_not_ready(session: Session, status: str) -> None:
    for _ in range(2):
        described(session, status)
    if "FAILED" in status:
        session.answer("cloudformation", "describe_stack_events", StackEvents=[])
    with pytest.raises(Refused, match=status):
        preflight(session).stack()


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_a_failed_creation_is_no_obstacle(session: Session, status: str) -> None:
    for _ in range(2):
        described(session, status)
    preflight(session).stack()


def test_a_parameter_is_not_set_back_by_leaving_it_out(session: Session) -> None:
    has = {"Stage": "test", "SparkCode": "0" * 16, "ScoringSeconds": "9", "ChoiceSeconds": "604800", "GoneSince": "1"}
    given = [{"ParameterKey": name, "DefaultValue": default}
             for name, default in {"ScoringSeconds": "15", "ChoiceSeconds": "604800"}.items()]  # fmt: skip
    for values, refused in (({}, True), ({"ScoringSeconds": "15"}, False)):
        for _ in range(2):
            described(session, **has)
        session.answer("cloudformation", "get_template_summary", Parameters=given)
        if refused:
            with pytest.raises(Refused, match=r"has ScoringSeconds=9, .* PARAMETERS=file.json"):
                preflight(session, **values).stack()
        else:
            resources(session, "AWS::SecretsManager::Secret")
            resources(session, "AWS::KMS::Key")
            preflight(session, **values).stack()


@pytest.mark.parametrize("deleted", [True, False])
def test_a_secret_that_is_missing(session: Session, deleted: bool) -> None:
    resources(session, "AWS::SecretsManager::Secret", SECRET)
    if deleted:
        session.answer("secretsmanager", "describe_secret", ARN=SECRET, DeletedDate=MADE)
    else:
        session.refuse("secretsmanager", "describe_secret", "ResourceNotFoundException")
    says = (
        "restore-secret --region eu-central-1 --secret-id arn:aws:secretsmanager:secret" if deleted else "was deleted"
    )
    with pytest.raises(Refused, match=says):
        preflight(session).secrets_and_keys(Stack(session.client, TARGET.stack))


@pytest.mark.parametrize(
    ("state", "says"), [("PendingDeletion", "cancel-key-deletion"), ("Disabled", "`aws kms enable")]
)
def test_a_key_that_cannot_be_used(session: Session, state: str, says: str) -> None:
    resources(session, "AWS::SecretsManager::Secret")
    resources(session, "AWS::KMS::Key", "good", "bad")
    session.answer("kms", "describe_key", KeyMetadata={"KeyId": "good", "KeyState": "Enabled"})
    session.answer("kms", "describe_key", KeyMetadata={"KeyId": "bad", "KeyState": state})
    with pytest.raises(Refused, match=says):
        preflight(session).secrets_and_keys(Stack(session.client, TARGET.stack))


def table(client: Any, name: str) -> None:
    client.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip


def test_a_stage_without_a_stack_is_looked_over(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = f"Stack with id {TARGET.stack} does not exist"
    session.refuse("cloudformation", "describe_stacks", "ValidationError", message=missing)
    looked: list[bool] = []
    monkeypatch.setattr(Preflight, "leftovers", lambda _self: looked.append(True))
    preflight(session).stack()
    assert looked


def test_a_half_deleted_stage() -> None:
    """Tables, log groups and a secret with this stage's names while the stack is gone; other stages' do not count."""
    source = {**SOURCE, "Resources": {
        **{name: {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": {"Fn::Sub": text}}}
           for name, text in (("A", "creditmesh-${Stage}-applications"), ("B", "creditmesh-${Stage}-outbox"))},
        "C": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Fn::Sub": "/creditmesh/${Stage}/api"}}},
        "D": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": {"Fn::Sub": "creditmesh/${Stage}/keys"}}},
        "E": {"Type": "AWS::S3::Bucket"},
    }}  # fmt: skip
    with mock_aws():
        session: Any = boto3.Session("AKIAEXAMPLE", "secret", region_name=TARGET.region)
        checks = Preflight(session, TARGET, source, {})
        tables, logs, secrets = (session.client(name) for name in ("dynamodb", "logs", "secretsmanager"))
        for other in ("creditmesh-test2-applications", "creditmesh-tesa-outbox", "creditmesh-test-else"):
            table(tables, other)
        logs.create_log_group(logGroupName="/creditmesh/test2/api")
        checks.leftovers()
        for number in range(120):  # more than one page
            table(tables, f"creditmesh-test-a{number}")
        table(tables, "creditmesh-test-outbox")
        logs.create_log_group(logGroupName="/creditmesh/test/api")
        secrets.create_secret(Name="creditmesh/test/keys", SecretString="{}")
        secrets.delete_secret(SecretId="creditmesh/test/keys")
        with pytest.raises(Refused) as refused:
            checks.leftovers()
    says = str(refused.value)
    assert "leftovers of a deleted stack: creditmesh-test-outbox, /creditmesh/test/api, creditmesh/test/keys;" in says
    assert "Taking a stage back" in says
    assert "aws dynamodb delete-table --table-name creditmesh-test-outbox --region eu-central-1" in says
