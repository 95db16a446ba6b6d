"""What a deployment to a real account refuses, and with which sentence; nothing here reaches AWS."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from aws import institutions, layer, parameters, run_tests, steps
from aws.target import Refused, Target, confirmed, find, refuse_emulators, region_of, stage_name
from creditmesh.authorization.scopes import SCOPES
from creditmesh.platform.institutions import ADDRESS_BOOK
from institutions import config
from tests.support.template import ROOT

TARGET = Target("test", "123456789012", "eu-central-1", "arn:aws:iam::123456789012:user/deployer")
TEXT = {"Type": "String", "Default": ""}
DECLARED = {
    **dict.fromkeys(("OidcIssuer", "OidcAudience", "JwksUrlPrefix"), TEXT), "Stage": {"Type": "String"},
    "BusinessZone": {"Type": "String", "Default": "Asia/Shanghai"},
    "SparkCode": {"Type": "String"},
    "ScoringSeconds": {"Type": "Number", "Default": 15, "MinValue": 1, "MaxValue": 60},
    "Engine": {"Type": "String", "Default": "auto", "AllowedValues": ["auto", "spark"]},
    "ModelKey": {"Type": "String", "Default": "models/a.json", "AllowedPattern": "models/[a-z0-9._-]+[.]json"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever the developer has configured."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize(
    ("stage", "says"),
    [(None, "Which stage"), ("", "Which stage"), ("Test", "is invalid"), ("a", "is invalid"),
     ("with-dash", "is invalid"), ("x" * 13, "is invalid"), ("local", "embedded cloud")],
)  # fmt: skip
def test_stage_is_asked_for(stage: str | None, says: str) -> None:
    with pytest.raises(Refused, match=says):
        stage_name(stage)


def test_good_stage() -> None:
    assert stage_name("prod") == "prod"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "LOCALSTACK_HOST"])
def test_emulators_are_refused(name: str) -> None:
    with pytest.raises(Refused, match=name):
        refuse_emulators({name: "http://127.0.0.1:4566"})
    refuse_emulators({name: ""})


def test_region_variables() -> None:
    assert region_of({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}) == "eu-west-1"
    assert region_of({"AWS_DEFAULT_REGION": "us-east-1"}) == "us-east-1"
    assert region_of({"AWS_REGION": ""}) is None


def test_no_region() -> None:
    with pytest.raises(Refused, match="No region"):
        find(boto3.Session(), "test")


@pytest.mark.parametrize("region", ["nowhere", "eu-mars-1", "us-isof-south-1"])
def test_regions_without_what_is_needed(region: str) -> None:
    with pytest.raises(Refused, match=f"egion {region}"):
        find(boto3.Session(region_name=region), "test")


def test_no_credentials() -> None:
    with pytest.raises(Refused, match="no AWS credentials"):
        find(boto3.Session(region_name="eu-west-1"), "test")


def test_account_is_what_aws_says() -> None:
    with mock_aws():
        session = boto3.Session("AKIAEXAMPLE", "secret", region_name="eu-west-1")
        target = find(session, "test")
    assert (target.account, target.region, target.stack) == ("123456789012", "eu-west-1", "creditmesh-test")
    assert target.package_bucket == "creditmesh-packages-123456789012-eu-west-1"
    assert "123456789012" in target.question
    assert "eu-west-1" in target.question


@pytest.mark.parametrize(
    ("answer", "environment", "agreed"),
    [("test", {}, True), (" test\n", {}, True), ("yes", {}, False), ("", {}, False),
     ("", {"CONFIRM": "123456789012/eu-central-1"}, True), ("test", {"CONFIRM": "123456789012/us-east-1"}, False)],
)  # fmt: skip
def test_confirmation(answer: str, environment: dict[str, str], agreed: bool) -> None:
    assert confirmed(TARGET, answer, environment) is agreed


def test_parameters_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "parameters.json"
    file.write_text('{"ModelKey": "models/a.json", "Rates": {"low": 1}, "ScoringSeconds": 9}')
    assert parameters.read(file) == {
        "ModelKey": "models/a.json", "Rates": '{"low":1}', "ScoringSeconds": "9",
    }  # fmt: skip
    assert parameters.read(None) == {}


@pytest.mark.parametrize(("text", "says"), [(None, "cannot be read"), ("{", "not JSON"), ("[]", "one JSON object")])
def test_unreadable_parameters(tmp_path: Path, text: str | None, says: str) -> None:
    file = tmp_path / "parameters.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Refused, match=says):
        parameters.read(file)


@pytest.mark.parametrize(
    ("given", "partition", "says"),
    [
        ({"Nothing": "1"}, "aws", "no parameter Nothing[.]$"),
        ({"OidcAudiance": "1"}, "aws", "Is OidcAudience meant"),
        ({"ScoringSeconds": "soon"}, "aws", "must be a number"),
        ({"ScoringSeconds": "0"}, "aws", "at least 1 and at most 60"),
        ({"ScoringSeconds": "61"}, "aws", "at least 1 and at most 60"),
        ({"Engine": "flink"}, "aws", "one of auto, spark"),
        ({"ModelKey": "model.json"}, "aws", "must match models/"),
        ({"ModelKey": "models/a.json.bak"}, "aws", "must match models/"),
        ({"OidcIssuer": "x" * 4097, "OidcAudience": "y"}, "aws", "4097 characters"),
        ({"JwksUrlPrefix": "x"}, "aws", "embedded cloud"),
        ({"Stage": "prod"}, "aws", "Stage=prod"),
        ({}, "aws-cn", "no Cognito"),
        ({"OidcIssuer": "https://id.example"}, "aws", "OidcAudience"),
        ({"BusinessZone": "Asia/Shangai"}, "aws", "IANA time zone"),
    ],
)
def test_impossible_parameters(given: dict[str, str], partition: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        parameters.complete(given, "test", DECLARED, partition)


def test_a_parameter_without_a_default_is_asked_for() -> None:
    with pytest.raises(Refused, match="Bank is needed"):
        parameters.complete({}, "test", {**DECLARED, "Bank": {"Type": "String"}}, "aws")


def test_complete_parameters() -> None:
    issuer = {"OidcIssuer": "https://id.example", "OidcAudience": "creditmesh"}
    assert parameters.complete(issuer, "test", DECLARED, "aws-cn") == {**issuer, "Stage": "test"}
    assert parameters.complete({}, "test", DECLARED, "aws") == {"Stage": "test"}


TAX = {"kind": "tax", "name": "Tax", "base_url": "https://tax.example"}


def test_an_address_book_of_any_size(tmp_path: Path) -> None:
    file = tmp_path / "institutions.json"
    book = {
        f"bank-{number}": {**TAX, "kind": "lender", "login_url": "https://bank.example", "products_need_approval": True}
        for number in range(400)
    }
    file.write_text(json.dumps(book))
    assert file.stat().st_size > 32_000
    assert institutions.check(file) == file
    assert cloud_deploy_key() == ADDRESS_BOOK


def cloud_deploy_key() -> str:
    """The key that the deployment uploads under; its module itself needs the AWS CLI."""
    source = (ROOT / "local/cloud/deploy.py").read_text("utf-8")
    return source.partition('ADDRESS_BOOK = "')[2].partition('"')[0]


@pytest.mark.parametrize(
    ("book", "says"),
    [
        ({"tax": {**TAX, "base_url": "http://tax.example"}}, "base_url with https"),
        ({"tax": {**TAX, "base_url": "tax.example"}}, "base_url with https"),
        ({"tax": {**TAX, "login_url": "http://tax.example"}}, "login_url with https"),
        ({"tax": {**TAX, "kind": "taxes"}}, "unknown kind «taxes»"),
        ({"tax": {"kind": "tax", "base_url": "https://tax.example"}}, "needs kind, name and base_url"),
        ({"tax": {**TAX, "api_key": "x"}}, "nothing else"),
        ({"tax": "https://tax.example"}, "needs kind"),
        ({"tax": {**TAX, "products_need_approval": True}}, "true of lenders only"),
        ({"bank": {**TAX, "kind": "lender", "products_need_approval": "yes"}}, "must be true or false"),
        ({"Tax Bureau": TAX}, "Institution id"),
        ({"t" * 41: TAX}, "1 to 40"),
        ([], "one JSON object"),
    ],
)
def test_impossible_institutions(tmp_path: Path, book: Any, says: str) -> None:
    file = tmp_path / "institutions.json"
    file.write_text(json.dumps(book))
    with pytest.raises(Refused, match=says):
        institutions.check(file)


def test_kinds_are_those_that_the_platform_tells_apart() -> None:
    asked = {scope.institution_kind for scope in SCOPES.values() if scope.institution_kind} | {"lender"}
    assert asked | set(config.KINDS.values()) <= set(institutions.KINDS)


def elf(path: Path, machine: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, machine) + bytes(100))


def test_layer_for_lambda(tmp_path: Path) -> None:
    elf(tmp_path / "python" / "x.so", 0xB7)
    (tmp_path / "python" / "x.py").write_text("1")
    assert layer.check(tmp_path).objects == 1


def test_layer_of_this_machine_is_refused(tmp_path: Path) -> None:
    elf(tmp_path / "python" / "x.so", 0x3E)
    with pytest.raises(Refused, match=r"python/x\.so .* x86-64"):
        layer.check(tmp_path)


def test_layer_too_large_or_empty(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="empty"):
        layer.check(tmp_path)
    (tmp_path / "x").write_bytes(bytes(1000))
    with pytest.raises(Refused, match="unpacked"):
        layer.check(tmp_path, most_bytes=999)


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_package_bucket_is_private(region: str) -> None:
    with mock_aws():
        storage: Any = boto3.client("s3", region, aws_access_key_id="x", aws_secret_access_key="x")
        for _ in range(2):
            steps.make_package_bucket(storage, "packages", region)
        blocked = storage.get_public_access_block(Bucket="packages")["PublicAccessBlockConfiguration"]
        assert all(blocked.values())


def test_next_steps_name_what_was_made() -> None:
    outputs = {"ApiUrl": "https://api.example", "InstitutionsSecret": "arn:secret", "StaffPoolId": "eu-central-1_x"}
    told = steps.next_steps(TARGET, outputs)
    assert all(value in told for value in outputs.values())
    assert "STAGE=test" in told
    del outputs["StaffPoolId"]
    assert "your own issuer" in steps.next_steps(TARGET, outputs)


def test_production_is_not_tested() -> None:
    with pytest.raises(Refused, match="STAGE=prod"):
        run_tests.refuse_production("prod")
    assert run_tests.refuse_production("test") == "test"


def stacks() -> tuple[Any, Stubber]:
    client: Any = boto3.client("cloudformation", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    return client, Stubber(client)


def described(status: str) -> dict[str, Any]:
    outputs = [{"OutputKey": "ApiUrl", "OutputValue": "https://api.example"}]
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return {"Stacks": [{"StackName": TARGET.stack, "CreationTime": made, "StackStatus": status, "Outputs": outputs}]}


def test_tests_need_a_stack() -> None:
    client, stub = stacks()
    stub.add_client_error("describe_stacks", "ValidationError", "Stack with id creditmesh-test does not exist")
    with stub, pytest.raises(Refused, match="make deploy STAGE=test"):
        run_tests.stack_outputs(client, TARGET)


def test_tests_need_a_whole_stack() -> None:
    client, stub = stacks()
    stub.add_response("describe_stacks", described("UPDATE_IN_PROGRESS"), {"StackName": TARGET.stack})
    stub.add_response("describe_stacks", described("UPDATE_COMPLETE"), {"StackName": TARGET.stack})
    with stub:
        with pytest.raises(Refused, match="UPDATE_IN_PROGRESS"):
            run_tests.stack_outputs(client, TARGET)
        assert run_tests.stack_outputs(client, TARGET) == {"ApiUrl": "https://api.example"}


def test_environment_of_the_tests() -> None:
    outputs = {"ApiUrl": "https://api.example", "UserPoolId": "pool", "UserPoolClientId": "client"}
    outputs |= {"StaffPoolId": "staff", "StaffPoolClientId": "staff-client"}
    environment = run_tests.test_environment(outputs, TARGET)
    assert environment["CREDITMESH_TARGET"] == "aws"
    assert set(outputs.values()) <= set(environment.values())
    with pytest.raises(Refused, match="another issuer"):
        run_tests.test_environment({"ApiUrl": "https://api.example"}, "eu-central-1")
