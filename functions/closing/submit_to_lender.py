"""Step SubmitToLender of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.closing.bootstrap import closings
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Submit to the chosen lender; its decision answers `task_token`."""
    closings().submit(event["application_id"], event["task_token"])
    return {}
