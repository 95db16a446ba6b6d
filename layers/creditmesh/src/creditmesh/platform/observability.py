"""Logs, metrics and traces: the one module that knows Powertools.

Nothing personal or secret is ever logged: functions log ids, states and counts, and never an event as it came.
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
"""What boto3 raises where a service refuses or does not answer."""

Handler = Callable[[dict[str, Any], LambdaContext], Any]

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "creditmesh"), utc=True)


class AwsCallFailed(Unavailable):
    """A service of AWS refused a call or did not answer.

    One name for botocore's many, so that a state machine can try again by it.
    """

    code = "aws_call_failed"


def count(name: str, value: float = 1, **dimensions: str) -> None:
    """Add to a metric; `dimensions` stay few and never hold an id.

    Each count is a line of its own, so that neither threads nor dimensions mix.
    """
    measure(dimensions, {name: value}, {})


def measure(dimensions: Mapping[str, str], counts: Mapping[str, float], milliseconds: Mapping[str, float]) -> None:
    """Add to several metrics of one thing, in one line; `dimensions` stay few and never hold an id."""
    # Powertools' `single_metric` takes one and drops the others.
    metrics = EphemeralMetrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "creditmesh"))
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    for name, value in milliseconds.items():
        metrics.add_metric(name, MetricUnit.Milliseconds, value)
    for key, text in dimensions.items():
        metrics.add_dimension(key, text)
    metrics.flush_metrics()


def observed(handler: Handler) -> Handler:
    """Wrap a step: correlation id on each log line, errors logged by name and passed on without others' words."""

    def wrapped(event: dict[str, Any], context: LambdaContext) -> Any:
        if isinstance(event, dict) and "application_id" in event:
            logger.set_correlation_id(event["application_id"])
        try:
            return handler(event, context)
        except Exception as error:
            # Passed on at once: only its class is logged. A rule of the business that says no is no fault; what is
            # logged as an error counts for the alarm.
            report = logger.warning if isinstance(error, DomainError) else logger.error
            report("step failed", extra={"error": type(error).__name__})
            raise _tight_lipped(error) from None
        finally:
            logger.set_correlation_id(None)

    return wrapped


def _tight_lipped(error: Exception) -> Exception:
    """The error as Lambda may print it and Step Functions may keep it.

    Its name stays, but not a message that could quote a firm's data or a secret, as pydantic's do.
    """
    if isinstance(error, DomainError):
        return error  # its message is one of ours
    name = type(error).__name__
    if isinstance(error, AWS_ERRORS):
        return AwsCallFailed(name)
    silent: Exception = type(name, (Exception,), {})(f"unexpected, in {place(error)}")
    return silent.with_traceback(error.__traceback__)


def place(error: Exception) -> str:
    """Module and line an error comes from; tells where without telling what."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else "unknown"
