"""Step AwaitSignature of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Wait for the borrower; the signature answers `task_token`."""
    wiring.signatures().await_signature(event["application_id"], event["task_token"])
    return {}
