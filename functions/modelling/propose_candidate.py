"""Step ProposeCandidate of the training process."""

from __future__ import annotations

from typing import Any

from creditmesh.platform import wiring
from creditmesh.platform.observability import LambdaContext, count, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Put the candidate of the run `run` before the people who may approve it."""
    proposed = wiring.learning().propose(event["run"], event["model_id"], event["by"])
    count("TrainingCandidates", 1, outcome=proposed.outcome)
    return proposed.model_dump()
