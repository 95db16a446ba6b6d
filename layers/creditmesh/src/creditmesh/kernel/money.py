"""Exact money: an integer of minor units and a currency."""

from __future__ import annotations

import re
from dataclasses import dataclass

from creditmesh.kernel.errors import InvalidInput

MINOR_UNITS = {"CNY": 2, "EUR": 2, "USD": 2}
MAX_MINOR = 10**15
_AMOUNT = re.compile(r"(?P<whole>0|[1-9][0-9]{0,14})\.(?P<cents>[0-9]{2})", re.ASCII)


@dataclass(frozen=True, order=True)
class Money:
    """An amount that is never negative and never a float."""

    minor: int
    """Minor units (fen, cents), 0 to 10^15."""
    currency: str
    """ISO 4217 code that the platform serves."""

    def __post_init__(self) -> None:
        if self.currency not in MINOR_UNITS:
            raise InvalidInput(
                "must be one of {allowed}", field="currency", fault="not_allowed", allowed=list(MINOR_UNITS)
            )
        if not 0 <= self.minor <= MAX_MINOR:
            raise InvalidInput("must be between 0.00 and 10000000000000.00", field="amount", fault="out_of_range")

    @classmethod
    def parse(cls, amount: str, currency: str, *, field: str = "amount") -> Money:
        """Parse an amount of the API: digits, a point, exactly two decimals.

        Raises:
            InvalidInput: names `field`.
        """
        match = _AMOUNT.fullmatch(amount)
        if not match:
            raise InvalidInput(
                'must be a decimal string with exactly two decimals, like "100000.00"',
                field=field,
                fault="not_an_amount",
            )
        minor = int(match["whole"]) * 100 + int(match["cents"])
        if minor > MAX_MINOR:
            raise InvalidInput("must be at most {max}", field=field, fault="too_large", max="10000000000000.00")
        return cls(minor, currency)

    def __str__(self) -> str:
        return f"{self.minor // 100}.{self.minor % 100:02d}"


def format_minor(minor: int) -> str:
    """Minor units as a decimal string; the inverse of `Money.parse`, also for negative amounts of a report."""
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100}.{abs(minor) % 100:02d}"
