"""Step QueueForOperator of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.closing.bootstrap import lender_answered
from creditmesh.intake.bootstrap import flow_assignments, operators
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Hand the application over to a person; `task_token` is answered with his `action`."""
    operators().hand_over(event["application_id"], event["task_token"], event["stage"], event["reason"])
    # An answer may have come between its time-out and now.
    lender_answered()(event["application_id"], event["stage"])
    flow_assignments().tell_operators(event["application_id"], event["stage"])
    return {}
