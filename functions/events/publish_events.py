"""Publishes every state change of an application on the event bus (stream of the applications)."""

from __future__ import annotations

from typing import Any

from creditmesh.platform.bootstrap import platform
from creditmesh.platform.events import application_events, stream_events
from creditmesh.platform.failed_records import stream_records
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Publish the batch's new timeline entries; the whole batch is retried if the bus rejects some."""
    details = stream_events(stream_records(event), application_events)
    platform().events.publish("ApplicationStatusChanged", details)
    return {"published": len(details)}
