"""Publishes every state change of an application on the event bus (stream of the applications)."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.events import application_events
from creditmesh.platform.observability import LambdaContext, observed
from creditmesh.platform.tables import decode


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Publish the batch's new timeline entries; the whole batch is tried again if the bus refuses some."""
    details = []
    for record in event["Records"]:
        images = record["dynamodb"]
        before = decode(images["OldImage"]) if "OldImage" in images else None
        details += application_events(before, decode(images["NewImage"]))
    wiring.events().publish("ApplicationStatusChanged", details)
    return {"published": len(details)}
