"""Contract of ``mends/rule_to_log_group``."""

from __future__ import annotations

import json

from .clouds import Cloud, eventually


def test_a_rule_writes_into_a_log_group(cloud: Cloud, name: str) -> None:
    """The whole event stands there as one line."""
    group, events, logs = f"/audit/{name}", cloud.client("events"), cloud.client("logs")
    logs.create_log_group(logGroupName=group)
    arn = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["arn"]
    events.create_event_bus(Name=name)
    events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["probe"]}))
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "log", "Arn": arn}])
    entry = {"EventBusName": name, "Source": "probe", "DetailType": "Told", "Detail": json.dumps({"n": 1})}
    events.put_events(Entries=[entry])

    def lines() -> list[str]:
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
        ]

    found = eventually(lines, 2)
    cloud.verdict("rule_to_log_group", bool(found) and json.loads(found[0])["detail"] == {"n": 1})
