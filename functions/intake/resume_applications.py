"""Scheduled: takes up again what lost its execution; nothing hangs for ever (C24)."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Restart stalled applications from their stored state."""
    return {"resumed": wiring.intake().resume_stalled()}
