"""AWS in process with the template's resources, and the services wired to it as in a function."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from creditmesh.platform.institutions import ADDRESS_BOOK
from tests.support import aws, wired
from tests.support.template import REGION
from tests.support.world import ship_flows, ship_models

SECRETS = {
    name: "whsec_" + base64.b64encode(f"{name} {'of a lender':*<24}".encode()).decode() for name in ("new", "old", "b")
}
INSTITUTIONS = {
    "tax": {"kind": "tax", "name": "Tax bureau", "base_url": "http://tax.test", "login_url": "https://login.tax.test"},
    "registry": {"kind": "registry", "name": "Company registry", "base_url": "http://registry.test"},
    "lender-a": {"kind": "lender", "name": "Lender A", "base_url": "http://a.test"},
    "lender-b": {"kind": "lender", "name": "Lender B", "base_url": "http://b.test"},
    "lender-c": {"kind": "lender", "name": "Lender C", "base_url": "http://c.test"},
    "lender-d": {"kind": "lender", "name": "Lender D", "base_url": "http://d.test"},
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
def cloud(aws_clients: dict[str, Any]) -> Iterator[None]:
    """The platform's resources, and an environment that names them."""
    used = {**aws_clients, "stepfunctions": _steps()}
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        for name, value in _environment(used).items():
            patch.setenv(name, value)
        wired.use(client=used.__getitem__)
        yield
    wired.use()


@pytest.fixture(scope="module")
def answers(cloud: None) -> Answers:
    """What the process was told."""
    found = Answers()
    wired.client("stepfunctions").meta.events.register("provide-client-params.sfn", found)
    return found


def _steps() -> Any:
    return boto3.client("stepfunctions", region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")


def _environment(clients: dict[str, Any]) -> dict[str, str]:
    stack = aws.build(clients, {"InstitutionsSecret": aws.text(KEYS)}, {"PublicUrl": "https://api.test"})
    bucket = stack.refs["ArtefactBucket"]
    clients["s3"].put_object(Bucket=bucket, Key=ADDRESS_BOOK, Body=aws.text(INSTITUTIONS))
    ship_models(stack)
    ship_flows(stack)
    process = clients["stepfunctions"].create_state_machine(
        name="loan-origination", definition=json.dumps(PASS), roleArn="arn:aws:iam::123456789012:role/none"
    )["stateMachineArn"]
    return stack.environment | dict.fromkeys(
        ("ORIGINATION_ARN", "LIST_IMPORT_ARN", "TRAINING_ARN", "EVENT_REPLAY_ARN"), process
    )
