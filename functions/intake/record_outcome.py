"""Step RecordOutcome of the origination process: ends that no other step has recorded."""

from __future__ import annotations

from typing import Any

from creditmesh.intake.bootstrap import applications
from creditmesh.intake.model import Outcome
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """End `application_id` with `outcome`.

    If it has ended or been answered meanwhile, its process is restarted instead.
    """
    applications().expire(event["application_id"], Outcome(event["outcome"]))
    return {}
