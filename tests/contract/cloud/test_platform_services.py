"""What the platform rests on and MiniStack does by itself: API Gateway, authorisers, Cognito, KMS, secrets, events.

No mend stands behind these tests; they tell which one an upgrade of MiniStack would make necessary.
"""

from __future__ import annotations

import base64
import io
import json
import urllib.error
import urllib.request
import zipfile
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.support.processes import below

from .clouds import ACCOUNT, REGION, Cloud, eventually

AUTHORIZER = """
import time, uuid
def handler(event, context):
    token = event["headers"].get("authorization") or event["headers"].get("Authorization")
    if token == "Bearer nobody":
        raise Exception("Unauthorized")
    effect = "Allow" if token == "Bearer good" else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"].split("/")[0] + "/*"}
    return {
        "principalId": "ann", "context": {"role": "borrower", "call": uuid.uuid4().hex},
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
"""
ECHO = """
import json
def handler(event, context):
    return {"statusCode": 200, "headers": {"x-own": "1"}, "body": json.dumps(event)}
"""


@pytest.fixture(scope="module")
def api(mended: Cloud) -> str:
    """A deployed SAM API with a REQUEST authoriser; its base URL."""
    storage, stacks = mended.client("s3"), mended.client("cloudformation")
    storage.create_bucket(Bucket="api-code", CreateBucketConfiguration={"LocationConstraint": REGION})
    for key, source in (("authorizer", AUTHORIZER), ("echo", ECHO)):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("index.py", source)
        storage.put_object(Bucket="api-code", Key=key, Body=archive.getvalue())
    authorizers = {
        "Tokens": {
            "FunctionArn": {"Fn::GetAtt": ["Authorizer", "Arn"]}, "FunctionPayloadType": "REQUEST",
            "Identity": {"Headers": ["Authorization"], "ReauthorizeEvery": 300},
        }
    }  # fmt: skip
    responses = {
        kind: {
            "StatusCode": status, "ResponseTemplates": {"application/json": json.dumps({"code": code})},
            "ResponseParameters": {"Headers": {"Content-Type": "'application/problem+json'"}},
        }
        for kind, status, code in (("UNAUTHORIZED", 401, "u"), ("ACCESS_DENIED", 403, "f"))
    }  # fmt: skip
    route = {"RestApiId": {"Ref": "Api"}}
    events = {
        "Get": {"Type": "Api", "Properties": {**route, "Method": "GET", "Path": "/loans/{id}"}},
        "Open": {
            "Type": "Api",
            "Properties": {**route, "Method": "POST", "Path": "/open", "Auth": {"Authorizer": "NONE"}},
        },
    }
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Globals": {"Function": {"Runtime": "python3.13", "Handler": "index.handler"}},
        "Resources": {
            "Api": {
                "Type": "AWS::Serverless::Api",
                "Properties": {
                    "StageName": "dev",
                    "Auth": {"DefaultAuthorizer": "Tokens", "Authorizers": authorizers},
                    "GatewayResponses": responses,
                },
            },
            "Authorizer": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "s3://api-code/authorizer"}},
            "Echo": {
                "Type": "AWS::Serverless::Function",
                "Properties": {"CodeUri": "s3://api-code/echo", "Events": events},
            },
        },
        "Outputs": {"Id": {"Value": {"Ref": "Api"}}},
    }  # fmt: skip
    stacks.create_stack(
        StackName="api", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    )
    done = eventually(
        lambda: [
            s for s in stacks.describe_stacks(StackName="api")["Stacks"] if s["StackStatus"] != "CREATE_IN_PROGRESS"
        ]
    )
    assert done[0]["StackStatus"] == "CREATE_COMPLETE", done
    return f"{mended.endpoint}/_aws/execute-api/{done[0]['Outputs'][0]['OutputValue']}/dev"


def call(url: str, token: str | None = None, method: str = "GET", body: bytes | None = None) -> tuple[int, Any, Any]:
    """Status, headers and body of an HTTP call."""
    headers = {"Authorization": token} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)) as answer:
            return answer.status, answer.headers, json.loads(answer.read())
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, json.loads(answer.read())


def test_authoriser_answers_and_gateway_responses(api: str) -> None:
    """401 without a token or for an unknown one, 403 for a refused one, each as the template words it."""
    for token, status, code in ((None, 401, "u"), ("Bearer nobody", 401, "u"), ("Bearer bad", 403, "f")):
        got, headers, body = call(f"{api}/loans/1", token)
        assert (got, body) == (status, {"code": code})
        assert headers["Content-Type"] == "application/problem+json"


def test_event_has_what_chalice_reads(api: str) -> None:
    """resourcePath, httpMethod, path and query parameters, and the authoriser's context; cached by token."""
    _, _, event = call(f"{api}/loans/7?tag=a&tag=b&one=1", "Bearer good")
    context = event["requestContext"]
    assert (context["resourcePath"], context["httpMethod"], event["pathParameters"]) == (
        "/loans/{id}",
        "GET",
        {"id": "7"},
    )
    assert event["multiValueQueryStringParameters"] == {"tag": ["a", "b"], "one": ["1"]}
    assert (context["authorizer"]["role"], context["authorizer"]["principalId"]) == ("borrower", "ann")
    assert {"headers", "multiValueHeaders", "stageVariables", "isBase64Encoded", "body"} <= set(event)
    _, _, again = call(f"{api}/loans/8", "Bearer good")
    assert again["requestContext"]["authorizer"]["call"] == context["authorizer"]["call"]


def test_open_route_gets_the_exact_body(api: str) -> None:
    """Webhook signatures are over the bytes as they came."""
    body = '{ "b":1,  "ä": "€" }'.encode()
    status, headers, event = call(f"{api}/open", method="POST", body=body)
    assert status == 200
    assert headers["x-own"] == "1"
    sent = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()
    assert sent == body


