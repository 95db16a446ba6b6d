"""Which rules were applied to a result, and which of them decided it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from creditmesh.risk.model import Artefact, Rule


def tried_rules(artefact: Artefact, result: Mapping[str, Any]) -> list[str]:
    """Return the rules that were applied: a stop by a list skips the admission rules.

    Args:
        artefact: the model that decided, with the rules in force on that day (`Artefact.in_force`).
        result: `RiskResult.to_dict()`.
    """
    return [rule.id for rule in artefact.rules if rule.stage == "lists" or result["stage"] != "blacklist"]


def deciding_rules(artefact: Artefact, result: Mapping[str, Any]) -> list[str]:
    """Return the fired rules that the decision rests on; none if score, price, index or limit decided.

    For a decline, the stop rules. For a referral, the refer rules, and rules that a source left open, that nothing
    silenced. For an approval, all pass and
    fast-pass rules that silenced a referral. An adjustment counts if the score without it were on the other side of a
    threshold.

    Args:
        artefact: the model that decided, with the rules in force on that day (`Artefact.in_force`).
        result: `RiskResult.to_dict()`.
    """
    fired, undecided = (
        # Results of earlier releases have no rules that a source left open.
        [rule for rule in artefact.rules if rule.id in set(result.get(name, ()))]
        for name in ("fired_rules", "unread_rules")
    )
    if result["stage"] in ("blacklist", "admission"):
        return [rule.id for rule in fired if rule.outcome == "stop"]
    found = [rule for rule in fired if rule.outcome == "adjust" and _turns(artefact, result, rule.points)]
    if result["decision"] == "refer":
        found += audible(fired, undecided)
    elif result["decision"] == "approve":
        found += _silencing(artefact, result, fired, undecided)
    return [rule.id for rule in found]


def _turns(artefact: Artefact, result: Mapping[str, Any], points: int) -> bool:
    """Whether the score without these points were on the other side of the cutoff or of ``refer_below``."""
    card, score = artefact.scorecard, result["score"]
    thresholds = [card.cutoff] if result["stage"] == "score" else [card.cutoff, card.refer_below]
    lending = result["stage"] in ("score", "referred", "approved")
    return lending and any((score >= at) != (score - points >= at) for at in thresholds if at is not None)


def audible(fired: Sequence[Rule], undecided: Sequence[Rule]) -> list[Rule]:
    """The rules that no pass silences: refer rules that fired or are undecided, and undecided stop rules.

    A fast pass silences what a refer rule says; nothing silences a rule that might have stopped the firm.
    """
    fast = any(rule.outcome == "fast_pass" for rule in fired)
    silenced = max((rule.priority for rule in fired if rule.outcome == "pass"), default=-1)
    asking = [*undecided, *(rule for rule in fired if rule.outcome == "refer")]
    return [rule for rule in asking if rule.outcome == "stop" or not (fast or rule.priority <= silenced)]


def _silencing(
    artefact: Artefact, result: Mapping[str, Any], fired: Sequence[Rule], undecided: Sequence[Rule]
) -> list[Rule]:
    referrals = [rule.priority for rule in (*fired, *undecided) if rule.outcome == "refer"]
    silenced = bool(referrals) or _refers_otherwise(artefact, result)
    fast = [rule for rule in fired if rule.outcome == "fast_pass" and silenced]
    return fast + [
        rule for rule in fired if rule.outcome == "pass" and any(rule.priority >= referral for referral in referrals)
    ]


def _refers_otherwise(artefact: Artefact, result: Mapping[str, Any]) -> bool:
    """Whether risk index or score asked for a referral."""
    below, index = artefact.scorecard.refer_below, result["risk_index"]
    outcomes = {grade.grade: grade.outcome for grade in artefact.risk_index.grades} if artefact.risk_index else {}
    return (below is not None and result["score"] < below) or (index and outcomes[index["grade"]] == "refer")
