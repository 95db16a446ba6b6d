"""What the API takes and gives of decision models (docs/explanation/models.md)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from api.schemas import In, Listed, Out
from creditmesh.governance.model import (
    CaseResult,
    Change,
    Current,
    GateReport,
    ModelKind,
    ModelRefused,
    ModelState,
    ModelVersion,
    Outdated,
    Promotion,
    UnknownVersion,
    WrongState,
)
from creditmesh.kernel.errors import Parameter
from creditmesh.kernel.text import TEXT

NOTE = 2_000
READING = (UnknownVersion, ModelRefused)
"""Errors of every route that reads a model."""
CHANGING = (*READING, WrongState, Outdated)
"""Errors of every route that changes one."""


class NewVersion(In):
    """A version to be proposed."""

    kind: Literal["training", "rules", "policy"]
    note: Annotated[str, Field(max_length=NOTE), TEXT] = ""
    evidence: dict[str, Any] = Field(default={}, description="what speaks for it: figures of a model card, …")
    document: dict[str, Any] = Field(description="the artefact; without `content_hash`, it is sealed here")


class Note(In):
    """An optional note."""

    note: Annotated[str, Field(max_length=NOTE), TEXT] = ""


class Reason(In):
    """Why."""

    reason: Annotated[str, Field(min_length=1, max_length=NOTE), TEXT]


class GateView(Out):
    """One condition of a version made by training; figures as texts."""

    id: str
    passed: bool
    value: str | None
    threshold: str | None
    note: str = Field(description="the sentence of the id")
    parameters: dict[str, Parameter] = Field(description="what the note names besides value and threshold")


class GatesView(Out):
    """All gates of one version."""

    passed: bool
    gates: list[GateView]
    made_at: str

    @classmethod
    def of(cls, report: GateReport) -> GatesView:
        gates = [
            GateView(
                id=gate.id,
                passed=gate.passed,
                value=_text(gate.value),
                threshold=_text(gate.threshold),
                note=gate.note,
                parameters=gate.parameters,
            )  # fmt: skip
            for gate in report.gates
        ]
        return cls(passed=report.passed, gates=gates, made_at=report.made_at)


class VersionSummary(Out):
    """A version as lists show it."""

    model_id: str
    content_hash: str
    version: str
    state: ModelState
    kind: ModelKind
    maker: str
    checker: str | None
    created_at: str
    tests_passed: bool
    gates_passed: bool | None

    @classmethod
    def of(cls, version: ModelVersion) -> VersionSummary:
        return cls(**_summary(version))


class VersionView(VersionSummary):
    """A version with all that is known of it but its document."""

    note: str
    evidence: dict[str, JsonValue]
    tests: list[CaseResult]
    gates: GatesView | None
    promotion: Promotion | None
    replaced: str | None
    history: list[Change]

    @classmethod
    def of(cls, version: ModelVersion) -> VersionView:
        named = ("note", "evidence", "tests", "promotion", "replaced", "history")
        gates = GatesView.of(version.gates) if version.gates else None
        return cls(**_summary(version), gates=gates, **{name: getattr(version, name) for name in named})


class VersionList(Listed):
    """Versions, the highest first."""

    versions: list[VersionSummary]


class CurrentView(Current):
    """The champion and challenger, and promotions that wait for a second person."""

    champion_version: str
    waiting: list[str] = Field(description="hashes of versions whose promotion waits to be confirmed")


class ModelList(Listed):
    """The decision models."""

    models: list[CurrentView]


def _summary(version: ModelVersion) -> dict[str, Any]:
    named = ("model_id", "content_hash", "version", "state", "kind", "maker", "checker", "created_at", "tests_passed")
    gates = version.gates.passed if version.gates else None
    return {**{name: getattr(version, name) for name in named}, "gates_passed": gates}


def _text(value: float | str | None) -> str | None:
    return None if value is None else str(value)
