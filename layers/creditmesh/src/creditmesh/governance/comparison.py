"""Comparison of champion and challenger over the applications that both scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from creditmesh.governance.model import Comparison, Current, ShadowScore

_BPS = 10_000
_CENTI = 100


def compare(current: Current, scores: Sequence[ShadowScore]) -> Comparison:
    """Count agreement, approvals and referrals, and the shifts of scores, default rates and limits."""
    pairs = [(score.champion_result, score.challenger_result) for score in scores]
    decisions = Counter(f"{ours['decision']}/{theirs['decision']}" for ours, theirs in pairs)
    agreed = sum(ours["decision"] == theirs["decision"] for ours, theirs in pairs)
    both_approve = [pair for pair in pairs if all(one["decision"] == "approve" for one in pair)]
    return Comparison(
        model_id=current.model_id,
        champion=current.champion,
        challenger=current.challenger,
        scored=len(pairs),
        agreed=agreed,
        agreement_bps=_share(agreed, len(pairs)),
        champion_approval_bps=_rate(pairs, 0, "approve"),
        challenger_approval_bps=_rate(pairs, 1, "approve"),
        champion_referral_bps=_rate(pairs, 0, "refer"),
        challenger_referral_bps=_rate(pairs, 1, "refer"),
        decisions=dict(sorted(decisions.items())),
        score_shift=_shift(pairs, "score", _CENTI),
        mean_pd_shift_ppm=_shift(pairs, "pd_ppm"),
        limit_shift_minor=_shift(both_approve, "limit_minor"),
    )


def _share(part: int, whole: int) -> int | None:
    return part * _BPS // whole if whole else None


def _rate(pairs: Sequence[Sequence[dict[str, Any]]], whose: int, decision: str) -> int | None:
    return _share(sum(pair[whose]["decision"] == decision for pair in pairs), len(pairs))


def _shift(pairs: Iterable[Sequence[dict[str, Any]]], name: str, factor: int = 1) -> int | None:
    """Mean of challenger's minus champion's value, where both have one, rounded."""
    found = [(ours[name], theirs[name]) for ours, theirs in pairs]
    known = [theirs - ours for ours, theirs in found if ours is not None and theirs is not None]
    return round(sum(known) * factor / len(known)) if known else None
