"""Contract of ``mends/target_dead_letters``: what cannot be called of a rule or schedule goes to the dead letters."""

from __future__ import annotations

import json
from typing import Any

from .clouds import ACCOUNT, REGION, ROLE, Cloud, eventually

MISSING = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:missing"


def queue(cloud: Cloud, name: str) -> str:
    cloud.client("sqs").create_queue(QueueName=name)
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def dead(cloud: Cloud, name: str) -> tuple[Any, dict[str, str]]:
    """Body and attributes of the one dead letter; neither if there is none in time."""
    queues = cloud.client("sqs")
    url = queues.get_queue_url(QueueName=name)["QueueUrl"]
    found = eventually(
        lambda: queues.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages"),
        10 if cloud.mended else 3,
    )
    if not found:
        return None, {}
    given = found[0].get("MessageAttributes", {})
    return json.loads(found[0]["Body"]), {name: one["StringValue"] for name, one in given.items()}


def test_an_event_whose_target_is_missing(cloud: Cloud, name: str) -> None:
    """The event as it came, with rule, target and reason."""
    events, arn = cloud.client("events"), queue(cloud, name)
    rule = events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "f", "Arn": MISSING, "DeadLetterConfig": {"Arn": arn}}])
    events.put_events(Entries=[{"Source": name, "DetailType": "Told", "Detail": json.dumps({"n": 1})}])
    body, given = dead(cloud, name)
    good = body is not None and body["detail"] == {"n": 1} and body["source"] == name
    right = {"RULE_ARN": rule, "TARGET_ARN": MISSING, "ERROR_CODE": "NO_RESOURCE", "RETRY_ATTEMPTS": "0"}
    cloud.verdict("target_dead_letters", good and right.items() <= given.items())


def test_a_schedule_whose_target_is_missing(cloud: Cloud, name: str) -> None:
    """Its input, with schedule and target."""
    target = {"Arn": MISSING, "RoleArn": ROLE, "Input": '{"tick": true}',
              "DeadLetterConfig": {"Arn": queue(cloud, name)}}  # fmt: skip
    made = cloud.client("scheduler").create_schedule(
        Name=name, ScheduleExpression="at(2026-01-01T00:00:00)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )  # fmt: skip
    body, given = dead(cloud, name)
    right = {"SCHEDULE_ARN": made["ScheduleArn"], "TARGET_ARN": MISSING, "IS_PAYLOAD_TRUNCATED": "false"}
    cloud.verdict("target_dead_letters", body == {"tick": True} and right.items() <= given.items())


def test_what_can_be_called_is_called(mended: Cloud, name: str) -> None:
    """And leaves no dead letter."""
    events, arn = mended.client("events"), queue(mended, f"{name}-dead")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    target = {"Id": "q", "Arn": queue(mended, name), "DeadLetterConfig": {"Arn": arn}}
    events.put_targets(Rule=name, Targets=[target])
    events.put_events(Entries=[{"Source": name, "DetailType": "Told", "Detail": "{}"}])
    body, _ = dead(mended, name)
    assert body["source"] == name
    left = mended.client("sqs").receive_message(QueueUrl=f"{mended.endpoint}/{ACCOUNT}/{name}-dead")
    assert left.get("Messages", []) == []
