"""Repeats an old decision from the stored features, the model it names, and the rules of its day."""

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
    """The model of a decision is not stored unchanged any more: altered, unsigned or missing."""

    code = "model_gone"


class Replay(BaseModel):
    """The result of a replay."""

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
    """Evaluate a report's inputs again, and compare the results.

    Args:
        report: the assessment report as stored.
        model_of: returns the verified model of a hash.

    Raises:
        ModelGone: the model that decided is not available.
    """
    recorded = report["result"]
    try:
        model = model_of(recorded["model_hash"])
    except ArtefactInvalid as error:
        raise ModelGone(f"{recorded['model_hash']}: {error}") from None
    on = date.fromisoformat(report["rules_of"])
    made = json.loads(json.dumps(evaluate(model, report["features"], on).to_dict()))
    # Results of earlier releases have no rules that a source left open.
    recorded = {"unread_rules": [], **recorded}
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
