"""Rules: what fires, when it counts, and which outcome has the last word (M05, M06)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from creditmesh.risk.evaluator import evaluate
from tests.unit.risk.small_model import DAY, FIRM, dimension, index_of, loaded, outcome, refer_below, rule

DEBT_HIGH = {">": [{"var": "debt"}, 80]}


def said(*rules: dict[str, Any], **features: Any) -> tuple[str, str, tuple[str, ...]]:
    result = outcome(features, rules=list(rules))
    return result.decision, result.stage, result.fired_rules


def test_no_rule_leaves_the_decision_to_the_score() -> None:
    assert said() == ("approve", "approved", ())


def test_a_stop_of_a_list_hides_the_admission_rules() -> None:
    both = [rule("admitted", "stop"), rule("listed", "stop", stage="lists")]
    assert said(*both) == ("decline", "blacklist", ("listed",))


def test_every_rule_that_fires_is_named_by_stage_then_priority_then_place() -> None:
    rules = [
        rule("a", "stop"),
        rule("b", "adjust", points=1, priority=9),
        rule("c", "refer", stage="lists"),
        rule("d", "pass", stage="lists", priority=1),
        rule("e", "stop"),
        rule("quiet", "stop", when={"missing": "debt"}),
    ]
    assert said(*rules) == ("decline", "admission", ("d", "c", "b", "a", "e"))


@pytest.mark.parametrize(("if_unknown", "stage"), [("fire", "admission"), ("pass", "approved")])
def test_what_happens_to_the_unknown_is_said_by_each_rule(if_unknown: str, stage: str) -> None:
    assert said(rule("debt_high", "stop", when=DEBT_HIGH, if_unknown=if_unknown), debt=None)[1] == stage


@pytest.mark.parametrize(
    ("rules", "decision"),
    [
        ([rule("r", "refer")], "refer"),
        ([rule("r", "refer", priority=5), rule("p", "pass", priority=4)], "refer"),
        ([rule("r", "refer", priority=5), rule("p", "pass", priority=5)], "approve"),
        ([rule("r", "refer", priority=5), rule("p", "pass", priority=6)], "approve"),
        ([rule("r", "refer", priority=5), rule("s", "refer", priority=7), rule("p", "pass", priority=6)], "refer"),
        ([rule("r", "refer", priority=5), rule("p", "pass", priority=6, when={"missing": "debt"})], "refer"),
        ([rule("r", "refer", stage="lists"), rule("p", "pass")], "approve"),
        ([rule("r", "refer", priority=9), rule("f", "fast_pass", stage="lists")], "approve"),
        ([rule("p", "pass", priority=9), rule("s", "stop")], "decline"),
        ([rule("f", "fast_pass", stage="lists", priority=9), rule("s", "stop")], "decline"),
    ],
    ids=lambda value: (
        "+".join(f"{one['outcome']}{one['priority']}" for one in value) if isinstance(value, list) else ""
    ),
)
def test_a_pass_silences_what_is_not_above_it_and_stops_nothing(rules: list[dict[str, Any]], decision: str) -> None:
    assert said(*rules)[0] == decision


def test_a_pass_silences_rules_only_and_a_fast_pass_everything() -> None:
    looked_at = index_of(dimension("d", 10_000, 50), grades=(("I", 0, "refer"),))
    parts: dict[str, Any] = {"scorecard": refer_below(200), "risk_index": looked_at}
    assert outcome({"debt": 60}, **parts).reasons == ("INDEX", "DEBT")
    assert outcome(rules=[rule("p", "pass", priority=9)], **parts).decision == "refer"
    assert outcome(rules=[rule("f", "fast_pass")], **parts).decision == "approve"


@pytest.mark.parametrize(("below", "decision"), [(None, "approve"), (90, "approve"), (91, "refer")])
def test_scores_below_the_referral_line_are_looked_at_even_if_nothing_was_lost(
    below: int | None, decision: str
) -> None:
    result = outcome(scorecard=refer_below(below))
    assert (result.score, result.decision, result.reasons) == (90, decision, ())


def test_reasons_of_a_referral_are_the_rules_by_priority_then_index_then_points() -> None:
    rules = [rule("low", "refer", reason_code="KIND"), rule("high", "refer", priority=3, reason_code="PAIR")]
    looked_at = index_of(dimension("d", 10_000, 50), grades=(("I", 0, "refer"),))
    result = outcome({"debt": 60}, rules=rules, risk_index=looked_at, scorecard=refer_below(200))
    assert (result.stage, result.reasons) == ("referred", ("PAIR", "KIND", "INDEX", "DEBT"))
    assert (result.grade, result.annual_rate_bps, result.limit_minor) == ("B", 600, 500_000), "a proposal"


def test_adjustments_add_up_and_are_told_apart() -> None:
    rules = [rule("up", "adjust", points=7), rule("down", "adjust", points=-30, stage="lists")]
    result = outcome(rules=rules)
    assert (result.adjustment, result.score, result.grade) == (-23, 67, "C")
    assert sum(line.points for line in result.points) == 40
    assert result.fired_rules == ("down", "up")


def test_points_that_a_rule_took_are_a_reason_as_those_of_a_bin_are() -> None:
    rules = [rule("down", "adjust", points=-12, reason_code="PAIR"), rule("up", "adjust", points=9)]
    assert outcome({"debt": 60, "kind": "C"}, rules=rules).price_reasons == ("KIND", "PAIR", "DEBT")
    declined = outcome(rules=[rule("down", "adjust", points=-60, reason_code="PAIR")])
    assert (declined.stage, declined.reasons) == ("score", ("PAIR",))


@pytest.mark.parametrize(
    ("begin", "end", "fires"),
    [
        (None, None, True),
        ("2026-01-15", None, True),
        ("2026-01-16", None, False),
        (None, "2026-01-16", True),
        (None, "2026-01-15", False),
        ("2026-01-15", "2026-01-16", True),
        ("2025-01-01", "2025-12-31", False),
    ],
)
def test_a_rule_counts_from_its_first_day_until_before_its_last(
    begin: str | None, end: str | None, fires: bool
) -> None:
    one = rule("dated", "stop", effective_from=begin, effective_until=end)
    assert said(one)[2] == (("dated",) if fires else ())


def test_a_day_takes_only_the_rules_in_force() -> None:
    model = loaded(rules=[rule("old", "stop", effective_until="2026-01-15"), rule("ever", "refer")])
    assert [one.id for one in model.in_force(DAY).rules] == ["ever"]
    earlier = model.in_force(date(2026, 1, 14))
    assert earlier is model
    assert evaluate(model, FIRM, date(2026, 1, 14)).fired_rules == ("old", "ever")
    assert model.in_force(DAY).content_hash == model.content_hash
