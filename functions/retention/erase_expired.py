"""Scheduled daily: deletes what the country's rules no longer let be kept."""

from __future__ import annotations

from typing import Any

from creditmesh.platform.observability import LambdaContext, count, observed
from creditmesh.retention.bootstrap import retention

_RESERVE_MS = 10_000


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a day's share; what is left is due the next day."""
    erased = retention().run(lambda: context.get_remaining_time_in_millis() > _RESERVE_MS)
    for kind, applications in erased.items():
        if applications:
            count("ApplicationsErased", applications, kind=kind)
    return {kind.value: applications for kind, applications in erased.items()}
