"""Step AwaitReply of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.closing.bootstrap import borrower_asked
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Ask the borrower what the lender asked; the reply answers `task_token`."""
    borrower_asked().await_reply(event["application_id"], event["task_token"])
    return {}
