"""Placeholders of a channel's templates, each value escaped for its position."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from creditmesh.gateway.channels.exact_json import digits
from creditmesh.gateway.channels.rules import PLACEHOLDER
from creditmesh.kernel.charsets import encoder

Values = Mapping[str, Any]
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot represent (its production 2)."""


def text(template: str, values: Values) -> str:
    """Fill a template without escaping, for headers and form fields."""
    return _filled(template, values, str)


def path(template: str, values: Values, charset: str = "utf-8") -> str:
    """Fill a URL path; a value cannot leave its segment, so it changes neither host nor route (no request forgery).

    Values of only dots are refused earlier, see `fields`: they cannot be escaped.
    """
    return _filled(template, values, lambda value: quote(value, safe="", encoding=encoder(charset), errors="replace"))


def xml(template: str, values: Values) -> str:
    """Fill an XML document; values stay character data, without characters that XML forbids."""
    entities = {'"': "&quot;", "'": "&apos;"}
    return _filled(template, values, lambda value: escape(NOT_XML.sub("", value), entities))


def json_value(template: Any, values: Values) -> Any:
    """Fill a JSON template; a string that is one placeholder takes the value's own type."""
    if isinstance(template, dict):
        return {name: json_value(one, values) for name, one in template.items()}
    if isinstance(template, list):
        return [json_value(one, values) for one in template]
    if not isinstance(template, str):
        return template
    whole = PLACEHOLDER.fullmatch(template)
    return values.get(whole[1]) if whole else text(template, values)


def _filled(template: str, values: Values, escaped: Callable[[str], str]) -> str:
    return PLACEHOLDER.sub(lambda found: escaped(_word(values.get(found[1]))), template)


def _word(value: Any) -> str:
    if isinstance(value, Decimal):
        return digits(value)
    return "" if value is None else str(value)
