"""Scheduled: delivers messages whose trigger was lost."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Deliver what is overdue in the outbox."""
    results = [wiring.outbox().deliver(item) for item in wiring.outbox().overdue()]
    return {"delivered": results.count("sent"), "left": len(results) - results.count("sent")}
