"""SQS queues to Lambda: concurrent message groups, and Lambda's rule for the visibility timeout.

Upstream delivers a FIFO queue's batches one after another, so that one slow group delays all others, and accepts a
queue whose visibility timeout is shorter than the function's time-out, which Lambda refuses.

Each batch contains the messages of one group, so that groups are delivered concurrently and each keeps its order. We
refuse such a queue in the API and in CloudFormation.
"""

from __future__ import annotations

from typing import Any

from cloud.config import Config
from cloud.upstream import lambda_svc, provisioners, responses, sqs


def apply(_config: Config) -> None:
    """Wrap the forming of batches, their concurrency, and the creation of mappings."""
    upstream_receive, upstream_concurrency = sqs._receive_messages_for_esm, lambda_svc._sqs_esm_concurrency
    upstream_create = lambda_svc._create_esm
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    upstream_provision = handlers["create"]

    def receive(url: str, most: int) -> list[dict[str, Any]]:
        queue = sqs._get_q(url)
        if not queue["is_fifo"]:
            messages: list[dict[str, Any]] = upstream_receive(url, most)
            return messages
        with sqs._queues_lock:
            return _of_one_group(queue, min(int(most or 1), 10))

    def concurrency(mapping: dict[str, Any], function: Any, config: dict[str, Any], queue: Any = None) -> int:
        return int(upstream_concurrency(mapping, function, config))

    def create(data: dict[str, Any]) -> Any:
        if refusal := _too_short(data):
            return responses.error_response_json("InvalidParameterValueException", refusal, 400)
        return upstream_create(data)

    def provision(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        if refusal := _too_short(properties):
            raise ValueError(f"Invalid request provided: {refusal}")
        return upstream_provision(logical_id, properties, stack)

    sqs._receive_messages_for_esm, lambda_svc._sqs_esm_concurrency = receive, concurrency
    lambda_svc._create_esm, handlers["create"] = create, provision


def _of_one_group(queue: dict[str, Any], most: int) -> list[dict[str, Any]]:
    """The next messages of the first group that has some and none in flight."""
    sqs._expire_retained(queue)
    sqs._dlq_sweep(queue)
    visibility = int(queue["attributes"].get("VisibilityTimeout", "30"))
    for group in dict.fromkeys(message.get("group_id") for message in queue["messages"]):
        own = [message for message in queue["messages"] if message.get("group_id") == group]
        taken: list[dict[str, Any]] = sqs._collect_msgs({**queue, "messages": own}, most, visibility)
        if taken:
            return taken
    return []


def _too_short(mapping: dict[str, Any]) -> str | None:
    """Why Lambda refuses a queue's mapping; None if it accepts it, and for other sources."""
    source = mapping.get("EventSourceArn", "")
    queue = sqs._queue_by_arn(source) if ":sqs:" in source else None
    _, config, _ = lambda_svc._get_func_record_for_ref(mapping.get("FunctionName", ""))
    if queue is None or not config:
        return None
    visibility, timeout = int(queue["attributes"].get("VisibilityTimeout", "30")), int(config.get("Timeout", 3))
    if visibility >= timeout:
        return None
    return f"Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout} seconds"
