"""Key data: a firm's features for risk control, as one flat document.

Pure. ``features`` holds the clean row and the feature table, which Spark shares; the platform calls this module.
docs/reference/key-data.md defines each feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Unpack

from pydantic import BaseModel, ConfigDict

from creditmesh.features.clean import Inputs, clean
from creditmesh.features.findings import Severity, SourceDataInvalid
from creditmesh.features.table import FEATURES, VERSION, features_of, lineage
from creditmesh.features.unread import unread

__all__ = ["FEATURE_TYPES", "Finding", "KeyData", "SourceDataInvalid", "extract"]

_TYPES: dict[str, type[int] | type[str] | type[bool]] = {"integer": int, "string": str, "boolean": bool}
FEATURE_TYPES = {feature.name: _TYPES[feature.type] for feature in FEATURES}


class Finding(BaseModel):
    """A remark on the quality of a source's data; for the fields see ``features.findings.Note``."""

    model_config = ConfigDict(frozen=True)

    field: str
    severity: Severity
    finding: str
    values: dict[str, str] = {}


class KeyData(BaseModel):
    """A firm's features on one day, and the findings of cleaning."""

    model_config = ConfigDict(frozen=True)

    as_of: date
    """The as-of day."""
    features: dict[str, int | str | bool | None]
    """Every name of ``FEATURE_TYPES``; None means unknown. Amounts are fen, ratios basis points."""
    unread: str | None
    """Which of them are unknown because a source could not be read (`creditmesh.kernel.unread`)."""
    quality: list[Finding]
    """In the order in which sources were read."""
    rows: dict[str, Any]
    """The clean row that the features were computed from (``features.row``), ready for JSON."""
    lineage: dict[str, list[dict[str, Any]]]
    """For each feature ``{"source", "paths"}``: its origin in the source's third information."""
    features_version: int = VERSION
    """Version of the document of features."""


def extract(
    sources: Mapping[str, Mapping[str, Any] | None],
    **inputs: Unpack[Inputs],
) -> KeyData:
    """Clean the sources' data about a firm and compute its features.

    Args:
        sources: Third information by kind (``tax``, ``registry``, ``judicial``, ``credit_bureau``, ``shop``,
            ``education``, ``anti_fraud``). None: unavailable, which is a finding. An absent kind was not requested: its
            features are null without a finding.
        blacklist_hits: Entries on blacklists that match the firm.
        requested_amount_minor: In fen.
        requested_term_months: The term applied for.
        zone: The zone whose days count, for sources that tell instants; default UTC.
        as_of: The day of the collection; the current month is never part of a window of full months.
        greylist_hits, whitelist_hits: Entries on those lists that match the firm; None if not looked up.
        blacklist_name_score_bps, greylist_name_score_bps: Similarity of the most similar name; None if not looked up.

    Raises:
        SourceDataInvalid: a document has the wrong shape.
    """
    row = clean(sources, **inputs)
    features = features_of(row.values)
    return KeyData(
        as_of=inputs["as_of"],
        features=features,
        unread=unread(tuple(features.values()), row.notes),
        quality=[Finding(**note._asdict()) for note in row.notes],
        rows=row.values,
        lineage={
            name: [{"source": source, "paths": list(paths)} for source, paths in origins]
            for name, origins in lineage().items()
        },
    )
