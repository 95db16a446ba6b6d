"""Step WriteReport of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.decisions.bootstrap import assessment
from creditmesh.platform.observability import LambdaContext, count, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Record the decision of `application_id` and write its report."""
    summary = assessment().decide(event["application_id"])
    count("Decisions", engine=summary.engine)
    return {"decision": summary.decision, "stage": summary.stage, "reasons": ", ".join(summary.reasons)}
