"""Step FinishCollection of the collection process (C10)."""

from __future__ import annotations

from typing import Any

from creditmesh.gateway.channels.results import CallResult
from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Write key data of what the channels gave, or say what is lacking."""
    results = {name: [CallResult.model_validate(one) for one in several] for name, several in event["results"].items()}
    finished = wiring.collecting().finish(event["application_id"], results, event.get("scan_id"))
    return finished.model_dump(mode="json")
