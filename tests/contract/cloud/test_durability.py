"""Contract of ``dynamodb_durability``, ``sfn_durability`` and ``snapshots``: what a kill may not lose."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionError

from .clouds import Cloud, eventually

WRITERS = 4


@pytest.fixture
def crashing(tmp_path: Path) -> Iterator[Cloud]:
    """An emulator of its own, since these tests kill it."""
    cloud = Cloud(tmp_path, mended=True).start()
    yield cloud
    cloud.stop()


def test_kill_under_load_loses_nothing_acknowledged(crashing: Cloud) -> None:
    """Puts, updates, deletes and transactions from several threads, killed in the middle, twice."""
    table = crashing.table("ledger")
    acknowledged: dict[str, int | None] = {}
    for round_number in range(2):
        threads = [
            threading.Thread(target=write, args=(crashing, table, f"{round_number}-{i}", acknowledged))
            for i in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        crashing.kill()
        for thread in threads:
            thread.join()
        crashing.start()
        found = {item["pk"]["S"]: int(item["n"]["N"]) for item in everything(crashing, table)}
        lost = {key: n for key, n in acknowledged.items() if n is not None and found.get(key, -1) < n}
        undead = [key for key, n in acknowledged.items() if n is None and key in found]
        assert acknowledged
        assert not lost
        assert not undead
        halves = {key.removesuffix("-a") for key in found if key.endswith("-a")} ^ {
            key.removesuffix("-b") for key in found if key.endswith("-b")
        }
        assert not halves, "a transaction came back by half"


def write(cloud: Cloud, table: str, prefix: str, acknowledged: dict[str, int | None]) -> None:
    """Write until the emulator is gone, noting each thing it acknowledged (None: deleted)."""
    database = cloud.client("dynamodb")
    try:
        for number in range(100_000):
            key = f"{prefix}-{number % 20}"
            database.put_item(TableName=table, Item={"pk": {"S": key}, "n": {"N": str(number)}})
            acknowledged[key] = number
            pair = [f"{prefix}-t{number}-{half}" for half in "ab"]
            puts = [{"Put": {"TableName": table, "Item": {"pk": {"S": one}, "n": {"N": "1"}}}} for one in pair]
            database.transact_write_items(TransactItems=puts)
            acknowledged.update(dict.fromkeys(pair, 1))
            gone = f"{prefix}-d{number}"
            database.put_item(TableName=table, Item={"pk": {"S": gone}, "n": {"N": "1"}})
            database.delete_item(TableName=table, Key={"pk": {"S": gone}})
            acknowledged[gone] = None
    except (ConnectionError, ClientError, OSError):
        return


def everything(cloud: Cloud, table: str) -> Iterator[dict[str, Any]]:
    """All items of a table."""
    for page in cloud.client("dynamodb").get_paginator("scan").paginate(TableName=table):
        yield from page["Items"]


def test_a_used_transaction_token_stays_used(crashing: Cloud) -> None:
    """Money moved once is not moved again by a retry after the crash."""
    table = crashing.table("money")
    add = {
        "Update": {"TableName": table, "Key": {"pk": {"S": "a"}}, "UpdateExpression": "ADD n :one",
                   "ExpressionAttributeValues": {":one": {"N": "1"}}},
    }  # fmt: skip
    crashing.client("dynamodb").transact_write_items(TransactItems=[add], ClientRequestToken="t-1")
    crashing.kill()
    crashing.start()
    crashing.client("dynamodb").transact_write_items(TransactItems=[add], ClientRequestToken="t-1")
    assert crashing.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": "a"}})["Item"]["n"]["N"] == "1"


def test_a_compacted_journal_holds_the_same(tmp_path: Path) -> None:
    """Each start makes a segment; the base written from more than three of them says the same."""
    crashing, settings = Cloud(tmp_path, mended=True), {"CREDITMESH_JOURNAL_SEGMENTS": "3"}
    crashing.start(**settings)
    try:
        kill_until_compacted(crashing, settings)
        crashing.kill()
        crashing.start(**settings)
        assert len(list(everything(crashing, "many"))) == 12
        described = crashing.client("dynamodb").describe_table(TableName="many")["Table"]
        assert described["ItemCount"] == 12
        assert described["StreamSpecification"]["StreamEnabled"]
    finally:
        crashing.stop()


def kill_until_compacted(cloud: Cloud, settings: dict[str, str]) -> None:
    """Write four items before each of three kills; the start after the last one writes the base."""
    cloud.table("many", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    base = cloud.state_dir / "dynamodb" / "items-base.jsonl"
    for number in range(12):
        cloud.client("dynamodb").put_item(TableName="many", Item={"pk": {"S": str(number)}, "n": {"N": "1"}})
        if number % 4 == 3:
            assert not base.exists()
            cloud.kill()
            cloud.start(**settings)
    assert eventually(base.exists)


def test_executions_survive(crashing: Cloud) -> None:
    """Outcomes are kept, names stay used, what ran is FAILED with States.ServiceRestart."""
    quick = crashing.machine("quick", {"A": {"Type": "Pass", "Output": "{% 7 %}", "End": True}}, "A")
    slow = crashing.machine("slow", {"A": {"Type": "Wait", "Seconds": 60, "End": True}}, "A")
    done = crashing.run(quick)["executionArn"]
    states = crashing.client("stepfunctions")
    crashing.settle()  # definitions are saved by the snapshot
    running = states.start_execution(stateMachineArn=slow, name="application-1")["executionArn"]
    crashing.kill()
    crashing.start()
    assert json.loads(states.describe_execution(executionArn=done)["output"]) == 7
    ended = states.describe_execution(executionArn=running)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ServiceRestart")
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(stateMachineArn=slow, name="application-1")


def test_control_plane_survives(crashing: Cloud) -> None:
    """Secrets, users, keys, parameters, objects, queues with messages, functions with layers, stream mappings."""
    made = populate(crashing)
    crashing.settle()
    crashing.kill()
    crashing.start()
    assert crashing.client("secretsmanager").get_secret_value(SecretId="key")["SecretString"] == "s3cret"
    users = crashing.client("cognito-idp")
    tokens = users.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=made["client"],
        AuthParameters={"USERNAME": "ann", "PASSWORD": "Passw0rd!x"},
    )
    assert tokens["AuthenticationResult"]["IdToken"]
    plain = crashing.client("kms").decrypt(CiphertextBlob=made["cipher"], EncryptionContext={"table": "t"})["Plaintext"]
    assert plain == b"iban"
    assert crashing.client("ssm").get_parameter(Name="/creditmesh/x")["Parameter"]["Value"] == "1"
    assert crashing.client("s3").get_object(Bucket="papers", Key="a/b.pdf")["Body"].read() == b"pdf"
    assert "Messages" in crashing.client("sqs").receive_message(QueueUrl=made["queue"])
    assert crashing.invoke("layered") == "from the layer"
    table = made["table"]
    crashing.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "after"}})
    assert eventually(
        lambda: "Messages" in crashing.client("sqs").receive_message(QueueUrl=made["echo"], WaitTimeSeconds=1)
    )


def populate(cloud: Cloud) -> dict[str, Any]:
    """Make one of each."""
    import io
    import zipfile

    cloud.client("secretsmanager").create_secret(Name="key", SecretString="s3cret")
    users = cloud.client("cognito-idp")
    pool = users.create_user_pool(PoolName="people")["UserPool"]["Id"]
    client = users.create_user_pool_client(
        UserPoolId=pool, ClientName="web", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    users.admin_create_user(UserPoolId=pool, Username="ann", MessageAction="SUPPRESS")
    users.admin_set_user_password(UserPoolId=pool, Username="ann", Password="Passw0rd!x", Permanent=True)
    key = cloud.client("kms").create_key()["KeyMetadata"]["KeyId"]
    cipher = cloud.client("kms").encrypt(KeyId=key, Plaintext=b"iban", EncryptionContext={"table": "t"})[
        "CiphertextBlob"
    ]
    cloud.client("ssm").put_parameter(Name="/creditmesh/x", Value="1", Type="String")
    cloud.client("s3").create_bucket(Bucket="papers", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    cloud.client("s3").put_object(Bucket="papers", Key="a/b.pdf", Body=b"pdf")
    queue = cloud.client("sqs").create_queue(QueueName="in")["QueueUrl"]
    cloud.client("sqs").send_message(QueueUrl=queue, MessageBody="hello")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("python/deep.py", "WORD = 'from the layer'\n")
    layer = cloud.client("lambda").publish_layer_version(LayerName="deep", Content={"ZipFile": archive.getvalue()})
    cloud.function(
        "layered",
        "import deep\ndef handler(event, context):\n    return deep.WORD\n",
        Layers=[layer["LayerVersionArn"]],
    )
    table = cloud.table("streamed", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
    echo = cloud.client("sqs").create_queue(QueueName="echo")["QueueUrl"]
    cloud.function("fails", "def handler(event, context):\n    raise ValueError('no')\n")
    stream = cloud.client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
    cloud.client("lambda").create_event_source_mapping(
        EventSourceArn=stream, FunctionName="fails", StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:000000000000:echo"}},
    )  # fmt: skip
    cloud.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "before"}})
    eventually(lambda: "Messages" in cloud.client("sqs").receive_message(QueueUrl=echo, WaitTimeSeconds=1), 5)
    return {"client": client, "cipher": cipher, "queue": queue, "table": table, "echo": echo}


def test_tables_of_a_stack_survive(crashing: Cloud) -> None:
    """CloudFormation puts tables into upstream's store without calling CreateTable."""
    template = {
        "Resources": {
            "Kept": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "TableName": "of-a-stack",
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                },
            }
        }
    }
    stacks = crashing.client("cloudformation")
    stacks.create_stack(StackName="durable", TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName="durable", WaiterConfig={"Delay": 1})
    crashing.client("dynamodb").put_item(TableName="of-a-stack", Item={"id": {"S": "a"}})
    crashing.kill()
    crashing.start()
    found = crashing.client("dynamodb").get_item(TableName="of-a-stack", Key={"id": {"S": "a"}})
    assert found["Item"] == {"id": {"S": "a"}}


def test_reset_forgets_for_good(crashing: Cloud) -> None:
    """What a reset wiped does not come back with the next start."""
    import urllib.request

    table = crashing.table("gone")
    crashing.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "1"}})
    machine = crashing.machine("gone", {"A": {"Type": "Pass", "End": True}}, "A")
    crashing.run(machine)
    urllib.request.urlopen(urllib.request.Request(f"{crashing.endpoint}/_ministack/reset", method="POST")).close()
    crashing.kill()
    crashing.start()
    assert crashing.client("dynamodb").list_tables()["TableNames"] == []
    assert crashing.client("stepfunctions").list_state_machines()["stateMachines"] == []
