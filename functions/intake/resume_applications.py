"""Restarts lost processes: on the event of a failed execution, and on two schedules."""

from __future__ import annotations

from typing import Any

from creditmesh.intake.bootstrap import recovery
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Resume the application of the event's execution, or those that the named sweep finds."""
    if "detail" in event:
        return {"resumed": int(recovery().execution_failed(event["detail"]["name"]))}
    return {"resumed": {"transit": recovery().in_transit, "lost": recovery().lost}[event["sweep"]]()}
