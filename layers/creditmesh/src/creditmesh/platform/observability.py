"""Logs, metrics and traces: the one module that knows Powertools (DESIGN 9).

Nothing personal or secret is ever logged: functions log ids, states and counts, and never an event as it came.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

__all__ = ["Handler", "LambdaContext", "count", "logger", "metrics", "observed"]

Handler = Callable[[dict[str, Any], LambdaContext], Any]

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "creditmesh"), utc=True)
metrics = Metrics(namespace="creditmesh", service=os.environ.get("POWERTOOLS_SERVICE_NAME", "creditmesh"))


def count(name: str, value: float = 1, **dimensions: str) -> None:
    """Add to a metric; `dimensions` stay few and never hold an id."""
    for key, text in dimensions.items():
        metrics.add_dimension(key, text)
    metrics.add_metric(name, MetricUnit.Count, value)


def observed(handler: Handler) -> Handler:
    """Wrap a step: correlation id on each log line, errors logged by name, metrics flushed."""

    def wrapped(event: dict[str, Any], context: LambdaContext) -> Any:
        if isinstance(event, dict) and "application_id" in event:
            logger.set_correlation_id(event["application_id"])
        try:
            return handler(event, context)
        except Exception as error:
            # Re-raised at once: only its class is logged, for a message might quote what a user typed.
            logger.warning("step failed", extra={"error": type(error).__name__})
            raise
        finally:
            metrics.flush_metrics(raise_on_empty_metrics=False)
            logger.set_correlation_id(None)

    return wrapped
