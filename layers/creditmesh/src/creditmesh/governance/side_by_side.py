"""Evaluates two versions on the same firms and counts their differences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from creditmesh.decisions.model import Decision
from creditmesh.risk.errors import FeatureInvalid
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.model import Artefact
from creditmesh.risk.rule_effects import deciding_rules, tried_rules


@dataclass
class Pair:
    """Two versions to compare."""

    champion: Artefact
    candidate: Artefact

    def __post_init__(self) -> None:
        self._in_force: dict[tuple[str, str], Artefact] = {}

    def add(self, tally: dict[str, Any], decision: Decision) -> None:
        """Evaluate one decision by both versions and count the result."""
        on = tally["on"] or decision.on
        versions = {side: self._version(side, on) for side in ("champion", "candidate")}
        features, day = decision.inputs(), date.fromisoformat(on)
        try:
            results = {side: evaluate(one, features, day).to_dict() for side, one in versions.items()}
        except FeatureInvalid:
            tally["refused"].append(decision.application_id)
            return
        tally["scored"] += 1
        for side, result in results.items():
            _count_side(tally[side], result)
            _count_rules(tally["rules"], side, versions[side], result)
        _count_changes(tally, decision.application_id, results["champion"], results["candidate"])
        if on == decision.on and not _reproduced(decision, results["champion"]):
            tally["not_reproduced"].append(decision.application_id)

    def _version(self, side: str, on: str) -> Artefact:
        """The version with the rules of that day; cached, since each copy recomputes its prices."""
        if (side, on) not in self._in_force:
            self._in_force[side, on] = getattr(self, side).in_force(date.fromisoformat(on))
        return self._in_force[side, on]


def _count_side(side: dict[str, Any], result: Mapping[str, Any]) -> None:
    for kind, value in (("decisions", result["decision"]), ("stages", result["stage"])):
        side[kind][value] = side[kind].get(value, 0) + 1
    if result["decision"] in ("approve", "refer"):
        side["approved_minor" if result["decision"] == "approve" else "referred_minor"] += result["limit_minor"]


def _count_rules(rules: dict[str, Any], side: str, artefact: Artefact, result: Mapping[str, Any]) -> None:
    counted = {
        "tried": tried_rules(artefact, result),
        "fired": result["fired_rules"],
        "decided": deciding_rules(artefact, result),
    }
    for what, names in counted.items():
        for name in names:
            effect = rules.setdefault(name, {"champion": None, "candidate": None})
            hits = effect[side] = effect[side] or {"tried": 0, "fired": 0, "decided": 0}
            hits[what] += 1


def _count_changes(
    tally: dict[str, Any], application_id: str, champion: Mapping[str, Any], candidate: Mapping[str, Any]
) -> None:
    if champion["decision"] != candidate["decision"]:
        kind = f"{champion['decision']}/{candidate['decision']}"
        tally["changes"].setdefault(kind, []).append(application_id)
    elif champion["decision"] == "approve":
        tally["limits_changed"] += champion["limit_minor"] != candidate["limit_minor"]
        tally["rates_changed"] += champion["annual_rate_bps"] != candidate["annual_rate_bps"]


def _reproduced(decision: Decision, result: Mapping[str, Any]) -> bool:
    """Whether the champion repeats its own decision; decisions of other versions do not count."""
    if decision.model_hash != result["model_hash"]:
        return True
    same = ("decision", "stage", "score", "limit_minor", "fired_rules")
    return all(json.dumps(getattr(decision, name)) == json.dumps(result[name]) for name in same)
