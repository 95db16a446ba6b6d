"""Step PrepareTraining of the training process."""

from __future__ import annotations

from typing import Any

from creditmesh.governance.bootstrap import learning
from creditmesh.platform.observability import LambdaContext, observed


@observed
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Prepare the inputs of training run `run` for `model_id`, from `training_set` or the platform's labels."""
    prepared = learning().prepare(event["run"], event["model_id"], event.get("training_set"))
    return prepared.model_dump()
