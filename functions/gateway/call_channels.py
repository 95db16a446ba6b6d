"""Step CallChannels of the collection process (C09, G01-G13)."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Ask the plan's channels for the data of `application_id`'s firm; `pending` lists what is answered later."""
    results = wiring.collecting().call(event["application_id"], event.get("scan_id"))
    flat = [one for several in results.values() for one in several]
    return {
        "results": {
            name: [one.model_dump(mode="json", exclude_none=True) for one in several]
            for name, several in results.items()
        },
        "pending": [
            {"call_key": one.call_key, "wait_seconds": one.wait_seconds} for one in flat if one.wait_seconds is not None
        ],
    }
