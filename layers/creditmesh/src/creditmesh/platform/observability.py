"""Logs, metrics and traces: the one module that knows Powertools (DESIGN 9).

Nothing personal or secret is ever logged: functions log ids, states and counts, and never an event as it came.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from creditmesh.kernel.errors import DomainError, Unavailable

__all__ = ["AwsCallFailed", "Handler", "LambdaContext", "count", "logger", "observed"]

Handler = Callable[[dict[str, Any], LambdaContext], Any]

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "creditmesh"), utc=True)


class AwsCallFailed(Unavailable):
    """A service of AWS refused a call or did not answer. One name for botocore's many, so that a state machine can try again by it."""

    code = "aws_call_failed"


def count(name: str, value: float = 1, **dimensions: str) -> None:
    """Add to a metric; `dimensions` stay few and never hold an id. Each count is its own line, so threads and dimensions never mix."""
    with single_metric(name=name, unit=MetricUnit.Count, value=value, namespace="creditmesh") as metric:
        for key, text in dimensions.items():
            metric.add_dimension(key, text)


def observed(handler: Handler) -> Handler:
    """Wrap a step: correlation id on each log line, errors logged by name and passed on without what others wrote into them."""

    def wrapped(event: dict[str, Any], context: LambdaContext) -> Any:
        if isinstance(event, dict) and "application_id" in event:
            logger.set_correlation_id(event["application_id"])
        try:
            return handler(event, context)
        except Exception as error:
            # Passed on at once: only its class is logged.
            logger.warning("step failed", extra={"error": type(error).__name__})
            raise _tight_lipped(error) from None
        finally:
            logger.set_correlation_id(None)

    return wrapped


def _tight_lipped(error: Exception) -> Exception:
    """The error as Lambda may print it and Step Functions may keep it: same name, but no message that could quote a firm's data or a secret."""
    if isinstance(error, DomainError):
        return error  # its message is one of ours
    if isinstance(error, (ClientError, BotoCoreError)):
        return AwsCallFailed(type(error).__name__)
    name = type(error).__name__
    return type(name, (Exception,), {})(f"unexpected, in {_place(error)}").with_traceback(error.__traceback__)


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else "unknown"
