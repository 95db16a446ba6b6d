"""Rules and limits over features that were asked for and could not be read (G13, S09)."""

from __future__ import annotations

from typing import Any

import pytest

from creditmesh.kernel.unread import read_unread, write_unread
from creditmesh.risk.errors import FeatureInvalid
from creditmesh.risk.evaluator import evaluate
from creditmesh.risk.rule_effects import deciding_rules
from tests.unit.risk.small_model import DAY, FIRM, loaded, method, outcome, rule, term

OVER = {">": [{"var": "debt"}, 50]}
TRUE = {"==": [{"var": "kind"}, "A"]}
MISSING = {"missing": "debt"}
LOST = {"debt": None, "unread": "debt:judicial"}
UNASKED = {"debt": None}
LIMIT = {
    "methods": [method("share", term("amount")), method("cap", reason="CAP", amount_minor=5_000_000)],
    "step_minor": 1_000, "floor_minor": 10_000, "reason_code": "FLOOR",
}  # fmt: skip


@pytest.mark.parametrize(
    "when", [OVER, MISSING, {"not": OVER}, {"and": [OVER, MISSING]}, {"in": [{"var": "debt"}, [7]]}]
)
@pytest.mark.parametrize("kind", ["stop", "refer"])
@pytest.mark.parametrize("if_unknown", ["fire", "pass"])
def test_a_rule_that_a_source_left_open_refers(when: dict[str, Any], kind: str, if_unknown: str) -> None:
    result = outcome(LOST, rules=[rule("r", kind, when=when, if_unknown=if_unknown)])
    assert (result.decision, result.unread_rules, result.fired_rules) == ("refer", ("r",), ())
    assert result.reasons == ("UNKNOWN",)
    assert (result.limit_minor, result.annual_rate_bps) != (None, None), "a proposal"


@pytest.mark.parametrize(
    ("kind", "if_unread", "decision", "fired"),
    [
        ("stop", "fire", "decline", ("r",)),
        ("stop", "pass", "approve", ()),
        ("refer", "fire", "refer", ("r",)),
        ("refer", "pass", "approve", ()),
        ("stop", "refer", "refer", ()),
    ],
)
def test_a_document_may_say_otherwise(kind: str, if_unread: str, decision: str, fired: tuple[str, ...]) -> None:
    for if_unknown in ("fire", "pass"):
        result = outcome(LOST, rules=[rule("r", kind, when=OVER, if_unknown=if_unknown, if_unread=if_unread)])
        assert (result.decision, result.fired_rules) == (decision, fired)
        assert result.unread_rules == (("r",) if if_unread == "refer" else ())


@pytest.mark.parametrize(("if_unknown", "decision"), [("fire", "decline"), ("pass", "approve")])
def test_what_was_not_asked_is_the_documents_matter(if_unknown: str, decision: str) -> None:
    one = rule("r", "stop", when=OVER, if_unknown=if_unknown)
    for firm in (UNASKED, {**UNASKED, "unread": None}, {**UNASKED, "unread": "kind:tax"}):
        result = outcome(firm, rules=[one])
        assert (result.decision, result.unread_rules) == (decision, ())


def test_a_known_value_is_not_unread() -> None:
    for when in (OVER, MISSING):
        one = rule("r", "stop", when=when)
        assert outcome({"debt": 30, "unread": "debt:judicial"}, rules=[one]).decision == "approve"


def test_a_rule_that_is_decided_by_other_features_is_not_left_open() -> None:
    either = {"or": [OVER, {"==": [{"var": "kind"}, "A"]}]}
    both = {"and": [OVER, {"==": [{"var": "kind"}, "B"]}]}
    assert outcome(LOST, rules=[rule("r", "stop", when=either)]).decision == "decline"
    assert outcome(LOST, rules=[rule("r", "stop", when=both)]).unread_rules == ()


