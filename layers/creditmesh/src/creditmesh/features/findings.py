"""Findings about a source's data: notes, and the error for data of the wrong shape."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from creditmesh.kernel.errors import DomainError

Severity = Literal["info", "warning", "error"]
NO_VALUES: Mapping[str, str] = MappingProxyType({})


class Note(NamedTuple):
    """One remark on the quality of a source's data."""

    field: str
    """Where, as a path: ``tax.statements[3].revenue``. Never the value itself: it may be personal."""
    severity: Severity
    """``info`` lost nothing, ``warning`` left a value unknown or doubtful, ``error`` a whole section."""
    finding: str
    """What, as a stable code: ``not_a_number``, ``duplicate_period``, ``gap``."""
    values: Mapping[str, str] = NO_VALUES
    """What else helps, never personal: of a contradiction the two sides by source, of a gap the months."""


class SourceDataInvalid(DomainError):
    """Raised when an answer does not have the shape of its source's data."""

    code = "source_data_invalid"

    def __init__(self, source: str, path: str, rule: str) -> None:
        where = f"{source}.{path}" if path else source
        super().__init__(f"{where}: {rule}", field=where)
        self.source = source
        """Its kind: ``tax``, ``registry``, ``judicial``, …."""
        self.path = path
        """Where the shape breaks, from the answer's root (empty for the root itself)."""
        self.rule = rule
        """What was broken: ``must_be_object``, ``must_be_array`` or ``too_many_rows``."""


class Quality:
    """Collects notes in the order they are made."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def add(self, field: str, severity: Severity, finding: str, values: Mapping[str, str] = NO_VALUES) -> None:
        self.notes.append(Note(field, severity, finding, values))
