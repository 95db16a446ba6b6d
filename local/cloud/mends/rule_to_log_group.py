"""Log groups as targets of EventBridge rules.

Upstream logs a warning and drops the event. Like EventBridge, we write it to the group, one line per event and one
stream per day; the platform's audit trail is such a group.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from cloud.config import Config
from cloud.mends.bounded_records import write
from cloud.upstream import eventbridge

_GROUP = re.compile(r"arn:[a-z-]+:logs:[^:]*:[^:]*:log-group:(?P<name>[^:]+)")


def apply(_config: Config) -> None:
    """Wrap the delivery of an event to a target."""
    upstream = eventbridge._invoke_target

    def deliver(target: dict[str, Any], event: Any, rule: Any, view: Any = None) -> Any:
        group = _GROUP.match(target.get("Arn", ""))
        if group is None:
            return upstream(target, event, rule, view)
        known = view or eventbridge._pattern_event_view(event)
        write(group["name"], f"{datetime.now(UTC):%Y/%m/%d}", [json.dumps(known.event_with_detail())])
        return None

    eventbridge._invoke_target = deliver
