"""Features that are unknown because a source was asked and could not be read: one text that accompanies features.

``dishonest_debtor_listed:judicial shop_share_of_invoices_bps:shop,tax`` names each such feature and the sources that
failed. A feature that is unknown for another reason (its source was not asked, or has no value) is not in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

UNREAD = "unread"
"""The name of the text beside the features."""

Unread = Mapping[str, tuple[str, ...]]
"""Features with the sources that could not be read."""


def write_unread(features: Mapping[str, Collection[str]]) -> str | None:
    """The text; None without such features."""
    return " ".join(f"{name}:{','.join(sorted(sources))}" for name, sources in features.items()) or None


def read_unread(text: str) -> dict[str, tuple[str, ...]]:
    """The inverse of `write_unread`."""
    parts = (part.partition(":") for part in text.split())
    return {name: tuple(filter(None, sources.split(","))) for name, _, sources in parts}
