"""Contract of ``mends/stream_mappings``; also what of SQS mappings the platform rests on."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

from .clouds import ACCOUNT, REGION, Cloud, eventually

# Notes each call in the queue of its name: the keys it got and when.
NOTES = """
import json, os, time, urllib.parse, urllib.request

def note(word):
    url = os.environ["AWS_ENDPOINT_URL"] + "/000000000000/" + os.environ["NOTES"]
    body = urllib.parse.urlencode({"Action": "SendMessage", "QueueUrl": url, "MessageBody": json.dumps(word)}).encode()
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/sqs/aws4_request"}
    urllib.request.urlopen(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + "/", body, headers))

def handler(event, context):
    keys = [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]
    note({"keys": keys, "at": time.time()})
    changes = [record["dynamodb"] for record in event["Records"]]
    bad = [c["SequenceNumber"] for c in changes if c["Keys"]["pk"]["S"].startswith("bad")]
    if bad and os.environ.get("PARTIAL"):
        return {"batchItemFailures": [{"itemIdentifier": bad[0]}]}
    if bad:
        raise ValueError("bad record")
    return {"batchItemFailures": []}
"""


def streamed(cloud: Cloud, name: str, partial: bool = False, **mapping: Any) -> None:
    """A table, a noting function, a queue for notes and one for failures, and the mapping."""
    cloud.table(name, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    for queue in (f"{name}-notes", f"{name}-failed"):
        cloud.client("sqs").create_queue(QueueName=queue)
    variables = {"NOTES": f"{name}-notes", **({"PARTIAL": "1"} if partial else {})}
    cloud.function(name, NOTES, Environment={"Variables": variables})
    stream = cloud.client("dynamodb").describe_table(TableName=name)["Table"]["LatestStreamArn"]
    failed = {"OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-failed"}}
    cloud.client("lambda").create_event_source_mapping(
        EventSourceArn=stream, FunctionName=name, StartingPosition="LATEST",
        **{"BatchSize": 10, "DestinationConfig": failed, **mapping},
    )  # fmt: skip


def messages(cloud: Cloud, queue: str) -> list[Any]:
    """Take everything out of a queue."""
    queues = cloud.client("sqs")
    url = f"{cloud.endpoint}/{ACCOUNT}/{queue}"
    found = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in found]


def put(cloud: Cloud, table: str, *keys: str) -> None:
    """One transaction, so that the records come in one batch."""
    puts = [{"Put": {"TableName": table, "Item": {"pk": {"S": key}, "kind": {"S": key[:3]}}}} for key in keys]
    cloud.client("dynamodb").transact_write_items(TransactItems=puts)


def test_failing_record_is_given_up_and_reported(cloud: Cloud, name: str) -> None:
    """MaximumRetryAttempts and bisection: the bad record goes to OnFailure, the others are delivered."""
    streamed(cloud, name, MaximumRetryAttempts=1, BisectBatchOnFunctionError=True)
    put(cloud, name, "one", "bad", "two", "six")
    failures: list[Any] = []
    eventually(lambda: failures.extend(messages(cloud, f"{name}-failed")) or failures, 6)
    put(cloud, name, "after")
    heard: list[str] = []

    def hear() -> bool:
        for note in messages(cloud, f"{name}-notes"):
            heard.extend(note["keys"])
        return "after" in heard

    eventually(hear, 4)
    good = len(failures) == 1 and failures[0]["requestContext"]["condition"] == "RetryAttemptsExhausted"
    cloud.verdict("stream_mappings", good and failures[0]["DDBStreamBatchInfo"]["batchSize"] < 4 and "after" in heard)


def test_a_bucket_gets_the_records_that_were_given_up(cloud: Cloud, name: str) -> None:
    """With S3 as destination, the event that the function was given comes with what a queue would get."""
    buckets, failed = cloud.client("s3"), f"{name}-records"
    buckets.create_bucket(Bucket=failed, CreateBucketConfiguration={"LocationConstraint": REGION})
    streamed(
        cloud, name, MaximumRetryAttempts=1, BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{failed}"}},
    )  # fmt: skip
    put(cloud, name, "one", "bad")
    found = eventually(lambda: buckets.list_objects_v2(Bucket=failed).get("Contents"), 6 if cloud.mended else 3)
    if not found:
        cloud.verdict("stream_mappings", False)
        return
    (key,) = (one["Key"] for one in found)
    document = json.loads(buckets.get_object(Bucket=failed, Key=key)["Body"].read())
    (record,) = json.loads(document["payload"])["Records"]
    stream = cloud.client("dynamodb").describe_table(TableName=name)["Table"]["LatestStreamArn"]
    good = document["requestContext"]["functionArn"].endswith(f":function:{name}")
    good &= (document["DDBStreamBatchInfo"]["batchSize"], document["DDBStreamBatchInfo"]["streamArn"]) == (1, stream)
    good &= record["dynamodb"]["Keys"] == {"pk": {"S": "bad"}}
    cloud.verdict("stream_mappings", good and key.startswith("aws/lambda/") and key.count("/") == 4)


def test_partial_batch_failure_goes_on_at_the_failed_record(cloud: Cloud, name: str) -> None:
    """ReportBatchItemFailures: what came before is not delivered again, what is given up is reported."""
    streamed(cloud, name, partial=True, MaximumRetryAttempts=1, FunctionResponseTypes=["ReportBatchItemFailures"])
    put(cloud, name, "one", "two", "bad")
    failures: list[Any] = []
    eventually(lambda: failures.extend(messages(cloud, f"{name}-failed")) or failures, 6)
    notes = [note["keys"] for note in messages(cloud, f"{name}-notes")]
    good = len(failures) == 1 and failures[0]["DDBStreamBatchInfo"]["batchSize"] == 1
    cloud.verdict("stream_mappings", good and notes == [["one", "two", "bad"], ["bad"]])


def test_filter(cloud: Cloud, name: str) -> None:
    """Upstream does this by itself: only records that match reach the function."""
    pattern = json.dumps({"dynamodb": {"NewImage": {"kind": {"S": ["yes"]}}}})
    streamed(cloud, name, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    put(cloud, name, "no-1", "yes-1", "no-2")
    notes: list[Any] = []
    eventually(lambda: notes.extend(messages(cloud, f"{name}-notes")) or notes)
    assert [note["keys"] for note in notes] == [["yes-1"]]


def test_latency_beside_a_slow_function(cloud: Cloud, name: str) -> None:
    """From write to invocation, while another mapping's function is busy and other tables are written to."""
    slow = f"{name}-slow"
    cloud.table(slow, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
    cloud.function(slow, "import time\ndef handler(event, context):\n    time.sleep(1.5)\n")
    stream = cloud.client("dynamodb").describe_table(TableName=slow)["Table"]["LatestStreamArn"]
    cloud.client("lambda").create_event_source_mapping(
        EventSourceArn=stream, FunctionName=slow, StartingPosition="LATEST", BatchSize=1
    )
    streamed(cloud, name)
    put(cloud, name, "warm")
    assert eventually(lambda: messages(cloud, f"{name}-notes"))
    put(cloud, slow, "busy-1", "busy-2", "busy-3")

    def took() -> float:
        written = time.time()
        put(cloud, name, f"key-{written}")
        notes: list[Any] = []
        eventually(lambda: notes.extend(messages(cloud, f"{name}-notes")) or notes)
        return float(notes[0]["at"]) - written

    # Other tests keep this machine busy: one round of several is enough.
    rounds = range(5 if cloud.mended else 1)
    cloud.verdict("stream_mappings", any(statistics.median(took() for _ in range(8)) < 0.1 for _ in rounds))


def test_sqs_mapping_reports_partial_failures_and_redrives(cloud: Cloud, name: str) -> None:
    """Upstream does this by itself: good messages are gone, the bad one ends in the dead-letter queue."""
    queues = cloud.client("sqs")
    queues.create_queue(QueueName=f"{name}-dead")
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-dead", "maxReceiveCount": 2}
    url = queues.create_queue(
        QueueName=name, Attributes={"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "1"}
    )["QueueUrl"]
    cloud.function(
        name,
        "def handler(event, context):\n"
        "    bad = [r['messageId'] for r in event['Records'] if r['body'] == 'bad']\n"
        "    return {'batchItemFailures': [{'itemIdentifier': i} for i in bad]}\n",
        Timeout=1,
    )
    cloud.client("lambda").create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", FunctionName=name,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )  # fmt: skip
    entries = [{"Id": word, "MessageBody": word} for word in ("good", "bad", "fine")]
    queues.send_message_batch(QueueUrl=url, Entries=entries)
    dead = f"{cloud.endpoint}/{ACCOUNT}/{name}-dead"
    found: list[Any] = []
    eventually(lambda: found.extend(queues.receive_message(QueueUrl=dead).get("Messages", [])) or found, 15)
    assert [message["Body"] for message in found] == ["bad"]
