"""The functions of the conformance stack; boto3 is the runtime's own, or the layer's."""

from __future__ import annotations

import os
import time
from typing import Any

import boto3
from botocore.exceptions import ClientError


class SomethingIsWrong(Exception):
    """What a function may raise."""


def raises(event: Any, context: Any) -> None:
    raise SomethingIsWrong("on purpose")


def hangs(event: Any, context: Any) -> None:
    time.sleep(20)


def dies(event: Any, context: Any) -> None:
    os._exit(1)


def takes_token(event: Any, context: Any) -> None:
    """Answer before the call that brought the token has returned, or keep it."""
    if event["answers"]:
        boto3.client("stepfunctions").send_task_success(taskToken=event["token"], output='"early"')
    else:
        _keep(event["name"], token={"S": event["token"]})


def answers(event: Any, context: Any) -> str:
    """Answer a token; what AWS says to it."""
    try:
        boto3.client("stepfunctions").send_task_success(taskToken=event["token"], output='"answered"')
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"


def ended(event: Any, context: Any) -> None:
    """Keep what EventBridge tells of an execution."""
    _keep(f"ended-{event['detail']['name']}", status={"S": event["detail"]["status"]})


def reads(event: Any, context: Any) -> list[int]:
    """How GetObject and HeadObject of a key are answered."""
    storage, where = boto3.client("s3"), {"Bucket": os.environ["OBJECTS"], "Key": event["key"]}
    found = []
    for call in (storage.get_object, storage.head_object):
        try:
            answer = call(**where)
        except ClientError as error:
            answer = error.response
        found.append(answer["ResponseMetadata"]["HTTPStatusCode"])
    return found


def records(event: Any, context: Any) -> None:
    """Handle a stream's records, all but the poisoned ones."""
    for record in event["Records"]:
        image = record["dynamodb"]["NewImage"]
        if image["poison"]["BOOL"]:
            raise SomethingIsWrong("always")
        _keep(f"seen-{image['pk']['S']}")


def _keep(key: str, **attributes: Any) -> None:
    boto3.client("dynamodb").put_item(TableName=os.environ["ITEMS"], Item={"pk": {"S": key}, **attributes})
