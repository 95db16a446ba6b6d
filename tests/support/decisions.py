"""Past decisions, made up: firms like the sample one, decided by the champion on the day they are given."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from creditmesh.decisions.model import Decision
from creditmesh.decisions.serving.queue import packed
from creditmesh.risk.evaluator import evaluate
from tests.support import wired
from tests.support.template import ROOT

FIRM: dict[str, Any] = json.loads((ROOT / "models" / "sample-firm.json").read_text(encoding="utf-8"))


def decide(application_id: str, day: date, **features: Any) -> Decision:
    """Put a decision of that day into the log; `features` are what is different about the firm."""
    artefact, given = wired.champions()["origination"](), {**FIRM, **features}
    request = {"rules_of": f"{day}", "features": packed(json.dumps(given)), "engine": "python"}
    result = evaluate(artefact, given, day).to_dict()
    decision = Decision.of(application_id, request, result, artefact, f"{day}T07:00:01.000Z")
    wired.decision_log().add(decision)
    return decision
