"""How long lenders take from the borrower's choice to the payment, counted by product in whole hours.

The counters change in the transaction that accepts the payment, so each payment counts once, whatever is retried.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.clock import Clock, parse_instant
from creditmesh.platform.tables import Item, Tables, Update

MEASURED_FROM = 20
"""Payments; with fewer, the promised hours count."""
_MOST_HOURS = 8_784
"""A year; what took longer counts as this."""
_HOURS = "hours"
_PREFIX = "h"
_HOUR = timedelta(hours=1)


class Speed(BaseModel):
    """What a product's payments took."""

    model_config = ConfigDict(frozen=True)

    payments: int = Field(description="measured so far")
    measured_hours: int | None = Field(description="within which 90 % were paid; null until 20 are measured")
    hours: dict[str, int] = Field(description="whole hours, rounded up -> payments that took so long")

    @classmethod
    def of(cls, hours: Mapping[int, int]) -> Speed:
        payments = sum(hours.values())
        measured = _percentile(hours, payments) if payments >= MEASURED_FROM else None
        return cls(payments=payments, measured_hours=measured, hours={str(hour): hours[hour] for hour in sorted(hours)})


def _percentile(hours: Mapping[int, int], payments: int) -> int:
    """The 90th percentile by nearest rank."""
    rank, seen = -(-payments * 9 // 10), 0
    for hour in sorted(hours):
        seen += hours[hour]
        if seen >= rank:
            return hour
    raise ValueError("no payments")


class Speeds:
    """Counters of hours, an item of each product beside it."""

    def __init__(self, tables: Tables, table: str, clock: Clock) -> None:
        self._tables, self._table, self._clock = tables, table, clock

    def measuring(self, lender_id: str, product_id: str, *, chosen_at: str, signed_at: str, paid_at: str) -> Update:
        """The write that counts a payment, for the transaction that accepts it.

        Args:
            paid_at: as the lender reports it; not believed before the signature nor after now.
        """
        latest = max(parse_instant(signed_at), min(parse_instant(paid_at), self._clock.now()))
        hours = min(_MOST_HOURS, max(0, -(-(latest - parse_instant(chosen_at)) // _HOUR)))
        return Update(
            self._table, _key(lender_id, product_id), {"catalogue": _HOURS, "of": product_id},
            add={f"{_PREFIX}{hours}": 1}, creates=True,
        )  # fmt: skip

    def of(self, lender_id: str, product_id: str) -> Speed:
        return _speed(self._tables.get(self._table, _key(lender_id, product_id)) or {})

    def measured(self) -> dict[tuple[str, str], int]:
        """The measured hours of the products that have enough payments, by lender and product."""
        found = self._tables.query(self._table, "catalogue", _HOURS, index="by-catalogue")
        speeds = {(item["lender_id"], item["of"]): _speed(item).measured_hours for item in found}
        return {product: hours for product, hours in speeds.items() if hours is not None}


def _speed(item: Item) -> Speed:
    counts = {name[1:]: count for name, count in item.items() if name.startswith(_PREFIX)}
    return Speed.of({int(hour): count for hour, count in counts.items()})


def _key(lender_id: str, product_id: str) -> dict[str, str]:
    return {"lender_id": lender_id, "product_id": f"{product_id}#{_HOURS}"}
