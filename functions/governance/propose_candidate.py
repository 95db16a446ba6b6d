"""Step ProposeCandidate of the training process."""

from __future__ import annotations

from typing import Any

from creditmesh.governance.bootstrap import learning
from creditmesh.platform.observability import LambdaContext, count, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Propose the candidate of training run `run` for approval."""
    proposed = learning().propose(event["run"], event["model_id"], event["by"])
    count("TrainingCandidates", 1, outcome=proposed.outcome)
    return proposed.model_dump()
