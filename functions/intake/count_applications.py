"""Scheduled: counts the applications by status."""

from __future__ import annotations

from typing import Any

from creditmesh.intake.bootstrap import application_counts
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Count; a repeat counts anew."""
    return application_counts().refresh().model_dump(mode="json")["statuses"]  # type: ignore[no-any-return]
