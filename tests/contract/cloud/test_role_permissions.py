"""Contract of ``mends/role_permissions``."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from .clouds import ACCOUNT, REGION, Cloud, eventually


def role(cloud: Cloud, name: str, *statements: dict[str, Any]) -> str:
    """A role with one policy; returns its ARN."""
    iam = cloud.client("iam")
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(document))
    return str(made)


def caller(cloud: Cloud, name: str, *statements: dict[str, Any]) -> Caller:
    """Somebody in a role of these statements."""
    role(cloud, name, *statements)
    return Caller(cloud, name)


class Caller:
    """Calls with the credentials that the functions of a role get."""

    def __init__(self, cloud: Cloud, role: str) -> None:
        self.token = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{role}"
        self._session = boto3.Session(ACCOUNT, "test", self.token, REGION)
        self._settings: dict[str, Any] = {"endpoint_url": cloud.endpoint, "config": Config(retries={"max_attempts": 1})}

    def client(self, service: str, signature: str | None = None) -> Any:
        """A client of the role."""
        config = self._settings["config"].merge(Config(signature_version=signature))
        return self._session.client(service, **{**self._settings, "config": config})

    def call(self, service: str, action: str, **arguments: Any) -> str:
        """The error code of a call; empty where it went well."""
        try:
            getattr(self.client(service), action)(**arguments)
        except ClientError as refused:
            code, message = refused.response["Error"]["Code"], refused.response["Error"]["Message"]
            if code.startswith("AccessDenied"):
                assert message.startswith(f"User: {self.token} is not authorized to perform: ")
            return str(code)
        return ""


def arn(service: str, resource: str) -> str:
    """An ARN of the test's account."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        (None, "403"),
        ({"StringLike": {"s3:prefix": "a/*"}}, "403"),
        ({"StringLikeIfExists": {"s3:prefix": "a/*"}}, "404"),
        ({}, "404"),
    ],
)
def test_a_missing_object_is_told_of_to_who_may_list(
    cloud: Cloud, name: str, listing: dict[str, Any] | None, expected: str
) -> None:
    """S3 decides on a listing without a prefix, whatever the key."""
    store = cloud.client("s3")
    store.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    store.put_object(Bucket=name, Key="a/there", Body=b"x")
    statements = [{"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*"}]
    if listing is not None:
        statements.append({"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{name}", "Condition": listing})
    mine = caller(cloud, name, *statements)
    assert mine.call("s3", "get_object", Bucket=name, Key="a/there") == ""
    got = mine.call("s3", "get_object", Bucket=name, Key="a/missing")
    headed = mine.call("s3", "head_object", Bucket=name, Key="a/missing")
    right = (got, headed) == (("AccessDenied", "403") if expected == "403" else ("NoSuchKey", "404"))
    if expected == "403":
        cloud.verdict("role_permissions", right)
    elif cloud.mended:
        assert right


