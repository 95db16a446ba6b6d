"""The pieces of AWS the resident job needs, served by the emulator in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from cloud import models

ROOT = Path(__file__).parents[2]
TABLE, INDEX, BUCKET = "scoring-requests", "by-queue", "artefacts"
MODEL_ID, MODELS, SHADOWS = "origination", "models", "shadow-scores"
MODEL = ROOT / "models" / "origination-2.1.0.json"
TRADE = ROOT / "models" / "trade-1.0.0.json"
MODEL_KEY = f"models/{MODEL.name}"
_ALIAS = "alias/models"


def environment(port: int) -> dict[str, str]:
    """Return the environment in which boto3 reaches the emulator at ``port``."""
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def client(service: str, port: int) -> Any:
    """Return a boto3 client of the emulator at ``port``."""
    connect: Any = boto3.client
    return connect(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@contextmanager
def emulator(directory: Path) -> Iterator[int]:
    """Run the emulator, with the table and the shipped model in it, and give its port."""
    port = free_port()
    settings = {
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "localhost",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": "eu-west-1",
        "IOT_MTLS_ENABLED": "0",
        "STATE_DIR": str(directory),
        "S3_DATA_DIR": str(directory),
    }
    with (directory / "emulator.log").open("w") as output:
        process = subprocess.Popen(
            [ROOT / ".venvs/cloud/bin/ministack"], env={**os.environ, **settings}, stdout=output, stderr=output
        )
    try:
        wait_for_port(port)
        create_resources(port)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def create_resources(port: int) -> None:
    """Create the tables, and put the shipped model, signed, into a bucket."""
    dynamodb, storage, kms = client("dynamodb", port), client("s3", port), client("kms", port)
    create_table(dynamodb)
    for name, keys in ((MODELS, ("model_id", "record")), (SHADOWS, ("challenger", "request_id"))):
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        )
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=_ALIAS, TargetKeyId=key)
    storage.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for path in (MODEL, TRADE):
        storage.put_object(Bucket=BUCKET, Key=f"models/{path.name}", Body=models.signed(kms, key, path))


def signing_key(port: int) -> str:
    """Return the ARN of the key that signs models."""
    return str(client("kms", port).describe_key(KeyId=_ALIAS)["KeyMetadata"]["Arn"])


def job_arguments(port: int) -> list[str]:
    """Return the arguments by which the job finds its queue and its models."""
    named = {
        "--region": "eu-west-1",
        "--table": TABLE,
        "--index": INDEX,
        "--model-uris": f"s3://{BUCKET}/{MODEL_KEY},s3://{BUCKET}/models/{TRADE.name}",
        "--models-table": MODELS,
        "--shadow-table": SHADOWS,
        "--trusted-keys": f"{signing_key(port)},",
    }
    return [part for pair in named.items() for part in pair]


def create_table(dynamodb: Any) -> None:
    """Create the table of scoring requests as the platform's template describes it."""
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "request_id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("request_id", "queue", "created_at")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": INDEX,
                "KeySchema": [
                    {"AttributeName": "queue", "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def free_port() -> int:
    """Return a port nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, seconds: float = 30) -> None:
    """Wait until something listens on ``port``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")
