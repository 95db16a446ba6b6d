"""A decision as stored in the log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from creditmesh.decisions.serving.queue import rules_day, unpacked
from creditmesh.risk.model import Artefact
from creditmesh.risk.rule_effects import deciding_rules, tried_rules

SHARDS = 4
"""Partitions of a day's decisions; each takes a thousand writes per second."""


@dataclass(frozen=True)
class Decision:
    """One decision of the model."""

    application_id: str
    decided_at: str
    on: str
    """The decision date, YYYY-MM-DD, whose rules applied."""
    engine: str
    model_id: str
    model_version: str
    model_hash: str
    decision: str
    stage: str
    score: int | None
    grade: str | None
    limit_minor: int | None
    annual_rate_bps: int | None
    tried_rules: list[str]
    """Every rule that was applied; `decided_rules`: the fired ones that the decision rests on."""
    fired_rules: list[str]
    decided_rules: list[str]
    features: str
    """The key data, as JSON text."""

    @classmethod
    def of(
        cls, application_id: str, request: Mapping[str, Any], result: Mapping[str, Any], artefact: Artefact, at: str
    ) -> Decision:
        """The decision of a scored request.

        Args:
            request: the scoring request with `created_at`, `rules_of`, `features` and `engine`.
            result: `RiskResult.to_dict()`.
            artefact: the model that made it.
            at: time of recording, ISO 8601.
        """
        on = rules_day(request["rules_of"])
        rules = artefact.in_force(on)
        copied = (
            "model_id", "model_version", "model_hash", "decision", "stage", "score", "grade", "limit_minor",
            "annual_rate_bps", "fired_rules",
        )  # fmt: skip
        return cls(
            application_id=application_id,
            decided_at=at,
            on=on.isoformat(),
            engine=request["engine"],
            tried_rules=tried_rules(rules, result),
            decided_rules=deciding_rules(rules, result),
            features=request["features"],
            **{name: result[name] for name in copied},
        )

    def inputs(self) -> dict[str, Any]:
        """The key data of the decision."""
        return dict(json.loads(unpacked(self.features)))


class Decisions(Protocol):
    """Interface of the log for other contexts; implemented in `decisions.log`."""

    def of_shard(
        self, model_id: str, day: date, shard: int, after: str | None = None, limit: int | None = None
    ) -> Iterator[Decision]: ...

    def of_day(self, model_id: str, day: date) -> Iterator[Decision]: ...

    def totals(self, model_id: str, day: date) -> dict[str, Any] | None: ...

    def keep_totals(self, model_id: str, day: date, totals: Mapping[str, Any]) -> None: ...
