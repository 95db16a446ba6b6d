"""Contract of ``mends/queue_mappings``, and what MiniStack's FIFO queues do well by themselves."""

from __future__ import annotations

import json
from typing import Any

from .clouds import ACCOUNT, REGION, Cloud, eventually, refused
from .test_cloudformation import at_rest

SLOW = """
import json, time, urllib.request, os
def handler(event, context):
    for record in event["Records"]:
        body = json.loads(record["body"])
        note = {"pk": {"S": record["messageId"]}, "group": {"S": record["attributes"]["MessageGroupId"]},
                "n": {"N": str(body["n"])}, "begun": {"N": str(time.time())}, "of": {"N": str(len(event["Records"]))}}
        time.sleep(body["seconds"])
        note["ended"] = {"N": str(time.time())}
        data = json.dumps({"TableName": os.environ["AWS_LAMBDA_FUNCTION_NAME"], "Item": note}).encode()
        headers = {"X-Amz-Target": "DynamoDB_20120810.PutItem", "Content-Type": "application/x-amz-json-1.0"}
        urllib.request.urlopen(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], data, headers))
"""


def fifo(cloud: Cloud, name: str, **attributes: str) -> str:
    """A FIFO queue; returns its URL."""
    made = cloud.client("sqs").create_queue(
        QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true", **attributes}
    )
    return str(made["QueueUrl"])


def arn(queue: str) -> str:
    """ARN of a queue of this name."""
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"


def send(cloud: Cloud, url: str, group: str, n: int, seconds: float = 0) -> None:
    """One message of a group."""
    cloud.client("sqs").send_message(
        QueueUrl=url, MessageGroupId=group, MessageBody=json.dumps({"n": n, "group": group, "seconds": seconds})
    )


def test_groups_are_delivered_beside_one_another(cloud: Cloud, name: str) -> None:
    """A slow group holds up nobody else; within a group the order holds and one batch is under way."""
    cloud.table(name)
    cloud.function(name, SLOW)
    url = fifo(cloud, name)
    for n in range(3):
        send(cloud, url, "slow", n, 1.5 if n == 0 else 0.2)
    for n in range(3):
        send(cloud, url, "quick", n)
    cloud.client("lambda").create_event_source_mapping(
        FunctionName=name, EventSourceArn=arn(f"{name}.fifo"), BatchSize=1
    )

    def notes() -> list[dict[str, Any]]:
        items = cloud.client("dynamodb").scan(TableName=name)["Items"]
        return items if len(items) == 6 else []

    found = eventually(notes, 15)
    begun = {(one["group"]["S"], int(one["n"]["N"])): float(one["begun"]["N"]) for one in found}
    ended = {(one["group"]["S"], int(one["n"]["N"])): float(one["ended"]["N"]) for one in found}
    for group in ("slow", "quick"):
        assert ended[group, 0] <= begun[group, 1]
        assert ended[group, 1] <= begun[group, 2]
    cloud.verdict("queue_mappings", ended["quick", 2] < ended["slow", 0])


def test_a_queue_must_hide_messages_as_long_as_the_function_may_run(cloud: Cloud, name: str) -> None:
    """Refused by Lambda, and a stack with it fails."""
    cloud.function(name, SLOW, Timeout=31)
    cloud.client("sqs").create_queue(QueueName=name)
    properties = {"FunctionName": name, "EventSourceArn": arn(name)}
    code, message = refused(lambda: cloud.client("lambda").create_event_source_mapping(**properties))
    wanted = "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"
    resources = {"Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}}
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    status = at_rest(cloud, name)["StackStatus"]
    right = (code, message, status) == ("InvalidParameterValueException", wanted, "ROLLBACK_COMPLETE")
    cloud.verdict("queue_mappings", right)


def test_what_a_fifo_queue_takes(cloud: Cloud, name: str) -> None:
    """A group is demanded, a delay for one message refused, the same content taken once. Upstream does this."""
    url, queues = fifo(cloud, name), cloud.client("sqs")
    code, _ = refused(lambda: queues.send_message(QueueUrl=url, MessageBody="x"))
    assert code == "MissingParameter"
    code, message = refused(
        lambda: queues.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", DelaySeconds=5)
    )
    assert code.endswith("InvalidParameterValue")
    assert "DelaySeconds is invalid" in message
    ids = [queues.send_message(QueueUrl=url, MessageBody="same", MessageGroupId="g")["MessageId"] for _ in range(2)]
    received = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert len(received) == 1
    assert ids[0] == ids[1]


def test_what_always_fails_goes_to_the_dead_letters(cloud: Cloud, name: str) -> None:
    """After maxReceiveCount attempts, and the group goes on. Upstream does this."""
    cloud.table(name)
    source = SLOW.replace(
        'body = json.loads(record["body"])', 'body = json.loads(record["body"])\n        1 / body["n"]'
    )
    cloud.function(name, source, Timeout=1)
    dead = fifo(cloud, f"{name}-dead")
    redrive = {"deadLetterTargetArn": arn(f"{name}-dead.fifo"), "maxReceiveCount": 2}
    url = fifo(cloud, name, VisibilityTimeout="1", RedrivePolicy=json.dumps(redrive))
    cloud.client("lambda").create_event_source_mapping(
        FunctionName=name, EventSourceArn=arn(f"{name}.fifo"), BatchSize=1
    )
    send(cloud, url, "g", 0)
    send(cloud, url, "g", 1)
    items = cloud.client("dynamodb")
    assert eventually(lambda: items.scan(TableName=name)["Count"] == 1, 20)
    held = cloud.client("sqs").receive_message(QueueUrl=dead)["Messages"]
    assert [json.loads(message["Body"])["n"] for message in held] == [0]
