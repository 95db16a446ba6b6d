"""A deployed stage of the platform itself, on an account: `make test-aws STAGE=…`."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from tests.conformance.place import Place

pytestmark = pytest.mark.thorough


@pytest.fixture
def alarms(aws: Place) -> list[str]:
    """The stage's alarms."""
    pages = aws.client("cloudformation").get_paginator("list_stack_resources")
    found = pages.paginate(StackName=os.environ["CREDITMESH_STACK"])
    resources = [one for page in found for one in page["StackResourceSummaries"]]
    return [one["PhysicalResourceId"] for one in resources if one["ResourceType"] == "AWS::CloudWatch::Alarm"]


def test_every_alarm_reaches_its_topic(aws: Place, alarms: list[str]) -> None:
    """CloudWatch publishes to a topic encrypted by our key only if the key's policy lets it; its history says so."""
    watch, began = aws.client("cloudwatch"), datetime.now(UTC)

    def told(alarm: str) -> list[str]:
        found = watch.describe_alarm_history(AlarmName=alarm, HistoryItemType="Action", StartDate=began)
        return [one["HistorySummary"] for one in found["AlarmHistoryItems"]]

    assert len(alarms) >= 5
    for alarm in alarms:
        watch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test of the alarm's path")
    for alarm in alarms:
        summaries = aws.eventually(lambda alarm=alarm: told(alarm), 3)
        assert summaries, f"{alarm} did nothing"
        assert all(one.startswith("Successfully executed action") for one in summaries), f"{alarm}: {summaries}"
        watch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="the test has ended")
