"""Step RequestContract of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.closing.bootstrap import closings
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Request the contract from the lender; its arrival answers `task_token`."""
    closings().request_contract(event["application_id"], event["task_token"])
    return {}
