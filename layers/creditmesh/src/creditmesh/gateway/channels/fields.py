"""The fields of a request: given, filled from stored records, checked before any call is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from creditmesh.gateway.channels.document import Channel, Http, RequiredField
from creditmesh.gateway.channels.expressions import search
from creditmesh.gateway.channels.rendering import NOT_XML
from creditmesh.gateway.channels.rules import matches, placeholders
from creditmesh.kernel.charsets import encoder

Lookup = Callable[[str, str], Any]
"""(record, key) -> the stored document, or None."""


@dataclass(frozen=True)
class Fields:
    """The fields of a request."""

    values: dict[str, Any]
    """Field -> value."""
    filled: tuple[str, ...]
    """Fields that came from stored records."""
    missing: tuple[str, ...]
    """Required fields without a value, and fields whose value breaks their pattern or cannot be sent."""


def complete(channel: Channel, given: Mapping[str, Any], lookup: Lookup) -> Fields:
    """Complete the fields that a channel's request needs."""
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
    missing = tuple(
        name
        for name, wanted in channel.fields.items()
        if not (_fits(values.get(name), wanted) and sendable(channel, name, values.get(name)))
    )
    return Fields(values, tuple(filled), missing)


def _fits(value: Any, wanted: RequiredField) -> bool:
    if value is None:
        return wanted.optional
    return wanted.pattern is None or matches(wanted.pattern, str(value))


def sendable(channel: Channel, name: str, value: Any) -> bool:
    """Whether a value can be written at its position in the request.

    A path segment of only dots would change a URL's route and cannot be escaped. A value that the charset or XML cannot
    represent would request another firm or person.
    """
    transport, written = channel.transport, str(value)
    if not isinstance(transport, Http):
        return True
    if name in placeholders(transport.path) and not written.strip("."):
        return False
    if transport.type == "xml" and NOT_XML.search(written):
        return False
    try:
        written.encode(encoder(transport.charset))
    except UnicodeError:
        return False
    return True
