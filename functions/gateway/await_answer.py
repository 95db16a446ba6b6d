"""Step AwaitAnswer of the collection process: a source answers later (G07)."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Leave `task_token` with the call; its answer's arrival answers the task."""
    wiring.late_answers().wait(event["call_key"], event["task_token"])
    return {}
