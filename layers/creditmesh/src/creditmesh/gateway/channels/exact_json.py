"""JSON of sources: exact numbers, each key once, nothing but Unicode characters."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

MOST_DIGITS = 100
"""Of a number with a point or an exponent, before and after the point."""
HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""The escape of a surrogate; a pair of them is one character."""
_ESCAPED = re.compile(rf"{HALF_CHARACTER.pattern}|\\u0000")
_STORABLE = re.compile("[^\x00\ud800-\udfff]*")


FAULTS = {
    "key_twice": "has an object with a key twice",
    "not_text": "has text that is not Unicode, or a NUL",
    "number_out_of_range": "has a number out of range",
}


class NotExact(ValueError):
    """A JSON text that readers understand differently, or that cannot be stored; `fault` is one of `FAULTS`."""

    def __init__(self, fault: str) -> None:
        super().__init__(FAULTS[fault])
        self.fault = fault
        self.parameters: dict[str, Any] = {}


def parsed(text: str) -> Any:
    """The value of a JSON text; numbers are `int` or `Decimal`.

    Raises:
        NotExact: see the class.
        ValueError: not JSON.
        RecursionError: nested too deeply.
    """
    value = json.loads(text, parse_float=number, parse_constant=_refuse_constant, object_pairs_hook=_object)
    if _ESCAPED.search(text) and not _is_storable(value):
        raise NotExact("not_text")
    return value


def number(text: str) -> Decimal:
    """A JSON number with a point or an exponent.

    Raises:
        NotExact: out of range.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise NotExact("number_out_of_range") from None
    if int(value.as_tuple().exponent) < -MOST_DIGITS or value.adjusted() >= MOST_DIGITS:
        raise NotExact("number_out_of_range")
    return value


def digits(value: Any) -> str:
    """A decimal in digits, without an exponent.

    Raises:
        TypeError: not a decimal.
    """
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not of JSON")
    return format(value, "f")


def dumped(value: Any) -> str:
    """A value as JSON, decimals as numbers with all digits."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{dumped(name)}:{dumped(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumped, value)) + "]"
    return digits(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise NotExact("key_twice")
    return made


def _refuse_constant(_: str) -> Any:
    raise ValueError("NaN and infinities are not JSON")


def _is_storable(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_storable(name) and _is_storable(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(map(_is_storable, value))
    return not isinstance(value, str) or _STORABLE.fullmatch(value) is not None
