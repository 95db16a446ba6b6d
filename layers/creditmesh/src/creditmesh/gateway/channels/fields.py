"""The fields of a request: given, filled from stored records, checked before any call is made (G03-G05)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from creditmesh.gateway.channels.document import Channel
from creditmesh.gateway.channels.structure import search

Lookup = Callable[[str, str], Any]
"""(record, key) -> the stored document, or None."""


@dataclass(frozen=True)
class Fields:
    """What a request will say.

    Attributes:
        values: field -> value.
        filled: fields that came from stored records.
        missing: required fields without a value, and fields whose value breaks their pattern.
    """

    values: dict[str, Any]
    filled: tuple[str, ...]
    missing: tuple[str, ...]


def complete(channel: Channel, given: Mapping[str, Any], lookup: Lookup) -> Fields:
    """Bring together what a channel's request needs."""
    values = {name: given[name] for name in channel.fields if given.get(name) not in (None, "")}
    filled = []
    for rule in channel.fill:
        key = values.get(rule.key, given.get(rule.key))
        if rule.field in values or key is None:
            continue
        found = search(rule.path, lookup(rule.record, str(key)))
        if found not in (None, "") and not isinstance(found, dict | list):
            values[rule.field] = found
            filled.append(rule.field)
    missing = tuple(name for name, wanted in channel.fields.items() if not _fits(values.get(name), wanted))
    return Fields(values, tuple(filled), missing)


def _fits(value: Any, wanted: Any) -> bool:
    if value is None:
        return bool(wanted.optional)
    return wanted.pattern is None or re.fullmatch(wanted.pattern, str(value)) is not None
