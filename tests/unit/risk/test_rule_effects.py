"""On which rules a decision rests (M06)."""

from __future__ import annotations

from typing import Any

from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.rule_effects import deciding_rules, tried_rules
from tests.unit.risk.small_model import DAY, FIRM, dimension, index_of, loaded, refer_below, rule

NEVER = {"missing": "debt"}


def effects(*rules: dict[str, Any], **parts: Any) -> tuple[str, list[str], list[str]]:
    """Decision, rules tried, rules that decided."""
    artefact = loaded(rules=list(rules), **parts)
    result = evaluate(artefact, FIRM, DAY).to_dict()
    return result["decision"], tried_rules(artefact, result), deciding_rules(artefact, result)


def test_a_stop_by_a_list_leaves_the_admission_rules_untried() -> None:
    found = effects(rule("listed", "stop", stage="lists"), rule("grey", "refer", stage="lists"), rule("poor", "stop"))
    assert found == ("decline", ["listed", "grey"], ["listed"])


def test_every_stop_that_fired_decides() -> None:
    found = effects(rule("one", "stop"), rule("two", "stop"), rule("never", "stop", when=NEVER), rule("look", "refer"))
    assert found == ("decline", ["one", "two", "never", "look"], ["one", "two"])


def test_a_referral_decides_unless_a_pass_outranks_it() -> None:
    low, high = rule("low", "refer", priority=1), rule("high", "refer", priority=9)
    assert effects(low, high)[2] == ["high", "low"]
    assert effects(low, high, rule("known", "pass", priority=1))[0::2] == ("refer", ["high"])
    assert effects(low, high, rule("known", "pass", priority=9))[0::2] == ("approve", ["known"])


def test_a_pass_that_silences_nothing_decides_nothing() -> None:
    assert effects(rule("known", "pass", priority=9))[0::2] == ("approve", [])
    assert effects(rule("fast", "fast_pass"))[0::2] == ("approve", [])


def test_a_fast_pass_decides_where_rule_score_or_index_would_have_referred() -> None:
    fast = rule("fast", "fast_pass")
    assert effects(fast, rule("look", "refer"))[0::2] == ("approve", ["fast"])
    assert effects(fast, scorecard=refer_below(91))[0::2] == ("approve", ["fast"])
    index = index_of(dimension("debt", 10_000, 60), grades=(("R2", 5_000, "refer"), ("R1", 0, "pass")))
    assert effects(fast, risk_index=index)[0::2] == ("approve", ["fast"])


def test_points_decide_where_they_carry_the_score_over_a_threshold() -> None:
    assert effects(rule("minus", "adjust", points=-41))[0::2] == ("decline", ["minus"])
    assert effects(rule("minus", "adjust", points=-40))[0::2] == ("approve", [])
    assert effects(rule("minus", "adjust", points=-1), scorecard=refer_below(90))[0::2] == ("refer", ["minus"])
    assert effects(rule("plus", "adjust", points=1), scorecard=refer_below(91))[0::2] == ("approve", ["plus"])


def test_a_rule_that_fired_decides_nothing_where_the_limit_did() -> None:
    limit = {"methods": [{"id": "cap", "label": {"zh-CN": "文", "en": "t"}, "reason_code": "CAP", "amount_minor": 1},
                         {"id": "more", "label": {"zh-CN": "文", "en": "t"}, "reason_code": "CAP", "amount_minor": 2}],
             "step_minor": 1, "floor_minor": 10, "reason_code": "FLOOR"}  # fmt: skip
    assert effects(rule("look", "refer"), limit=limit)[0::2] == ("decline", [])
