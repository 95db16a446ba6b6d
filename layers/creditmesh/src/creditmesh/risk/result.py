"""The risk result: what was decided, and every number on the way (C15, S10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Decision = Literal["approve", "decline"]
Stage = Literal["blacklist", "admission", "score", "limit", "approved"]


@dataclass(frozen=True)
class PointsLine:
    """One characteristic's share of the score; ``lost`` is counted from its best bin."""

    characteristic: str
    bin: str
    points: int
    lost: int


@dataclass(frozen=True)
class LimitSteps:
    """The limit formula worked through, amounts in minor units; a method without data is None and does not bind."""

    methods: tuple[tuple[str, int | None], ...]
    binding_method: str
    least_minor: int
    grade_factor_bps: int
    factored_minor: int
    step_minor: int
    rounded_minor: int
    floor_minor: int

    def to_dict(self) -> dict[str, Any]:
        """Return the steps as JSON values."""
        return {**vars(self), "methods": dict(self.methods)}


@dataclass(frozen=True)
class RiskResult:
    """The outcome of one evaluation. ``stage`` is where it ended; what lies beyond that stage is None or empty.

    ``annual_rate_bps`` and ``limit_minor`` are set on approval only; ``grade`` and ``pd_bps`` whenever the score has a
    grade; ``reasons`` on a decline only, the strongest first.
    """

    decision: Decision
    stage: Stage
    fired_rules: tuple[str, ...]
    score: int | None
    points: tuple[PointsLine, ...]
    grade: str | None
    pd_bps: int | None
    annual_rate_bps: int | None
    limit_minor: int | None
    limit_steps: LimitSteps | None
    reasons: tuple[str, ...]
    model_id: str
    model_version: str
    model_hash: str

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values; equal for every engine that evaluates the same artefact."""
        return {
            **vars(self),
            "fired_rules": list(self.fired_rules),
            "points": [dict(vars(line)) for line in self.points],
            "limit_steps": None if self.limit_steps is None else self.limit_steps.to_dict(),
            "reasons": list(self.reasons),
        }
