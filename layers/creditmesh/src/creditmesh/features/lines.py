"""Third information of many firms as JSON lines, one firm per line.

A line: ``{"firm": "…", "as_of": "2026-11-21", "sources": {"tax": {…}, "registry": null}, "blacklist_hits": 0,
"requested_amount_minor": 1000000, "requested_term_months": 12}``, the fields of ``OPTIONAL`` if lists were looked up,
and ``zone``, the IANA zone whose days count, default UTC. An unreadable line becomes a note and does not end the job.
"""

from __future__ import annotations

import json
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from creditmesh.features.clean import clean_leniently
from creditmesh.features.cleaning import MAX_MINOR, read_date
from creditmesh.features.findings import Note
from creditmesh.features.schema import Values

NOTE_DDL = "field: STRING, severity: STRING, finding: STRING, values: MAP<STRING, STRING>"
INPUTS = ("blacklist_hits", "requested_amount_minor", "requested_term_months")
OPTIONAL = ("greylist_hits", "whitelist_hits", "blacklist_name_score_bps", "greylist_name_score_bps")


class Line(NamedTuple):
    """One firm's name, clean row, and notes as Spark takes them.

    An unreadable line has no row and a note of severity ``error`` with the reason.
    """

    firm: str | None
    values: Values | None
    notes: list[tuple[str, str, str, dict[str, str]]]


def clean_line(text: str | None) -> Line:
    firm: str | None = None
    try:
        line = json.loads(text or "")
    except (ValueError, RecursionError):
        return _refused(firm, "", "not_json")
    if not isinstance(line, dict):
        return _refused(firm, "", "must_be_object")
    firm = line.get("firm") if isinstance(line.get("firm"), str) else None
    as_of, _ = read_date(line.get("as_of"))
    if as_of is None:
        return _refused(firm, "as_of", "not_a_date")
    sources = line.get("sources")
    if not isinstance(sources, dict):
        return _refused(firm, "sources", "must_be_object")
    inputs = {name: line.get(name) for name in (*INPUTS, *OPTIONAL)}
    for name, value in inputs.items():
        if value is None and name in OPTIONAL:
            continue
        if type(value) is not int or not 0 <= value <= MAX_MINOR:
            return _refused(firm, name, "not_a_whole_number")
    try:
        zone = ZoneInfo(line.get("zone", "UTC"))
    except (ZoneInfoNotFoundError, OSError, TypeError, ValueError):
        return _refused(firm, "zone", "unknown_zone")
    row = clean_leniently(sources, as_of=as_of, zone=zone, **inputs)  # type: ignore[arg-type]  # checked above
    return Line(firm, row.values, [_note(note) for note in row.notes])


def _note(note: Note) -> tuple[str, str, str, dict[str, str]]:
    return note.field, note.severity, note.finding, dict(note.values)


def _refused(firm: str | None, field: str, rule: str) -> Line:
    return Line(firm, None, [(field, "error", rule, {})])