@pytest.mark.parametrize("kind", ["adjust", "pass", "fast_pass"])
def test_other_outcomes_follow_if_unknown(kind: str) -> None:
    points = {"points": -5} if kind == "adjust" else {}
    for if_unknown, fired in (("fire", ("r",)), ("pass", ())):
        result = outcome(LOST, rules=[rule("r", kind, when=OVER, if_unknown=if_unknown, **points)])
        assert (result.fired_rules, result.unread_rules) == (fired, ())


@pytest.mark.parametrize(
    ("kind", "other", "decision"),
    [
        ("refer", rule("p", "pass", when=TRUE, priority=1), "approve"),
        ("refer", rule("p", "pass", when=TRUE, priority=0), "refer"),
        ("refer", rule("f", "fast_pass", when=TRUE), "approve"),
        ("stop", rule("p", "pass", when=TRUE, priority=9), "refer"),
        ("stop", rule("f", "fast_pass", when=TRUE), "refer"),
    ],
)
def test_a_pass_silences_what_it_would_have_silenced(kind: str, other: dict[str, Any], decision: str) -> None:
    """Nothing silences a stop, so nothing silences one that could not be read."""
    model = loaded(rules=[rule("r", kind, when=OVER, priority=1), rule("s", "refer", when=TRUE), other])
    result = evaluate(model, {**FIRM, **LOST}, DAY)
    assert (result.decision, result.unread_rules) == (decision, ("r",))
    if decision == "refer":
        fast = other["outcome"] == "fast_pass"
        expected = ["r"] if fast or other["priority"] >= 0 else ["r", "s"]
        assert deciding_rules(model, result.to_dict()) == expected
    else:
        assert deciding_rules(model, result.to_dict()) == [other["id"]]


def test_a_stop_by_a_list_hides_what_admission_lacks() -> None:
    rules = [rule("listed", "stop", stage="lists", when=TRUE), rule("r", "stop", when=OVER)]
    assert outcome(LOST, rules=rules).unread_rules == ()
    rules = [rule("listed", "stop", stage="lists", when=OVER), rule("r", "stop", when=TRUE)]
    result = outcome(LOST, rules=rules)
    assert (result.stage, result.unread_rules, result.reasons) == ("admission", ("listed",), ("RULE",))


@pytest.mark.parametrize(
    ("firm", "decision", "share", "reasons"),
    [
        ({"amount": None, "unread": "amount:tax"}, "refer", None, ("UNKNOWN",)),
        ({"amount": None, "unread": "debt:tax"}, "decline", 0, ("FLOOR", "UNKNOWN")),
        ({"amount": None}, "decline", 0, ("FLOOR", "UNKNOWN")),
        ({"amount": 5}, "decline", 5, ("FLOOR", "METHOD")),
    ],
)
def test_a_limit_that_lacks_an_unread_value_is_a_persons_matter(
    firm: dict[str, Any], decision: str, share: int | None, reasons: tuple[str, ...]
) -> None:
    result = outcome(firm, limit=LIMIT)
    assert result.limit_steps is not None
    assert (result.decision, dict(result.limit_steps.methods)["share"], result.reasons) == (decision, share, reasons)
    assert outcome(firm, limit=LIMIT, rules=[rule("f", "fast_pass", when=TRUE)]).decision == decision


def test_one_term_that_was_not_asked_is_enough_for_nought() -> None:
    both = {**LIMIT, "methods": [method("share", term("amount"), term("debt")), *LIMIT["methods"][1:]]}
    firm = {"amount": None, "debt": None, "unread": "amount:tax"}
    assert outcome(firm, limit=both).stage == "limit"
    assert outcome({**firm, "unread": "amount:tax debt:credit_bureau"}, limit=both).decision == "refer"


def test_the_text_names_features_with_their_sources() -> None:
    lost = {"a": ("tax",), "b": ("shop", "tax")}
    assert write_unread(lost) == "a:tax b:shop,tax"
    assert read_unread("a:tax b:shop,tax") == lost
    assert write_unread({}) is None
    assert read_unread("") == {}
    with pytest.raises(FeatureInvalid, match="unread: must be of type string"):
        outcome({"unread": 7})
