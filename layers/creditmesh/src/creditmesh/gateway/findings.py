"""What cleaning has to say about a source's data: findings, and the one error for data that is no data."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from creditmesh.kernel.errors import DomainError

Severity = Literal["info", "warning", "error"]


class Finding(BaseModel):
    """One remark on the quality of a source's data (C10).

    Attributes:
        field: Where, as a path: ``tax.statements[3].revenue``. Never the value itself: it may be personal.
        severity: ``info`` lost nothing, ``warning`` left a value unknown, ``error`` a whole section.
        finding: What, as a stable code: ``not_a_number``, ``duplicate_period``, ``gap``.
    """

    model_config = ConfigDict(frozen=True)

    field: str
    severity: Severity
    finding: str


class SourceDataInvalid(DomainError):
    """Raised when an answer has not the shape of its source's data, so that nothing can be drawn from it (C10).

    Attributes:
        source: ``tax`` or ``registry``.
        path: Where the shape breaks, from the answer's root (empty for the root itself).
        rule: What was broken: ``must_be_object`` or ``must_be_array``.
    """

    code = "source_data_invalid"

    def __init__(self, source: str, path: str, rule: str) -> None:
        where = f"{source}.{path}" if path else source
        super().__init__(f"{where}: {rule}", field=where)
        self.source = source
        self.path = path
        self.rule = rule


class Quality:
    """Collects findings in the order they are made."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, field: str, severity: Severity, finding: str) -> None:
        """Record one finding."""
        self.findings.append(Finding(field=field, severity=severity, finding=finding))
