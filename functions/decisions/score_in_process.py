"""Step ScoreInLambda of the origination process: the fallback evaluator."""

from __future__ import annotations

from typing import Any

from creditmesh.decisions.bootstrap import assessment
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Score `application_id` with the plain Python evaluator."""
    assessment().score_in_process(event["application_id"])
    return {}
