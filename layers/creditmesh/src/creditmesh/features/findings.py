"""Findings about a source's data: notes, and the error for data of the wrong shape."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from creditmesh.kernel.errors import DomainError

Severity = Literal["info", "warning", "error"]
NO_VALUES: Mapping[str, str] = MappingProxyType({})


class Note(NamedTuple):
    """A remark on the quality of a source's data."""

    field: str
    """Path such as ``tax.statements[3].revenue``; never the value, which may be personal."""
    severity: Severity
    """``info``: nothing lost; ``warning``: a value is unknown or doubtful; ``error``: a whole section."""
    finding: str
    """Stable code: ``not_a_number``, ``duplicate_period``, ``gap``."""
    values: Mapping[str, str] = NO_VALUES
    """Further details, never personal: both sides of a contradiction by source, the months of a gap."""


class SourceDataInvalid(DomainError):
    """An answer does not have the shape of its source's data."""

    code = "source_data_invalid"

    def __init__(self, source: str, path: str, rule: str) -> None:
        where = f"{source}.{path}" if path else source
        super().__init__(f"{where}: {rule}", field=where)
        self.source = source
        """Kind of source: ``tax``, ``registry``, ``judicial``, …."""
        self.path = path
        """Path from the answer's root; empty for the root itself."""
        self.rule = rule
        """``must_be_object``, ``must_be_array`` or ``too_many_rows``."""


class Quality:
    """Collects notes in the order they are made."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def add(self, field: str, severity: Severity, finding: str, values: Mapping[str, str] = NO_VALUES) -> None:
        self.notes.append(Note(field, severity, finding, values))
