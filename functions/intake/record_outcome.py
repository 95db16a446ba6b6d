"""Step RecordOutcome of the origination process: ends that no other step has recorded."""

from __future__ import annotations

from typing import Any

from creditmesh.intake.model import Outcome
from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Close `application_id` with `outcome`; a second close changes nothing."""
    wiring.applications().close(event["application_id"], Outcome(event["outcome"]), note=event.get("note"))
    return {}
