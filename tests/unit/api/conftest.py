"""AWS in process (moto) with the template's tables, and the services wired to it as in a function."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from cloud import models
from creditmesh.platform.institutions import ADDRESS_BOOK
from tests.support import wired
from tests.support.aws import STAGE, table_name

ROOT = Path(__file__).parents[3]
REGION = "eu-west-1"
SECRETS = {
    name: "whsec_" + base64.b64encode(f"{name} {'of a lender':*<20}".encode()).decode() for name in ("new", "old", "b")
}
INSTITUTIONS = {
    "tax": {"kind": "tax", "name": "Tax bureau", "base_url": "http://tax.test", "login_url": "https://login.tax.test"},
    "registry": {"kind": "registry", "name": "Company registry", "base_url": "http://registry.test"},
    "lender-a": {"kind": "lender", "name": "Lender A", "base_url": "http://a.test"},
    "lender-b": {"kind": "lender", "name": "Lender B", "base_url": "http://b.test"},
}
KEYS = {
    "tax": {"api_key": "k-tax", "webhook_secrets": [SECRETS["new"]]},
    "lender-a": {"webhook_secrets": [SECRETS["new"], SECRETS["old"]]},
    "lender-b": {"webhook_secrets": [SECRETS["b"]]},
}
PASS = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


class Answers(list[tuple[str, dict[str, Any]]]):
    """The task tokens answered so far: (call, parameters); moto itself forgets them."""

    def __call__(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name.startswith("SendTask"):
            self.append((model.name, params))

    def of(self, token: str) -> list[str]:
        return [name for name, params in self if params["taskToken"] == token]


@pytest.fixture(scope="module")
def cloud() -> Iterator[None]:
    """The platform's resources, and an environment that names them."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        for name, value in _resources().items():
            patch.setenv(name, value)
        forget()
        yield
    forget()


@pytest.fixture(scope="module")
def answers(cloud: None) -> Answers:
    """What the process was told."""
    found = Answers()
    wired.client("stepfunctions").meta.events.register("provide-client-params.sfn", found)
    return found


def forget() -> None:
    """Drop everything made for another environment."""
    wired.use()


def _resources() -> dict[str, str]:
    _tables()
    names = {"STAGE": STAGE, **_secrets()}
    bucket = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
    s3 = boto3.client("s3", region_name=REGION)
    for name in ("data", "artefact"):
        s3.create_bucket(Bucket=f"creditmesh-{name}", **bucket)
        names[f"{name.upper()}_BUCKET"] = f"creditmesh-{name}"
    kms = boto3.client("kms", region_name=REGION)
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    model = ROOT / "models/origination-2.1.0.json"
    body = models.signed(kms, signing, model)
    s3.put_object(Bucket="creditmesh-artefact", Key=ADDRESS_BOOK, Body=json.dumps(INSTITUTIONS).encode())
    s3.put_object(Bucket="creditmesh-artefact", Key=models.keys(model)[0], Body=body)
    names |= {"MODEL_SIGNING_KEY": signing, "FIELD_KEY_ID": kms.create_key()["KeyMetadata"]["KeyId"]}
    names["ORIGINATION_ARN"] = boto3.client("stepfunctions", region_name=REGION).create_state_machine(
        name="loan-origination", definition=json.dumps(PASS), roleArn="arn:aws:iam::123456789012:role/none"
    )["stateMachineArn"]
    names["LIST_IMPORT_ARN"] = names["TRAINING_ARN"] = names["ORIGINATION_ARN"]
    return names | {
        "RETRY_QUEUE_URL": "http://sqs.test/1",
        "PARKED_QUEUE_URL": "http://sqs.test/2",
    }


def _secrets() -> dict[str, str]:
    secrets, ssm = (boto3.client(name, region_name=REGION) for name in ("secretsmanager", "ssm"))
    texts = {"INDEX_SECRET": "i" * 40, "GUEST_SECRET": "g" * 40, "INSTITUTIONS_SECRET": json.dumps(KEYS)}
    for name, text in texts.items():
        secrets.create_secret(Name=name, SecretString=text)
    ssm.put_parameter(Name=f"/creditmesh/{STAGE}/public-url", Value="https://api.test", Type="String")
    return {name: name for name in texts}


def _tables() -> None:
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    template = yaml.safe_load((ROOT / "template.yaml").read_text())
    wanted = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::DynamoDB::Table":
            given = {key: value for key, value in resource["Properties"].items() if key in wanted}
            dynamodb.create_table(**given, TableName=table_name(name))
