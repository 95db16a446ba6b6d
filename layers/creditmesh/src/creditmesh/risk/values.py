"""Conversion of input values: numbers become 64-bit integers, other types stay."""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Decimal

from creditmesh.risk.document import INT64_MAX, INT64_MIN, encodable
from creditmesh.risk.errors import FeatureInvalid
from creditmesh.risk.expression import FeatureType, FeatureValue


def typed_value(name: str, kind: FeatureType, value: object) -> FeatureValue:
    """Return ``value`` as a feature of type ``kind``; None is unknown.

    An integer feature takes any number: NaN and infinities are unknown, others are rounded down and clipped to 64 bits.
    `creditmesh.risk.bulk` does the same with columns.

    Raises:
        FeatureInvalid: the value has another type or is not valid text.
    """
    if value is None:
        return None
    if type(value) is int and kind == "integer" and INT64_MIN <= value <= INT64_MAX:
        return value
    if kind == "integer" and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _whole(value)
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "string" and isinstance(value, str):
        if encodable(value):
            return value
        raise FeatureInvalid(name, "must be valid text")
    raise FeatureInvalid(name, f"must be of type {kind}")


def unusable(value: object) -> bool:
    """Whether ``value`` is NaN or infinite."""
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, Decimal) and not value.is_finite()


def _whole(value: int | float | Decimal) -> int | None:
    if unusable(value):
        return None
    if value >= INT64_MAX:  # before rounding, as a decimal's exponent may be huge
        return INT64_MAX
    if value <= INT64_MIN:
        return INT64_MIN
    return int(value.to_integral_value(ROUND_FLOOR)) if isinstance(value, Decimal) else math.floor(value)
