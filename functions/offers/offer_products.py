"""Step OfferProducts of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Match products; `task_token` is answered when the borrower has chosen; raises NothingMatches."""
    wiring.offers().offer(event["application_id"], event["task_token"])
    return {}
