"""Step AwaitFlow of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.intake.bootstrap import flow_assignments
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Ask a manager for a loan flow; `task_token` is answered when he has assigned one."""
    flow_assignments().ask(event["application_id"], event["task_token"])
    return {}
