"""Key data: the flat document of exact features that risk control is given about a firm.

Pure: no clock, no I/O. ``features`` holds the clean row and the feature table, which Spark shares; this module is what
the platform calls. docs/reference/key-data.md tells what each feature means.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict

from creditmesh.features.clean import clean
from creditmesh.features.findings import Severity, SourceDataInvalid
from creditmesh.features.table import FEATURES, VERSION, features_of, lineage

__all__ = ["FEATURE_TYPES", "Finding", "KeyData", "SourceDataInvalid", "extract"]

_TYPES: dict[str, type[int] | type[str] | type[bool]] = {"integer": int, "string": str, "boolean": bool}
FEATURE_TYPES = {feature.name: _TYPES[feature.type] for feature in FEATURES}


class Finding(BaseModel):
    """One remark on the quality of a source's data; ``features.findings.Note`` tells of the fields."""

    model_config = ConfigDict(frozen=True)

    field: str
    severity: Severity
    finding: str
    values: dict[str, str] = {}


class KeyData(BaseModel):
    """A firm's features on one day, and what cleaning had to say."""

    model_config = ConfigDict(frozen=True)

    as_of: date
    """The day the windows are counted from."""
    features: dict[str, int | str | bool | None]
    """Every name of ``FEATURE_TYPES``; None means not known. Amounts are fen, ratios basis points."""
    quality: list[Finding]
    """Findings, in the order the sources were read."""
    rows: dict[str, Any]
    """The clean row that the features were drawn from (``features.row``), ready for JSON."""
    lineage: dict[str, list[dict[str, Any]]]
    """Of each feature ``{"source", "paths"}``: where in which source's third information it comes from."""
    features_version: int = VERSION
    """Version of the document of features that they were computed by."""


def extract(
    sources: Mapping[str, Mapping[str, Any] | None],
    *,
    blacklist_hits: int,
    requested_amount_minor: int,
    requested_term_months: int,
    as_of: date,
    greylist_hits: int | None = None,
    whitelist_hits: int | None = None,
    blacklist_name_score_bps: int | None = None,
    greylist_name_score_bps: int | None = None,
) -> KeyData:
    """Clean the sources' data about a firm and compute its features.

    Args:
        sources: By kind (``tax``, ``registry``, ``judicial``, ``credit_bureau``, ``shop``, ``education``,
            ``anti_fraud``) the third information. None: asked and unavailable, which is a finding. A kind that
            is not there was not asked for: its features are null without a finding.
        blacklist_hits: Entries on blacklists that match the firm.
        requested_amount_minor: The amount applied for, in fen.
        requested_term_months: The term applied for.
        as_of: The day of the collection; the running month is never part of a window of full months.
        greylist_hits, whitelist_hits: Entries on those lists that match the firm; None where nobody looked.
        blacklist_name_score_bps, greylist_name_score_bps: How alike the most similar name is; None where nobody looked.

    Raises:
        SourceDataInvalid: a document has not the shape of its kind.
    """
    row = clean(
        sources,
        blacklist_hits=blacklist_hits,
        requested_amount_minor=requested_amount_minor,
        requested_term_months=requested_term_months,
        as_of=as_of,
        greylist_hits=greylist_hits,
        whitelist_hits=whitelist_hits,
        blacklist_name_score_bps=blacklist_name_score_bps,
        greylist_name_score_bps=greylist_name_score_bps,
    )
    return KeyData(
        as_of=as_of,
        features=features_of(row.values),
        quality=[Finding(**note._asdict()) for note in row.notes],
        rows=row.values,
        lineage={
            name: [{"source": source, "paths": list(paths)} for source, paths in origins]
            for name, origins in lineage().items()
        },
    )
