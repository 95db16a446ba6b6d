"""Scheduled: delivers messages whose trigger was lost."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, logger, observed
from creditmesh.platform.tables import Item


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Deliver what is overdue in the outbox."""
    results = [_delivered(item) for item in wiring.outbox().overdue()]
    return {"delivered": results.count(True), "left": results.count(False)}


def _delivered(item: Item) -> bool:
    try:
        return wiring.outbox().deliver(item) == "sent"
    except Exception as error:
        # One bad message must not keep those behind it from ever being swept; it is tried again at the next sweep.
        logger.error("message not handled", extra={"error": type(error).__name__, "message_id": item["message_id"]})
        return False
