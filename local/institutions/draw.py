"""Reproducible randomness: the same key gives the same draws on every machine and Python.

Only ``random()`` of the Mersenne Twister is used (its sequence is guaranteed) and only + − × ÷ on floats (IEEE 754
fixes their results); ``exp``, ``pow`` and ``gauss`` may differ in the last bit between C libraries.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """A stream of draws that depends on its key only."""

    def __init__(self, *key: int | str) -> None:
        self._random = Random(":".join(str(part) for part in key))

    def unit(self) -> float:
        """Uniform in [0, 1)."""
        return self._random.random()

    def normal(self) -> float:
        """Approximately standard normal: the sum of twelve uniforms minus six; within ±6."""
        return sum(self._random.random() for _ in range(12)) - 6.0

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def whole(self, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``, inclusive."""
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self._random.random() * len(items))]


def clamp(value: float, low: float, high: float) -> float:
    """``value`` held between ``low`` and ``high``."""
    return max(low, min(high, value))


def power(base: float, exponent: int) -> float:
    """``base`` to an integer exponent by multiplication; the same result everywhere."""
    result = 1.0
    for _ in range(abs(exponent)):
        result *= base
    return result if exponent >= 0 else 1.0 / result