def test_cognito_tokens(mended: Cloud) -> None:
    """RS256 tokens with groups and custom attributes, verifiable with the keys that the emulator serves."""
    users = mended.client("cognito-idp")
    pool = users.create_user_pool(
        PoolName="people", Schema=[{"Name": "tenant", "AttributeDataType": "String", "Mutable": True}]
    )["UserPool"]["Id"]
    client = users.create_user_pool_client(
        UserPoolId=pool, ClientName="web", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    )["UserPoolClient"]["ClientId"]
    users.create_group(UserPoolId=pool, GroupName="lender")
    attributes = [{"Name": "custom:tenant", "Value": "bank-1"}]
    users.admin_create_user(UserPoolId=pool, Username="bo", MessageAction="SUPPRESS", UserAttributes=attributes)
    users.admin_set_user_password(UserPoolId=pool, Username="bo", Password="Passw0rd!x", Permanent=True)
    users.admin_add_user_to_group(UserPoolId=pool, Username="bo", GroupName="lender")
    answer = users.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH", ClientId=client, AuthParameters={"USERNAME": "bo", "PASSWORD": "Passw0rd!x"}
    )["AuthenticationResult"]
    with urllib.request.urlopen(f"{mended.endpoint}/{pool}/.well-known/jwks.json") as keys:
        known = {key["kid"]: key for key in json.loads(keys.read())["keys"]}
    for name in ("IdToken", "AccessToken"):
        header, payload, _ = answer[name].split(".")
        head, claims = (json.loads(base64.urlsafe_b64decode(part + "===")) for part in (header, payload))
        assert head["alg"] == "RS256"
        assert known[head["kid"]]["kty"] == "RSA"
        assert claims["cognito:groups"] == ["lender"]
    assert json.loads(base64.urlsafe_b64decode(answer["IdToken"].split(".")[1] + "==="))["custom:tenant"] == "bank-1"


def test_kms(mended: Cloud) -> None:
    """Data keys bound to their context, and MACs."""
    keys = mended.client("kms")
    key = keys.create_key()["KeyMetadata"]["KeyId"]
    context = {"table": "loans", "field": "iban"}
    data = keys.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    assert (
        keys.decrypt(CiphertextBlob=data["CiphertextBlob"], EncryptionContext=context)["Plaintext"] == data["Plaintext"]
    )
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        keys.decrypt(CiphertextBlob=data["CiphertextBlob"], EncryptionContext={"table": "other"})
    mac = keys.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    macs = [keys.generate_mac(KeyId=mac, Message=b"id", MacAlgorithm="HMAC_SHA_256")["Mac"] for _ in range(2)]
    assert macs[0] == macs[1]
    assert len(macs[0]) == 32


def test_generated_secret(mended: Cloud, name: str) -> None:
    """GenerateSecretString in a stack."""
    generate = {
        "SecretStringTemplate": '{"user": "x"}',
        "GenerateStringKey": "key",
        "PasswordLength": 40,
        "ExcludePunctuation": True,
    }
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name, "GenerateSecretString": generate}}
    mended.client("cloudformation").create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": {"Key": secret}})
    )

    def made() -> Any:
        try:
            return json.loads(mended.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
        except ClientError:
            return None

    value = eventually(made)
    assert value["user"] == "x"
    assert len(value["key"]) == 40


def test_events_reach_a_queue(mended: Cloud, name: str) -> None:
    """A rule on a bus of our own, matched by detail-type."""
    events = mended.client("events")
    events.create_event_bus(Name=name)
    url = mended.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"detail-type": ["LoanApproved"]}))
    target = {"Id": "1", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}
    events.put_targets(Rule=name, EventBusName=name, Targets=[target])
    for kind in ("LoanRefused", "LoanApproved"):
        entry = {"Source": "creditmesh", "DetailType": kind, "Detail": '{"id": "1"}', "EventBusName": name}
        events.put_events(Entries=[entry])
    (message,) = eventually(lambda: mended.client("sqs").receive_message(QueueUrl=url).get("Messages"))
    assert json.loads(message["Body"])["detail-type"] == "LoanApproved"


def test_large_objects(mended: Cloud, name: str) -> None:
    """Upload in parts, as artefacts and reports are; a range, the metadata, and deletion."""
    storage = mended.client("s3")
    storage.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    data = bytes(range(256)) * 80_000
    storage.upload_fileobj(io.BytesIO(data), name, "a/large.bin", ExtraArgs={"Metadata": {"kind": "report"}})
    head = storage.head_object(Bucket=name, Key="a/large.bin")
    assert (head["ContentLength"], head["Metadata"]) == (len(data), {"kind": "report"})
    assert storage.get_object(Bucket=name, Key="a/large.bin")["Body"].read() == data
    part = storage.get_object(Bucket=name, Key="a/large.bin", Range="bytes=256-511")["Body"].read()
    assert part == data[256:512]
    storage.delete_object(Bucket=name, Key="a/large.bin")
    assert "Contents" not in storage.list_objects_v2(Bucket=name)


def addresses(process: psutil.Process) -> list[Any]:
    """Where it listens; of one that has just ended, nowhere."""
    try:
        return [link.laddr for link in process.net_connections("inet") if link.status == psutil.CONN_LISTEN]
    except psutil.NoSuchProcess:
        return []


def test_everything_listens_on_the_loopback_interface_only(mended: Cloud) -> None:
    """Neither the emulator nor anything below it is reachable from another machine."""
    listening = [address for one in (psutil.Process(mended.pid), *below(mended.pid)) for address in addresses(one)]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert mended.port in {address.port for address in listening}
