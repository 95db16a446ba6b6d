"""Versions of a decision model, from proposal to retirement.

A hash is the ``content_hash`` of the artefact, ``sha256:<64 hex digits>``; it identifies a version everywhere.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from creditmesh.kernel.errors import Conflict, NotFound, Parameter

_HASH = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.ASCII)


class ModelState(StrEnum):
    """State of a version: proposed → approved → champion → retired, or proposed → rejected."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    CHAMPION = "champion"
    RETIRED = "retired"


class ModelKind(StrEnum):
    """Origin of a version."""

    TRAINING = "training"
    RULES = "rules"
    POLICY = "policy"
    SHIPPED = "shipped"
    """Deployed with the platform, before any proposal."""


class UnknownVersion(NotFound):
    """No version of that model has this hash."""

    code = "unknown_model_version"


class WrongState(Conflict):
    """The version is not in the state that this needs."""

    code = "wrong_model_state"


class TestsFailed(Conflict):
    """A test case kept with the model fails."""

    code = "model_tests_failed"
    __test__ = False


class GatesFailed(Conflict):
    """A trained version has no gates, or failed one."""

    code = "model_gates_failed"


class Outdated(Conflict):
    """The champion or its challenger was changed concurrently."""

    code = "model_outdated"


class ModelRefused(Conflict):
    """The stored artefact breaks a rule: altered, unsigned, signed by an untrusted key, or not an artefact."""

    code = "model_refused"


class Value(BaseModel):
    """Base of values that are stored and shown as they are."""

    model_config = ConfigDict(frozen=True)


class Gate(Value):
    """A condition for a trained version."""

    id: str
    passed: bool
    value: int | float | str | None = Field(default=None, description="what was measured")
    threshold: int | float | str | None = Field(default=None, description="what was asked for")
    note: str = Field(default="", description="the sentence of the id")
    parameters: dict[str, Parameter] = Field(default={}, description="what the note names besides value and threshold")


class GateReport(Value):
    """All gates of one version."""

    passed: bool
    gates: list[Gate]
    made_at: str


class CaseResult(Value):
    """Result of a test case: fields with expected and actual value, where they differ."""

    name: str
    passed: bool
    differences: dict[str, dict[str, JsonValue]] = {}


class Change(Value):
    """One line of a version's history."""

    at: str
    by: str
    what: str = Field(description="proposed, approved, rejected, gates_failed, challenged, promoted, …")
    note: str = Field(default="", description="what a person wrote; older lines of the platform have a sentence here")
    parameters: dict[str, Parameter] = Field(default={}, description="of `what`, where the platform knows more")


class Promotion(Value):
    """A promotion that waits for the second person."""

    maker: str
    at: str
    champion: str
    """The champion at the time of the proposal."""


class ModelVersion(Value):
    """One version of a model."""

    model_id: str
    content_hash: str
    version: str
    state: ModelState
    kind: ModelKind
    maker: str
    checker: str | None = None
    note: str = ""
    evidence: dict[str, JsonValue] = {}
    tests: list[CaseResult] = []
    gates: GateReport | None = None
    created_at: str
    promotion: Promotion | None = None
    replaced: str | None = Field(default=None, description="hash of the champion that it took the place of")
    history: list[Change] = []
    revision: int = Field(default=1, description="grows with every change of this version")

    @property
    def tests_passed(self) -> bool:
        return all(case.passed for case in self.tests)


class Current(Value):
    """The versions of a model that decide or score in the shadow."""

    model_id: str
    champion: str
    """Hash of the version that decides."""
    previous: str | None = None
    """Hash of the version for a rollback."""
    challenger: str | None = None
    """Hash of the version that scores the same applications without deciding."""
    revision: int = 0
    """Incremented by each change; 0 while the shipped model decides and nothing was changed."""
    since: str | None = None


class ShadowScore(Value):
    """Results of champion and challenger for one application, without features."""

    request_id: str
    application_id: str
    champion: str
    challenger: str
    champion_result: dict[str, Any]
    challenger_result: dict[str, Any]
    scored_at: str


class Comparison(Value):
    """Champion and challenger over the applications that both scored; rates in basis points of ``scored``."""

    model_id: str
    champion: str
    challenger: str | None
    scored: int
    agreed: int
    """Same decision by both."""
    agreement_bps: int | None
    champion_approval_bps: int | None
    challenger_approval_bps: int | None
    champion_referral_bps: int | None
    challenger_referral_bps: int | None
    decisions: dict[str, int]
    """``"approve/decline"`` (champion's/challenger's) → count."""
    score_shift: int | None
    """Mean of challenger's minus champion's score, in hundredths of a point; None without common scores."""
    mean_pd_shift_ppm: int | None
    limit_shift_minor: int | None
    """Mean of challenger's minus champion's limit where both approve, in minor units."""


def full_hash(text: str) -> str:
    """Return the full form of a hash given with or without ``sha256:``.

    Raises:
        UnknownVersion: not a hash.
    """
    match = _HASH.fullmatch(text)
    if match is None:
        raise UnknownVersion("no such version", field="content_hash")
    return f"sha256:{match[1]}"


def precedence(version: str) -> tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]:
    """Sort key of semantic versions: 1.0.0-rc.1 comes before 1.0.0."""
    core, _, pre = version.partition("-")
    numbers = tuple(int(part) for part in core.split("."))
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".") if pre)
    return numbers, 0 if pre else 1, parts
