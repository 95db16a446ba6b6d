"""Schedules, rules and what becomes of what fails: dead letters, alarms (research aws.md 10)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from creditmesh.closing.model import CLOSED, moves_money
from creditmesh.failures.model import KEPT_DAYS
from tests.support.template import of_type

Template = dict[str, Any]
RECORDER = "RecordFailedEventsFunction"
DEAD_LETTERS = {"Fn::GetAtt": ["DeadLetters", "Arn"]}
STORAGE_KEY = {"Fn::GetAtt": ["StorageKey", "Arn"]}


def events(source: Template, *kinds: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Owner, its type and properties of every event of these kinds."""
    for owner, resource in source["Resources"].items():
        for event in resource.get("Properties", {}).get("Events", {}).values():
            if event["Type"] in kinds:
                yield owner, resource["Type"], event["Properties"]


def statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"]]


def test_the_scheduler_may_start_what_is_scheduled_and_nothing_else(source: Template) -> None:
    role = source["Resources"]["SchedulerRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    granted = {(one["Action"][0], json.dumps(one["Resource"])) for one in statements(role)}
    assert granted == {("sqs:SendMessage", json.dumps(DEAD_LETTERS))} | {
        ("lambda:InvokeFunction", json.dumps({"Fn::GetAtt": [owner, "Arn"]}))
        if kind == "AWS::Serverless::Function"
        else ("states:StartExecution", json.dumps({"Ref": owner}))
        for owner, kind, _ in events(source, "ScheduleV2")
    }
    assert all(one["RoleArn"] == {"Fn::GetAtt": ["SchedulerRole", "Arn"]} for _, _, one in events(source, "ScheduleV2"))


def test_what_the_scheduler_cannot_start_reaches_the_encrypted_queue(source: Template) -> None:
    role = source["Resources"]["SchedulerRole"]["Properties"]
    assert {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": DEAD_LETTERS} in statements(role)
    assert role["ManagedPolicyArns"] == [{"Ref": "StorageKeyPolicy"}]
    (key,) = source["Resources"]["StorageKeyPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (key["Action"], key["Resource"]) == (["kms:Decrypt", "kms:GenerateDataKey"], STORAGE_KEY)
    assert all(one["DeadLetterConfig"] == {"Arn": DEAD_LETTERS} for _, _, one in events(source, "ScheduleV2"))


def test_an_error_of_a_function_that_is_invoked_asynchronously_is_kept(source: Template, transformed: Template) -> None:
    """Lambda takes the event and answers at once: neither Scheduler nor EventBridge learns that the function failed."""
    invoked = {owner for owner, kind, _ in events(source, "ScheduleV2", "EventBridgeRule") if kind.endswith("Function")}
    assert len(invoked) >= 5
    for name in invoked:
        config = source["Resources"][name]["Properties"]["EventInvokeConfig"]
        assert config["DestinationConfig"] == {"OnFailure": {"Type": "SQS", "Destination": DEAD_LETTERS}}, name
        assert config["MaximumRetryAttempts"] <= 2, name
        role = transformed["Resources"][f"{name}Role"]["Properties"]
        sends = [one for one in statements(role) if one["Action"] == "sqs:SendMessage"]
        assert [one["Resource"] for one in sends] == [DEAD_LETTERS], name
        assert {"Ref": "StorageKeyPolicy"} in role["ManagedPolicyArns"], name


def test_rules_may_send_to_the_encrypted_queue(source: Template) -> None:
    """EventBridge's calls to KMS for a queue carry no aws:SourceAccount, so a condition on it would deny them."""
    policy = source["Resources"]["StorageKey"]["Properties"]["KeyPolicy"]["Statement"]
    (rules,) = [one for one in policy if one["Principal"] == {"Service": "events.amazonaws.com"}]
    assert rules["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert "Condition" not in rules
    allowed = source["Resources"]["DeadLettersPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (queue,) = [one for one in allowed if one["Principal"] == {"Service": "events.amazonaws.com"}]
    assert list(queue["Condition"]["ArnLike"]) == ["aws:SourceArn"]
    targets = [target for rule in of_type(source, "AWS::Events::Rule").values() for target in rule["Targets"]]
    targets += [one for _, _, one in events(source, "EventBridgeRule")]
    assert len(targets) >= 2
    assert all(target["DeadLetterConfig"] == {"Arn": DEAD_LETTERS} for target in targets)


def test_a_stream_s_failed_records_are_kept_whole(source: Template) -> None:
    """Only in S3: a queue gets shard and sequence numbers, and the stream forgets its records after a day."""
    for owner, _, given in events(source, "DynamoDB"):
        bucket = {"Fn::GetAtt": ["FailedRecords", "Arn"]}
        assert given["DestinationConfig"] == {"OnFailure": {"Type": "S3", "Destination": bucket}}, owner
        assert {"Ref": "FailedRecordsPolicy"} in source["Resources"][owner]["Properties"]["Policies"], owner
    (rule,) = source["Resources"]["FailedRecords"]["Properties"]["LifecycleConfiguration"]["Rules"][-1:]
    assert (rule["ExpirationInDays"], rule["Prefix"]) == (KEPT_DAYS, "")


def test_all_dead_letters_are_recorded(source: Template) -> None:
    """Every queue that something gives up to, and the bucket by way of one."""
    queues = of_type(source, "AWS::SQS::Queue")
    dead = {
        one["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for one in queues.values()
        if "RedrivePolicy" in one
    }
    read = {one["Queue"]["Fn::GetAtt"][0] for owner, _, one in events(source, "SQS") if owner == RECORDER}
    assert dead == read == {"DeadLetters", "FailedDeliveries"}
    (told,) = source["Resources"]["FailedRecords"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert told == {"Event": "s3:ObjectCreated:*", "Queue": DEAD_LETTERS}


def test_a_replay_reaches_what_events_reach_and_nothing_else(source: Template) -> None:
    """S20: what streams, rules and schedules start."""
    role = of_type(source, "AWS::Serverless::StateMachine")["EventReplay"]
    granted = {(one["Action"][0], json.dumps(one["Resource"])) for policy in role["Policies"] if "Statement" in policy
               for one in policy["Statement"] if not one["Action"][0].startswith("logs:")}  # fmt: skip
    started = {
        ("lambda:InvokeFunction", json.dumps({"Fn::GetAtt": [owner, "Arn"]}))
        if kind == "AWS::Serverless::Function"
        else ("states:StartExecution", json.dumps({"Ref": owner}))
        for owner, kind, _ in events(source, "ScheduleV2", "DynamoDB", "EventBridgeRule")
    }
    assert granted - started == {
        ("dynamodb:UpdateItem", json.dumps({"Fn::GetAtt": ["FailedEvents", "Arn"]})),
        ("events:PutEvents", json.dumps({"Fn::GetAtt": ["Bus", "Arn"]})),
    }
    assert started <= granted


def test_only_an_event_about_a_message_can_move_money(transformed: Template) -> None:
    """S20: messages alone leave. Of what is replayed, what reads tickets or the outbox's stream may send.

    Its events name their message, whose type says whether money moves; a sweep does what the next one does.
    """
    machine = json.dumps(transformed["Resources"]["EventReplayRole"]["Properties"]["Policies"])
    replayed = {name for name in of_type(transformed, "AWS::Lambda::Function") if f'["{name}", "Arn"]' in machine}
    assert len(replayed) >= 10
    sends = set()
    for name in replayed:
        role = transformed["Resources"][f"{name}Role"]["Properties"]
        managed = [transformed["Resources"][one["Ref"]]["Properties"]["PolicyDocument"]["Statement"]
                   for one in role["ManagedPolicyArns"] if isinstance(one, dict) and "Ref" in one]  # fmt: skip
        held = json.dumps([statements(role), [one for part in managed for one in part if "PutItem" in json.dumps(one)]])
        if '["DeliveryQueue", "Arn"]' in held or '["Outbox", "Arn"]' in held:
            sends.add(name)
    assert sends == {"EnqueueMessagesFunction", "SettleCommitmentsFunction"}
    assert not moves_money(CLOSED.type)  # all that the latter writes: a lender is told that an application has ended
    keys = {
        name: table["KeySchema"][0]["AttributeName"]
        for name, table in of_type(transformed, "AWS::DynamoDB::Table").items()
    }
    assert [name for name, key in keys.items() if key == "message_id"] == ["Outbox"]


def test_failed_executions_of_origination_are_reported(source: Template) -> None:
    ((owner, _, rule),) = events(source, "EventBridgeRule")
    assert owner == "ResumeApplicationsFunction"
    assert "EventBusName" not in rule  # Step Functions reports to the default bus
    detail = rule["Pattern"].pop("detail")
    assert rule["Pattern"] == {"source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"]}
    assert detail["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    assert json.dumps(detail["stateMachineArn"]).endswith('stateMachine:creditmesh-${Stage}-loan-origination"}]')


def watched(transformed: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Alarm and each metric it rests on."""
    for name, alarm in of_type(transformed, "AWS::CloudWatch::Alarm").items():
        yield from ((name, one["MetricStat"]["Metric"]) for one in alarm.get("Metrics", []) if "MetricStat" in one)
        if "MetricName" in alarm:
            yield name, alarm


def test_every_machine_stream_and_queue_is_watched(source: Template, transformed: Template) -> None:
    of = {kind: json.dumps([one for _, one in watched(transformed) if one["Namespace"] == kind]) for kind in
          ("AWS/States", "AWS/Lambda", "AWS/SQS")}  # fmt: skip
    for machine in of_type(source, "AWS::Serverless::StateMachine"):
        assert of["AWS/States"].count(f'{{"Ref": "{machine}"}}') == 3, machine  # failed, timed out, aborted
    for owner, _, _ in events(source, "DynamoDB"):
        assert f'{{"Ref": "{owner}"}}' in of["AWS/Lambda"], owner
    for queue in of_type(source, "AWS::SQS::Queue"):
        assert f'["{queue}", "QueueName"]' in of["AWS/SQS"], queue


def test_metrics_of_ours_carry_the_stage(source: Template, transformed: Template) -> None:
    ours = {"Fn::Sub": "creditmesh/${Stage}"}
    common = source["Globals"]["Function"]["Environment"]["Variables"]
    assert common["POWERTOOLS_METRICS_NAMESPACE"] == ours
    mine = [one for _, one in watched(transformed) if not str(one["Namespace"]).startswith("AWS/")]
    assert {one["MetricName"] for one in mine} == {
        "FunctionErrors", "ScoringJobReady", "Decisions", "OutboxDeliveries", "FailedEvents"
    }  # fmt: skip
    assert all(one["Namespace"] == ours for one in mine)
    filters = of_type(source, "AWS::Logs::MetricFilter").values()
    assert all(one["MetricTransformations"][0]["MetricNamespace"] == ours for one in filters)


def test_alarms_and_dashboard_cost_little(source: Template, transformed: Template) -> None:
    """A metric in an alarm is 0.10 USD a month, a dashboard 3, a key 1, a secret 0.40."""
    cents = 10 * len(list(watched(transformed))) + 300 * len(of_type(source, "AWS::CloudWatch::Dashboard"))
    cents += 100 * len(of_type(source, "AWS::KMS::Key")) + 40 * len(of_type(source, "AWS::SecretsManager::Secret"))
    assert cents <= 1500


def test_the_dashboard_is_json(source: Template) -> None:
    (board,) = of_type(source, "AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(board["DashboardBody"]["Fn::Sub"])["widgets"]
    assert len(widgets) == 6
    assert len({(one["x"], one["y"]) for one in widgets}) == 6
