"""Step AwaitSignature of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.closing.bootstrap import signatures
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Wait for the borrower; the signature answers `task_token`."""
    signatures().await_signature(event["application_id"], event["task_token"])
    return {}
