"""On which rules a decision rests: without them it would be another one (M06)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from creditmesh.risk.artefact import Artefact
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.rule_effects import deciding_rules, tried_rules
from tests.support.artefact_strategies import artefacts, feature_rows, rows_near_bounds
from tests.unit.risk.small_model import FIRM, loaded, refer_below, rule

cases = settings(max_examples=60, deadline=None)
OUTCOMES = ("stop", "refer", "pass", "fast_pass", "adjust")
DAY = date(2026, 1, 15)


def effects(artefact: Artefact, row: dict[str, Any]) -> tuple[dict[str, Any], list[str], list[str]]:
    """Result, rules tried, rules that decided."""
    result = evaluate(artefact, row, DAY).to_dict()
    return result, tried_rules(artefact, result), deciding_rules(artefact, result)


def without(artefact: Artefact, names: Iterable[str]) -> Artefact:
    gone = set(names)
    return replace(artefact, rules=tuple(rule for rule in artefact.rules if rule.id not in gone))


@cases
@given(artefact=artefacts(), data=st.data())
def test_what_decided_fired_and_what_fired_was_tried(artefact: Artefact, data: st.DataObject) -> None:
    model = artefact.in_force(DAY)
    for row in feature_rows(model, data.draw(rows_near_bounds(model)), 20):
        result, tried, decided = effects(model, row)
        assert set(decided) <= set(result["fired_rules"]) <= set(tried) <= {rule.id for rule in model.rules}
        assert len(decided) == len(set(decided))
        same = evaluate(without(model, {rule.id for rule in model.rules} - set(tried)), row, DAY).to_dict()
        assert same == result


@st.composite
def rule_sets(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rules of every outcome, of which some fire; few priorities, so that equals meet."""
    drawn = draw(st.lists(st.tuples(st.sampled_from(OUTCOMES), st.integers(0, 2), st.booleans()), max_size=6))
    rules = []
    for number, (outcome, priority, fires) in enumerate(drawn):
        points = {"points": draw(st.integers(-45, 5))} if outcome == "adjust" else {}
        when = {} if fires else {"when": {"missing": "debt"}}
        rules.append(rule(f"r{number}", outcome, priority=priority, **points, **when))
    return rules


@settings(cases, max_examples=150)
@given(rules=rule_sets(), below=st.sampled_from([None, 60, 91]))
def test_without_the_rules_that_decided_the_decision_is_another(rules: list[dict[str, Any]], below: int | None) -> None:
    model = loaded(rules=rules, scorecard=refer_below(below))
    outcomes = {rule.id: rule.outcome for rule in model.rules}
    result, _, decided = effects(model, FIRM)
    for kind in ("stop", "refer", "pass", "adjust"):
        names = [name for name in decided if outcomes[name].removeprefix("fast_") == kind]
        if not names:
            continue
        event(kind)
        left = evaluate(without(model, names), FIRM, DAY)
        if kind == "stop":
            assert (result["decision"], result["stage"] != left.stage) == ("decline", True)
        elif kind == "refer":
            asked = below is not None and result["score"] < below
            assert (result["decision"], left.decision) == ("refer", "refer" if asked else "approve")
        elif kind == "pass":
            assert (result["decision"], left.decision) == ("approve", "refer")
        else:
            alone = [evaluate(without(model, [name]), FIRM, DAY) for name in names]
            thresholds = [at for at in (50, below) if at is not None]
            for one in alone:
                assert any((one.score >= at) != (result["score"] >= at) for at in thresholds if one.score is not None)


@cases
@given(artefact=artefacts(), data=st.data())
def test_a_decline_by_rules_rests_on_a_rule_and_no_other_decline_does_but_by_points(
    artefact: Artefact, data: st.DataObject
) -> None:
    model = artefact.in_force(DAY)
    outcomes = {rule.id: rule.outcome for rule in model.rules}
    for row in feature_rows(model, data.draw(rows_near_bounds(model)), 20):
        result, _, decided = effects(model, row)
        if result["stage"] in ("blacklist", "admission"):
            assert {outcomes[name] for name in decided} == {"stop"}
        elif result["decision"] == "decline":
            assert {outcomes[name] for name in decided} <= {"adjust"}
            assert not decided or result["stage"] == "score"
