"""What lenders see of the report: the only list of it, for the API and for the hash that a lender is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

FIELDS: Mapping[str, tuple[str, ...]] = {
    part: tuple(fields.split())
    for part, fields in {
        "report": "report_version application_id firm_name decided_at requested currency decision result reasons "
        "price_reasons versions referral",
        "requested": "amount currency term_months",
        "result": "decision stage score grade limit_minor reasons price_reasons",
        "reasons": "code text adverse_action parameters",
        "price_reasons": "code text adverse_action parameters",
        "parameters": "features sources",
        "versions": "model_id model_version",
        "referral": "decision decided_at role note",
    }.items()
}
"""Part of the report, by the name of its field -> its fields that a lender sees; other parts are seen whole."""


def lenders_view(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a lender sees of a report with its referral.

    A field that older reports lack is null, as in the API's answer.
    """
    return {name: _part(name, report.get(name)) for name in FIELDS["report"]}


def sha256_of(view: Mapping[str, Any]) -> str:
    """Hash of the canonical JSON (sorted keys, no spaces, UTF-8), in hex."""
    text = json.dumps(view, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _part(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_part(name, one) for one in value]
    if isinstance(value, Mapping) and name in FIELDS:
        return {field: _part(field, value.get(field)) for field in FIELDS[name]}
    return value