def test_a_listing_needs_its_prefix(mended: Cloud, name: str) -> None:
    """The condition is compared with what the request asks for."""
    mended.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    condition = {"StringLike": {"s3:prefix": "a/*"}}
    mine = caller(mended, name, {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{name}", "Condition": condition})
    assert mine.call("s3", "list_objects_v2", Bucket=name, Prefix="a/1") == ""
    assert mine.call("s3", "list_objects_v2", Bucket=name, Prefix="b/1") == "AccessDenied"
    assert mine.call("s3", "list_objects_v2", Bucket=name) == "AccessDenied"
    assert mine.call("s3", "put_object", Bucket=name, Key="a/1", Body="x") == "AccessDenied"


def test_items_of_tables_and_indexes(cloud: Cloud, name: str) -> None:
    """Each write of a transaction by its own action; an index by its own ARN."""
    table = cloud.table(name)
    mine = caller(
        cloud, name, {"Action": ["dynamodb:PutItem", "dynamodb:Query"], "Resource": arn("dynamodb", f"table/{name}")}
    )
    put = {"Put": {"TableName": table, "Item": {"pk": {"S": "1"}}}}
    check = {"ConditionCheck": {"TableName": table, "Key": {"pk": {"S": "2"}},
                                "ConditionExpression": "attribute_not_exists(pk)"}}  # fmt: skip
    assert mine.call("dynamodb", "transact_write_items", TransactItems=[put]) == ""
    codes = [
        mine.call("dynamodb", "transact_write_items", TransactItems=[put, check]),
        mine.call("dynamodb", "get_item", TableName=table, Key={"pk": {"S": "1"}}),
        mine.call("dynamodb", "query", TableName=table, IndexName="by-x", KeyConditionExpression="x = :x",
             ExpressionAttributeValues={":x": {"S": "1"}}),
    ]  # fmt: skip
    cloud.verdict("role_permissions", codes == ["AccessDeniedException"] * 3)


def test_keys_by_their_aliases(mended: Cloud, name: str) -> None:
    """Also where the key is named inside the ciphertext only."""
    keys = mended.client("kms")
    condition = {"ForAnyValue:StringLike": {"kms:ResourceAliases": f"alias/{name}*"}}
    mine = caller(mended, name, {"Action": "kms:Decrypt", "Resource": arn("kms", "key/*"), "Condition": condition})
    named, other = (keys.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    keys.create_alias(AliasName=f"alias/{name}-1", TargetKeyId=named)
    for key, expected in ((named, ""), (other, "AccessDeniedException")):
        secret = keys.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        assert mine.call("kms", "decrypt", CiphertextBlob=secret) == expected
        assert mine.call("kms", "encrypt", KeyId=key, Plaintext="x") == "AccessDeniedException"


SERVICES: dict[str, tuple[str, dict[str, Any], str]] = {
    "secretsmanager": ("get_secret_value", {"SecretId": "NAME"}, "secretsmanager:GetSecretValue secret:NAME-*"),
    "ssm": ("get_parameter", {"Name": "/NAME"}, "ssm:GetParameter parameter/NAME"),
    "sqs": ("send_message", {"QueueUrl": "URL", "MessageBody": "x"}, "sqs:SendMessage NAME"),
    "events": (
        "put_events",
        {"Entries": [{"Source": "a", "DetailType": "b", "Detail": "{}", "EventBusName": "NAME"}]},
        "events:PutEvents event-bus/NAME",
    ),
    "stepfunctions": ("start_execution", {"stateMachineArn": "MACHINE"}, "states:StartExecution stateMachine:NAME"),
}


@pytest.mark.parametrize("service", SERVICES)
def test_other_services(cloud: Cloud, name: str, service: str) -> None:
    """One call of each service that functions use: allowed by its permission, refused without."""
    cloud.client("secretsmanager").create_secret(Name=name, SecretString="x")
    cloud.client("ssm").put_parameter(Name=f"/{name}", Value="x", Type="String")
    cloud.client("events").create_event_bus(Name=name)
    url = cloud.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    machine = cloud.machine(name, {"Only": {"Type": "Pass", "End": True}}, "Only")
    action, arguments, permission = SERVICES[service]
    text = json.dumps(arguments).replace("NAME", name).replace("URL", url).replace("MACHINE", machine)
    needed, resource = permission.replace("NAME", name).split()
    prefix = needed.partition(":")[0]
    may = caller(cloud, f"{name}-may", {"Action": needed, "Resource": arn(prefix, resource)})
    may_not = caller(cloud, f"{name}-not", {"Action": needed, "Resource": arn(prefix, "other")})
    assert may.call(service, action, **json.loads(text)) == ""
    refused = may_not.call(service, action, **json.loads(text))
    cloud.verdict("role_permissions", refused.startswith("AccessDenied"))


def test_a_changed_policy_takes_effect(mended: Cloud, name: str) -> None:
    """Within seconds, as on AWS."""
    table = mended.table(name)
    mine = caller(mended, name, {"Action": "dynamodb:PutItem", "Resource": arn("dynamodb", f"table/{name}")})
    document = {"Statement": {"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": "*"}}
    assert mine.call("dynamodb", "scan", TableName=table) == "AccessDeniedException"
    mended.client("iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(document))
    assert eventually(lambda: mine.call("dynamodb", "scan", TableName=table) == "", 3)


def test_a_function_acts_in_its_role(cloud: Cloud, name: str) -> None:
    """Its credentials say so; a role that IAM does not know may do everything."""
    source = "import os\ndef handler(event, context):\n    return os.environ['AWS_SESSION_TOKEN']\n"
    cloud.function(name, source, Role=role(cloud, name, {"Action": "s3:GetObject", "Resource": "*"}))
    cloud.verdict("role_permissions", cloud.invoke(name) == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{name}")
    assert Caller(cloud, f"{name}-unknown").call("dynamodb", "list_tables") == ""


def test_a_presigned_address_is_worth_what_its_signer_may(cloud: Cloud, name: str) -> None:
    """It is decided when it is used."""
    cloud.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    mine = caller(cloud, name, {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/in/*"})

    def put(key: str, version: str = "s3v4") -> int:
        url = mine.client("s3", version).generate_presigned_url("put_object", {"Bucket": name, "Key": key})
        try:
            with urllib.request.urlopen(urllib.request.Request(url, b"x", method="PUT")) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as answer:
            return answer.code

    cloud.verdict(
        "role_permissions", (put("in/1"), put("in/1", "s3"), put("out/1"), put("out/1", "s3")) == (200, 200, 403, 403)
    )


def test_a_token_is_answered_by_who_may_on_its_machine(cloud: Cloud, name: str) -> None:
    """Permission on another machine does not help, also after the task is over; a token has AWS's length."""
    tokens = cloud.table(f"{name}-tokens")
    item = {"pk": {"S": "t"}, "token": {"S": "{% $states.context.Task.Token %}"}}
    wait = {
        "Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem.waitForTaskToken", "End": True,
        "Arguments": {"TableName": tokens, "Item": item},
    }  # fmt: skip
    machine = cloud.machine(name, {"Wait": wait}, "Wait")
    for suffix, resource in (("may", machine), ("not", f"{machine}-other")):
        role(cloud, f"{name}-{suffix}", {"Action": "states:SendTaskSuccess", "Resource": resource})
    execution = cloud.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"]
    key = {"TableName": tokens, "Key": {"pk": {"S": "t"}}}
    token = eventually(lambda: cloud.client("dynamodb").get_item(**key).get("Item"))["token"]["S"]

    def answer(suffix: str) -> str:
        who = Caller(cloud, f"{name}-{suffix}")
        return who.call("stepfunctions", "send_task_success", taskToken=token, output="1")

    first = answer("not")
    second = answer("may")
    status = cloud.ended(execution)["status"]
    third = answer("not")
    cloud.verdict(
        "role_permissions",
        len(token) > 600
        and (first, second, status, third) == ("AccessDeniedException", "", "SUCCEEDED", "AccessDeniedException"),
    )
