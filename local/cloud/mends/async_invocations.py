"""Asynchronous invocations of Lambda by EventBridge and Scheduler: retried, then reported.

Upstream runs the function once and ignores an error. Like Lambda, we retry twice, after one and two minutes, and then
send the event to the function's ``OnFailure`` destination or dead-letter queue. CREDITMESH_MINUTE_SECONDS sets the
length of a minute.
"""

from __future__ import annotations

import json
from typing import Any

from cloud.config import Config
from cloud.upstream import app, eventbridge, lambda_svc


def apply(config: Config) -> None:
    """Route the events through asynchronous invocation, and set its pace."""
    lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS = config.minute_seconds
    lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS = 5 * config.minute_seconds
    eventbridge._dispatch_to_lambda = _dispatch


def _dispatch(arn: str, payload: str) -> None:
    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        app.logger.warning("EventBridge: function %s does not exist", name)
        return
    event: Any = json.loads(payload)
    lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), event)
