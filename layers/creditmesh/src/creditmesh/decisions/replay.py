"""An old decision made again: the stored features, the model it names, the rules of its day."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from creditmesh.kernel.errors import Conflict
from creditmesh.risk.errors import ArtefactInvalid
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.model import Artefact


class ModelGone(Conflict):
    """The model that a decision names is no longer stored as it was: altered, unsigned or missing."""

    code = "model_gone"


class Replay(BaseModel):
    """What came of it."""

    model_config = ConfigDict(frozen=True)

    application_id: str
    equal: bool = Field(description="every number of the result is the recorded one")
    differences: dict[str, dict[str, JsonValue]] = Field(description="field → recorded and replayed value")
    model_id: str
    model_version: str
    model_hash: str
    engine: str = Field(description="which engine made the decision; the replay is the plain evaluator's")
    rules_of: str = Field(description="the day whose rules decided")
    decided_at: str


def replay(application_id: str, report: Mapping[str, Any], model_of: Callable[[str], Artefact]) -> Replay:
    """Evaluate what a report was made from once more, and compare.

    Args:
        report: the assessment report as it was stored.
        model_of: gives the model of a hash, verified.

    Raises:
        ModelGone: the model that decided cannot be had.
    """
    recorded = report["result"]
    try:
        model = model_of(recorded["model_hash"])
    except ArtefactInvalid as error:
        raise ModelGone(f"{recorded['model_hash']}: {error}") from None
    on = date.fromisoformat(report["rules_of"])
    made = json.loads(json.dumps(evaluate(model, report["features"], on).to_dict()))
    differences = {
        name: {"recorded": recorded.get(name), "replayed": made.get(name)}
        for name in sorted({*recorded, *made})
        if recorded.get(name) != made.get(name)
    }
    return Replay(
        application_id=application_id,
        equal=not differences,
        differences=differences,
        model_id=recorded["model_id"],
        model_version=recorded["model_version"],
        model_hash=recorded["model_hash"],
        engine=report["versions"]["engine"],
        rules_of=report["rules_of"],
        decided_at=report["decided_at"],
    )
