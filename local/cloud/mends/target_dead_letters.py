"""Dead-letter queues of the targets of EventBridge's rules and of schedules.

Upstream drops an event whose target is missing. Like EventBridge and Scheduler, we send it to the target's
``DeadLetterConfig`` with the attributes that say what went wrong; also where the target's role may not call it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from cloud import needs
from cloud.config import Config
from cloud.mends.role_permissions import lacking
from cloud.upstream import app, eventbridge, lambda_svc, responses, sqs
from cloud.upstream import stepfunctions as sf


def apply(_config: Config) -> None:
    """Look at each target before it is called."""
    upstream = eventbridge._invoke_target

    def target(wanted: dict[str, Any], event: Any, owner: Any, view: Any = None) -> Any:
        problem = _problem(wanted)
        if problem is None:
            return upstream(wanted, event, owner, view)
        app.logger.error("a target is not called: %s", problem[1])
        queue = sqs._queue_by_arn((wanted.get("DeadLetterConfig") or {}).get("Arn", ""))
        if queue is not None:
            known = view or eventbridge._pattern_event_view(event)
            _send(queue, wanted, json.dumps(known.event_with_detail()), owner, problem)
        return None

    eventbridge._invoke_target = target


def _problem(wanted: dict[str, Any]) -> tuple[str, str] | None:
    """Why a target cannot be called: missing permission or missing resource; None if it can."""
    arn = wanted.get("Arn", "")
    if refusal := lacking(wanted.get("RoleArn", ""), "events", needs.of_target(arn)):
        return "NO_PERMISSIONS", refusal
    service = arn.split(":")[2] if arn.count(":") > 5 else ""
    there = {
        "lambda": lambda: lambda_svc._get_func_record_for_ref(arn)[0],
        "states": lambda: sf._state_machines.get(arn),
    }
    return ("NO_RESOURCE", f"{arn} does not exist") if service in there and not there[service]() else None


def _send(queue: dict[str, Any], wanted: dict[str, Any], event: str, owner: Any, problem: tuple[str, str]) -> None:
    """Send the event; a schedule's, unlike a rule's, as the target would have got it."""
    code, text = problem
    attributes = {"ERROR_CODE": code, "ERROR_MESSAGE": text, "RETRY_ATTEMPTS": "0", "TARGET_ARN": wanted["Arn"]}
    if "Target" in owner:
        event = wanted.get("Input") or event
        attributes |= {
            "SCHEDULE_ARN": owner.get("Arn", ""),
            "SCHEDULED_TIME": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "EXECUTION_ID": responses.new_uuid(),
            "IS_PAYLOAD_TRUNCATED": "false",
        }
    else:
        attributes["RULE_ARN"] = owner.get("Arn", "")
    typed = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value}
    sqs._act_send_message({"MessageBody": event, "MessageAttributes": typed}, queue["url"])
