"""Step AwaitAnswers of the origination process: some sources answer later."""

from __future__ import annotations

from typing import Any

from creditmesh.gateway.channels.late import ANSWERS
from creditmesh.platform.bootstrap import platform
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Store `task_token` with the `pending` answers; the last of them completes the task."""
    platform().waits.wait(event["application_id"], ANSWERS, event["task_token"], event["pending"]["numbers"])
    return {}
