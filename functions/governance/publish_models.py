"""Publishes every change of a model's version on the event bus (stream of the table Models)."""

from __future__ import annotations

from typing import Any

from creditmesh.governance.events import model_events
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.events import stream_events
from creditmesh.platform.failed_records import stream_records
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Publish the batch's new lines of history; the whole batch is retried if the bus rejects some."""
    details = stream_events(stream_records(event), model_events)
    platform().events.publish("ModelChanged", details)
    return {"published": len(details)}
