"""Step CollectCreditData of the origination process (C07-C10)."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Collect the sources of `application_id`; raises AuthorizationRequired or SourceUnavailable by name."""
    wiring.collecting().collect(event["application_id"])
    return {}
