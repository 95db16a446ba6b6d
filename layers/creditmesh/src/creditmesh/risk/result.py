"""The result of one evaluation, with all intermediate numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Verdict = Literal["approve", "refer", "decline"]
Stage = Literal["blacklist", "admission", "score", "price", "index", "limit", "referred", "approved"]


class PointsLine(NamedTuple):
    """One characteristic's share of the score; ``lost`` is counted from its best bin."""

    characteristic: str
    bin: str
    points: int
    lost: int


@dataclass(frozen=True)
class LimitSteps:
    """The steps of the limit formula, in minor units; a method without data is None and does not bind."""

    methods: tuple[tuple[str, int | None], ...]
    binding_method: str
    least_minor: int
    grade_factor_bps: int
    factored_minor: int
    step_minor: int
    rounded_minor: int
    floor_minor: int

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "methods": dict(self.methods)}


@dataclass(frozen=True)
class IndexResult:
    """The risk index in hundredths (0..10,000), its grade, and the grade gₖ (0..100) of each dimension."""

    index: int
    grade: str
    dimensions: tuple[tuple[str, int], ...]

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "dimensions": dict(self.dimensions)}


@dataclass(frozen=True)
class RiskResult:
    """The result of one evaluation. ``stage`` is where it ended; fields of later stages are None or empty."""

    decision: Verdict
    stage: Stage
    fired_rules: tuple[str, ...]
    """All fired rules, by stage and priority."""
    unread_rules: tuple[str, ...]
    """Rules that ask for a person because a source could not be read, in the same order."""
    segment: str | None
    """The segment whose scorecard was used."""
    adjustment: int | None
    """Points added by rules; part of ``score``."""
    score: int | None
    pd_ppm: int | None
    """Calibrated default rate of the score, in parts per million; ``pd_bps`` is the grade's average."""
    points: tuple[PointsLine, ...]
    grade: str | None
    pd_bps: int | None
    annual_rate_bps: int | None
    """Set, like ``limit_minor``, on approval and, as a proposal, on referral."""
    limit_minor: int | None
    limit_steps: LimitSteps | None
    risk_index: IndexResult | None
    reasons: tuple[str, ...]
    """Of a decline or referral, strongest first."""
    price_reasons: tuple[str, ...]
    """Unless declined: why the grade is not the best one, most lost points first."""
    model_id: str
    model_version: str
    model_hash: str

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values; equal for both engines."""
        return {
            **vars(self),
            "fired_rules": list(self.fired_rules),
            "unread_rules": list(self.unread_rules),
            "points": [line._asdict() for line in self.points],
            "limit_steps": None if self.limit_steps is None else self.limit_steps.to_dict(),
            "risk_index": None if self.risk_index is None else self.risk_index.to_dict(),
            "reasons": list(self.reasons),
            "price_reasons": list(self.price_reasons),
        }
