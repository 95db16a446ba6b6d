"""Step ScoreOnSpark of the origination process."""

from __future__ import annotations

from typing import Any

from creditmesh.decisions.bootstrap import assessment, choice
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Have the application scored, by the resident Spark job or here; `task_token` is answered with the engine."""
    assessment().request(event["application_id"], event["task_token"], choice().on_spark)
    return {}
