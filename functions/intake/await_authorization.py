"""Step AwaitAuthorization of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.intake.bootstrap import intake
from creditmesh.platform.observability import LambdaContext, observed
from creditmesh.platform.settings import settings


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Ask for an authorisation; `task_token` is answered when the borrower has brought one."""
    allowed = settings().max_authorization_requests
    intake().await_authorization(event["application_id"], event["task_token"], event["reason"], allowed)
    return {}
