"""Every form in which AWS writes dead letters becomes failures that say what failed and nothing personal (S20)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from creditmesh.failures.dead_letters import failures
from creditmesh.failures.model import Failure, Kind, Unreadable, Way
from tests.support.dead_letters import dead_letter, failed_batch, failed_invocation, stored_at

PLACE = "eu-west-1:123456789012"
COUNT = f"arn:aws:lambda:{PLACE}:function:count"
RESUME = f"arn:aws:lambda:{PLACE}:function:resume"
TRAINING = f"arn:aws:states:{PLACE}:stateMachine:training"
AUDIT = f"arn:aws:logs:{PLACE}:log-group:/creditmesh/test/events"
SCHEDULE = f"arn:aws:scheduler:{PLACE}:schedule/default/creditmesh-test-count"
RULE = f"arn:aws:events:{PLACE}:rule/creditmesh-test-origination-failed"
ENDED = {
    "version": "0", "id": "e-1", "source": "aws.states", "detail-type": "Step Functions Execution Status Change",
    "time": "2026-11-30T00:00:00Z", "resources": [f"arn:aws:states:{PLACE}:execution:loan-origination:app_1-1"],
    "detail": {"name": "app_1-1", "status": "FAILED", "input": '{"application_id": "app_1"}'},
}  # fmt: skip
TICK = {
    "version": "0", "id": "t-1", "source": "aws.scheduler", "detail-type": "Scheduled Event",
    "time": "2026-11-30T00:00:00Z", "resources": [SCHEDULE], "detail": "{}",
}  # fmt: skip
CHANGE = {
    "version": "0", "id": "e-2", "source": "creditmesh", "detail-type": "ApplicationStatusChanged",
    "detail": {"event_id": "app_1.3", "application_id": "app_1", "status": "approved"},
}  # fmt: skip
TICKET = {"message_id": "app_1.decision.1", "lane": "lender-a#1", "attempt": 2}
BUSY = {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "secret text"}


def read(letter: dict[str, Any], batches: dict[str, Any] | None = None) -> list[Failure]:
    def batch(key: str) -> Any:
        document = (batches or {})[key]
        return document, json.loads(document["payload"])["Records"]

    return list(failures(letter["Records"][0], batch))


def scheduled(body: Any, target: str = COUNT) -> dict[str, Any]:
    return dead_letter(body, {**BUSY, "SCHEDULE_ARN": SCHEDULE, "TARGET_ARN": target, "RETRY_ATTEMPTS": "2"})


def ruled(event: Any, target: str) -> dict[str, Any]:
    return dead_letter(event, {**BUSY, "RULE_ARN": RULE, "TARGET_ARN": target})


NAME = "creditmesh-test-count"
SWEEP = {"sweep": "lost"}
CASES = {
    "schedule whose function failed": (
        failed_invocation(COUNT, TICK), Kind.SCHEDULE, Way.FUNCTION, COUNT, "AwsCallFailed", TICK, {}, NAME),
    "schedule with an input whose function failed": (
        failed_invocation(RESUME, SWEEP), Kind.SCHEDULE, Way.FUNCTION, RESUME, "AwsCallFailed", SWEEP, SWEEP, None),
    "rule whose function failed": (
        failed_invocation(RESUME, ENDED, "KeyError"), Kind.RULE, Way.FUNCTION, RESUME, "KeyError", ENDED,
        {"event_id": "e-1", "name": "app_1-1"}, None),
    "schedule that reached no function": (
        scheduled(TICK), Kind.SCHEDULE, Way.FUNCTION, COUNT, "NO_PERMISSIONS", TICK, {}, NAME),
    "schedule that reached no process": (
        scheduled({"model_id": "origination"}, TRAINING), Kind.SCHEDULE, Way.PROCESS, TRAINING, "NO_PERMISSIONS",
        {"model_id": "origination"}, {"model_id": "origination"}, NAME),
    "schedule with the request that was refused": (
        scheduled({"stateMachineArn": TRAINING, "input": '{"model_id": "origination"}'}, TRAINING), Kind.SCHEDULE,
        Way.PROCESS, TRAINING, "NO_PERMISSIONS", {"model_id": "origination"}, {"model_id": "origination"}, NAME),
    "rule that reached no function": (
        ruled(ENDED, RESUME), Kind.RULE, Way.FUNCTION, RESUME, "NO_PERMISSIONS", ENDED,
        {"event_id": "e-1", "name": "app_1-1"}, "creditmesh-test-origination-failed"),
    "rule that reached no log": (
        ruled(CHANGE, f"{AUDIT}:*"), Kind.RULE, Way.BUS, AUDIT, "NO_PERMISSIONS", CHANGE,
        {"event_id": "e-2", "application_id": "app_1"}, "creditmesh-test-origination-failed"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_dead_letter_is_one_failure(name: str) -> None:
    letter, kind, way, target, error, event, keys, source = CASES[name]
    (found,) = read(letter if "Records" in letter else dead_letter(letter))
    assert (found.kind, found.way, found.error, found.event) == (kind, way, error, event)
    assert (found.target, found.keys, found.source) == (target, keys, source)
    assert "secret" not in repr(found)


def test_a_ticket_goes_back_to_the_queue_of_its_lane() -> None:
    queue = f"arn:aws:sqs:{PLACE}:creditmesh-test-failed-deliveries.fifo"
    (found,) = read(dead_letter(TICKET, queue=queue))
    assert (found.kind, found.way, found.source) == (
        Kind.DELIVERY,
        Way.DELIVERY,
        "creditmesh-test-failed-deliveries.fifo",
    )
    assert found.keys == {"message_id": "app_1.decision.1"}
    (record,) = found.event["Records"]
    assert (record["eventSource"], json.loads(record["body"])) == ("aws:sqs", TICKET)


def batch(*numbers: int) -> dict[str, Any]:
    records = [
        {"eventID": f"r-{number}", "eventSource": "aws:dynamodb", "eventName": "MODIFY", "dynamodb": {
            "Keys": {"application_id": {"S": f"app_{number}"}}, "SequenceNumber": str(number),
            "NewImage": {"application_id": {"S": f"app_{number}"}, "firm_name": {"S": "secret text"}}}}
        for number in numbers
    ]  # fmt: skip
    return failed_batch(RESUME, "creditmesh-test-applications", records)


def test_each_record_of_a_batch_is_a_failure_of_its_own() -> None:
    key = "aws/lambda/1/shardId-1/2026-11-30T00.00.00-a b+c"
    first, second = read(dead_letter(stored_at(key)), {key: batch(7, 8)})
    assert (first.kind, first.way, first.source) == (Kind.STREAM, Way.FUNCTION, "creditmesh-test-applications")
    assert (first.target, first.error, first.keys) == (RESUME, "RetryAttemptsExhausted", {"application_id": "app_7"})
    assert second.event == {"failed_record": {"key": key, "position": 1}}
    assert first.id != second.id
    assert "secret" not in repr((first, second))


def test_the_test_message_of_s3_is_no_failure() -> None:
    test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b", "Time": "2026-11-30T00:00:00.000Z"}
    assert read(dead_letter(test)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            failed_invocation(COUNT, TICK),
            failed_invocation(COUNT, {**TICK, "id": "t-2", "time": "2026-12-01T00:00:00Z"}),
        ),
        (failed_invocation(RESUME, SWEEP), failed_invocation(RESUME, SWEEP, "KeyError")),
        (failed_invocation(RESUME, ENDED), failed_invocation(RESUME, {**ENDED})),
        (TICKET, dict(reversed(TICKET.items()))),
    ],
    ids=["tick", "sweep", "rule", "ticket"],
)
def test_further_failures_of_an_event_are_the_same_failed_event(one: Any, other: Any) -> None:
    assert read(dead_letter(one))[0].id == read(dead_letter(other))[0].id


def test_other_events_are_other_failed_events() -> None:
    letters = [
        failed_invocation(COUNT, TICK), failed_invocation(RESUME, TICK), failed_invocation(RESUME, SWEEP),
        failed_invocation(RESUME, {"sweep": "transit"}), failed_invocation(RESUME, ENDED),
        failed_invocation(RESUME, {**ENDED, "id": "e-9"}), TICKET, {**TICKET, "attempt": 3},
    ]  # fmt: skip
    assert len({read(dead_letter(one))[0].id for one in letters}) == len(letters)


@pytest.mark.parametrize(
    "body", ["", "no JSON", "[]", "{}", '{"Records": []}', '{"message_id": "m", "lane": "l"}'],
    ids=["empty", "text", "list", "nothing", "no-records", "half-a-ticket"],
)  # fmt: skip
def test_what_no_source_writes_is_not_read(body: str) -> None:
    with pytest.raises(Unreadable):
        read(dead_letter(body))


def test_a_target_that_cannot_be_reached_again_is_not_read() -> None:
    with pytest.raises(Unreadable, match="neither function, process nor log"):
        read(ruled(ENDED, f"arn:aws:sns:{PLACE}:topic"))
