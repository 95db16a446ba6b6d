"""Contract of ``mends/bounded_records``."""

from __future__ import annotations

from .clouds import Cloud


def test_one_log_stream_for_many_invocations(cloud: Cloud, name: str) -> None:
    """With every line of each of them."""
    cloud.function(name, "def handler(event, context):\n    print('line', event['n'])\n")
    for number in range(3):
        cloud.invoke(name, {"n": number})
    logs = cloud.client("logs")
    streams = logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    lines = [event["message"] for event in logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]]
    assert {"line 0", "line 1", "line 2"} <= set(lines)
    assert sum(line.startswith("REPORT RequestId") for line in lines) == 3
    cloud.verdict("bounded_records", len(streams) == 1)
