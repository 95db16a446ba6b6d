"""A planted fault sends an event to the dead letters; it is listed, replayed once the fault is gone, and done (S20)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from client import Api
from run import many
from run.platform import LocalPlatform
from tests.integration.conftest import Target

CASES = iter(many.cases(2, skip=234))
SECONDS = 90
"""For what fails, is tried again and is recorded, on a busy machine."""

POLICY_SECONDS = 2
"""After which the embedded cloud has noticed a changed policy."""


def until(found: Callable[[], Any]) -> Any:
    """The first true value of `found`."""
    deadline = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.3)
    return value


def function(local: LocalPlatform, logical_id: str) -> dict[str, Any]:
    """A function's configuration."""
    pages = local.aws("lambda").get_paginator("list_functions").paginate()
    (found,) = (one for page in pages for one in page["Functions"] if f"-{logical_id}-" in f"{one['FunctionName']}-")
    return dict(found)


@contextmanager
def denied(local: LocalPlatform, role_arn: str, action: str, resource: str = "*") -> Iterator[None]:
    """The fault: a role may not do what it must."""
    iam, role = local.aws("iam"), role_arn.rpartition("/")[2]
    statement = {"Effect": "Deny", "Action": action, "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="planted", PolicyDocument=document)
    try:
        time.sleep(POLICY_SECONDS)
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="planted")
        time.sleep(POLICY_SECONDS)


def listed(operator: Api, kind: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The open failed event of a kind, once it is listed."""

    def look() -> Any:
        events = operator.call("GET", f"/v1/failed-events?state=open&kind={kind}&limit=100")["events"]
        return next((one for one in events if wanted(one)), None)

    return dict(until(look))


def replayed(operator: Api, failed: dict[str, Any]) -> dict[str, Any]:
    """The event once its replay has ended."""
    path = f"/v1/failed-events/{failed['failed_event_id']}"
    asked = operator.call("POST", f"{path}/replay", {"note": "the fault is gone"})
    assert asked["state"] == "replaying"

    def ended() -> Any:
        now = operator.call("GET", path)
        return None if now["state"] == "replaying" else now

    return dict(until(ended))


@pytest.mark.timeout(300)
def test_a_stream_s_record(target: Target, local: LocalPlatform) -> None:
    """The bus takes no events: the change of status is published by the replay."""
    operator, publisher = target.api("operator", "platform"), function(local, "PublishEventsFunction")
    mappings = local.aws("lambda")
    (mapping,) = mappings.list_event_source_mappings(FunctionName=publisher["FunctionName"])["EventSourceMappings"]
    case = next(CASES)
    most = mapping["MaximumRetryAttempts"]
    mappings.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=1)
    try:
        with denied(local, publisher["Role"], "events:PutEvents"):
            application = target.api("borrower", case.tenant).call("POST", "/v1/applications", dict(case.request()))
            mine = {"application_id": application["application_id"]}
            failed = listed(operator, "stream", lambda one: one["keys"] == mine)
            again = replayed(operator, failed)
            assert (again["state"], again["error"]) == ("open", "AwsCallFailed")
    finally:
        mappings.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=most)
    assert (failed["error"], failed["source"]) == ("RetryAttemptsExhausted", "creditmesh-local-applications")
    for one in operator.call("GET", "/v1/failed-events?kind=stream&limit=100")["events"]:
        if one["keys"] == mine:  # each of its changes in that time
            assert replayed(operator, one)["state"] == "done"
    first = f'"{mine["application_id"]}.0"'
    logs = local.aws("logs").get_paginator("filter_log_events")

    def published() -> bool:
        pages = logs.paginate(logGroupName="/creditmesh/local/events")
        return any(first in one["message"] for page in pages for one in page["events"])

    assert until(published)


@pytest.mark.timeout(300)
def test_a_schedule(target: Target, local: LocalPlatform) -> None:
    """The scheduler may not start the function that keeps a scoring job running."""
    operator, keeper = target.api("operator", "platform"), function(local, "EnsureScoringJobFunction")
    schedule = "creditmesh-local-ensure-scoring-job"
    role = local.aws("scheduler").get_schedule(Name=schedule)["Target"]["RoleArn"]
    with denied(local, role, "lambda:InvokeFunction", keeper["FunctionArn"]):
        failed = listed(operator, "schedule", lambda one: one["source"] == schedule)
    assert (failed["error"], failed["target"]) == ("NO_PERMISSIONS", keeper["FunctionName"])
    assert replayed(operator, failed)["state"] == "done"


@pytest.mark.timeout(300)
def test_a_rule_s_target(target: Target, local: LocalPlatform) -> None:
    """An execution was aborted, and the function that takes its application up fails."""
    operator, resumer = target.api("operator", "platform"), function(local, "ResumeApplicationsFunction")
    states, case = local.aws("stepfunctions"), next(CASES)
    application = target.api("borrower", case.tenant).call("POST", "/v1/applications", dict(case.request()))
    machine = local.outputs["OriginationArn"]

    def running() -> list[str]:
        found = states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
        return [one["executionArn"] for one in found if application["application_id"] in one["name"]]

    (execution,) = until(running)
    with denied(local, resumer["Role"], "dynamodb:*"):
        states.stop_execution(executionArn=execution)
        name = execution.rpartition(":")[2]
        failed = listed(operator, "rule", lambda one: one["keys"].get("name") == name)
        assert running() == []
    assert (failed["target"], failed["error"]) == (resumer["FunctionName"], "AwsCallFailed")
    assert replayed(operator, failed)["state"] == "done"
    assert until(running) != [execution]
