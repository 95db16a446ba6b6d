"""Step OfferProducts of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.offers.bootstrap import offers
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Match products; the borrower's choice answers `task_token`. Raises NothingMatches."""
    offers().offer(event["application_id"], event["task_token"])
    return {}
