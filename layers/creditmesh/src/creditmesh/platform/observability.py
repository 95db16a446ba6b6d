"""Logs, metrics and traces; the only module that uses Powertools.

Personal data and secrets are never logged: functions log ids, states and counts, and no event as received.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from creditmesh.kernel.errors import DomainError, Unavailable

__all__ = ["AWS_ERRORS", "AwsCallFailed", "Handler", "LambdaContext", "count", "logger", "measure", "observed", "place"]

AWS_ERRORS = (BotoCoreError, ClientError)
"""Errors of boto3 when a service refuses or does not answer."""

Handler = Callable[[dict[str, Any], LambdaContext], Any]

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "creditmesh"), utc=True)


class AwsCallFailed(Unavailable):
    """A service of AWS refused a call or did not answer.

    One name for botocore's many, for Retry in state machines.
    """

    code = "aws_call_failed"


def count(name: str, value: float = 1, **dimensions: str) -> None:
    """Add to a metric; `dimensions` must be few and contain no ids.

    Each count is its own log line, so that threads and dimensions do not mix.
    """
    measure(dimensions, {name: value}, {})


def measure(dimensions: Mapping[str, str], counts: Mapping[str, float], milliseconds: Mapping[str, float]) -> None:
    """Add to several metrics with the same dimensions, in one line; `dimensions` must be few and contain no ids."""
    # Powertools' `single_metric` accepts only one.
    metrics = EphemeralMetrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "creditmesh"))
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    for name, value in milliseconds.items():
        metrics.add_metric(name, MetricUnit.Milliseconds, value)
    for key, text in dimensions.items():
        metrics.add_dimension(key, text)
    metrics.flush_metrics()


def observed(handler: Handler) -> Handler:
    """Decorate a step: correlation id on each log line.

    Errors are logged by class and re-raised without foreign texts.
    """

    def wrapped(event: dict[str, Any], context: LambdaContext) -> Any:
        if isinstance(event, dict) and "application_id" in event:
            logger.set_correlation_id(event["application_id"])
        try:
            return handler(event, context)
        except Exception as error:
            # Re-raised below; only the class is logged. Domain errors are no faults: only what is logged as an error
            # counts for the alarm.
            report = logger.warning if isinstance(error, DomainError) else logger.error
            report("step failed", extra={"error": type(error).__name__})
            raise _tight_lipped(error) from None
        finally:
            logger.set_correlation_id(None)

    return wrapped


def _tight_lipped(error: Exception) -> Exception:
    """The error without a message that might quote personal data or a secret, as pydantic's do; the name stays."""
    if isinstance(error, DomainError):
        return error  # the message is ours
    name = type(error).__name__
    if isinstance(error, AWS_ERRORS):
        return AwsCallFailed(name)
    silent: Exception = type(name, (Exception,), {})(f"unexpected, in {place(error)}")
    return silent.with_traceback(error.__traceback__)


def place(error: Exception) -> str:
    """Module and line of an error, without its message."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else "unknown"
