"""What firms owe and are promised here, so that no limit and no product's capacity is promised twice.

A commitment is made with the borrower's choice, in its transaction. It ends with the application: released without a
loan, else outstanding with what was paid. Sums are counters under conditions; each commitment counts once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from creditmesh.kernel.errors import Conflict
from creditmesh.kernel.money import Money, format_minor
from creditmesh.platform.tables import Item, Put, Tables, Update, Write, again

if TYPE_CHECKING:
    from creditmesh.offers.model import Product
    from creditmesh.platform.blind_index import BlindIndex

FIRM = "taxpayer_id"
_USED = "used_minor"


class State(StrEnum):
    """State of a commitment."""

    COMMITTED = "committed"
    OUTSTANDING = "outstanding"
    RELEASED = "released"


class LimitExhausted(Conflict):
    """The firm's limit is taken by other loans and choices; the message says what is left."""

    code = "limit_exhausted"


class CapacityExhausted(Conflict):
    """The product's capacity is taken by other choices."""

    code = "capacity_exhausted"


@dataclass(frozen=True)
class Commitment:
    """A choice whose amount is to be committed.

    Args:
        limit_minor: the firm's limit by this application's decision.
        capacities: holder of a product's capacity -> its size in minor units; see `capacities_of`.
    """

    application_id: str
    taxpayer_id: str
    amount_minor: int
    limit_minor: int
    capacities: Mapping[str, int]


def capacities_of(product: Product, month: str) -> dict[str, int]:
    """The counters of a product's capacity and their sizes: of a month's choices, and of all loans not repaid."""
    sizes = {"": product.capacity, month: product.monthly_capacity}
    return {
        f"product#{product.lender_id}#{product.product_id}#{period}": Money.parse(size, product.currency).minor
        for period, size in sizes.items()
        if size is not None
    }


class Exposures:
    """Commitments and outstanding principal by firm and product."""

    def __init__(self, tables: Tables, table: str, index: BlindIndex) -> None:
        self._tables, self._table, self._index = tables, table, index

    def used(self, taxpayer_id: str) -> int:
        """What a firm owes and is promised, in minor units."""
        return sum(_used(item) for item in self._firm(taxpayer_id).values())

    def left(self, products: Sequence[Product], month: str) -> dict[tuple[str, str], int]:
        """What is left of the capacities of products that have one, in minor units, by lender and product.

        Args:
            month: `2026-11`.
        """
        sizes = {
            (product.lender_id, product.product_id): capacities_of(product, month) for product in products
        }  # fmt: skip
        holders = [holder for capacities in sizes.values() for holder in capacities]
        found = self._tables.batch_get(self._table, [_key(holder) for holder in holders])
        used = {item["holder"]: _used(item) for item in found}
        return {
            product: min(size - used.get(holder, 0) for holder, size in capacities.items())
            for product, capacities in sizes.items()
            if capacities
        }

    def commitment(self, application_id: str) -> Item | None:
        return self._tables.get(self._table, _key(_commitment(application_id)))

    def committing(self, commitment: Commitment) -> list[Write]:
        """The writes that commit a choice, for its transaction; see `refused` for their failure.

        Raises:
            LimitExhausted: there is not enough left even now.
        """
        holder = self._current(commitment.taxpayer_id)
        others = {one: _used(item) for one, item in self._firm(commitment.taxpayer_id).items() if one != holder}
        elsewhere = sum(others.values())
        left = commitment.limit_minor - elsewhere - commitment.amount_minor
        if left < 0:
            raise _exhausted(LimitExhausted, commitment.limit_minor - elsewhere)
        counters = {
            holder: left,
            **{one: size - commitment.amount_minor for one, size in commitment.capacities.items()},
        }
        item = {
            "holder": _commitment(commitment.application_id), "state": State.COMMITTED.value,
            "amount_minor": commitment.amount_minor, "counters": list(counters),
        }  # fmt: skip
        return [
            Put(self._table, item, "holder"),
            *(self._add(one, commitment.amount_minor, most) for one, most in counters.items()),
            *(self._add(one, 0, most) for one, most in others.items()),  # must not have grown
        ]

    def refused(self, commitment: Commitment) -> None:
        """Say why a commitment's transaction failed.

        Raises:
            LimitExhausted, CapacityExhausted: it is one of these; else nothing.
        """
        if self.commitment(commitment.application_id):  # made by the same choice, sent twice at once
            return
        used = self.used(commitment.taxpayer_id)
        if used + commitment.amount_minor > commitment.limit_minor:
            raise _exhausted(LimitExhausted, commitment.limit_minor - used)
        for holder, size in commitment.capacities.items():
            taken = _used(self._tables.get(self._table, _key(holder)))
            if taken + commitment.amount_minor > size:
                raise _exhausted(CapacityExhausted, size - taken)

    def settle(self, application_id: str, paid_minor: int | None) -> bool:
        """End a commitment; idempotent.

        Args:
            paid_minor: what was paid out; None if the application ended without a loan.

        Returns:
            Whether this call ended it.
        """
        return again(lambda: self._settled(application_id, paid_minor))

    def _settled(self, application_id: str, paid_minor: int | None) -> bool:
        commitment = self.commitment(application_id)
        if commitment is None or commitment["state"] != State.COMMITTED:
            return False
        state = State.RELEASED if paid_minor is None else State.OUTSTANDING
        change = (paid_minor or 0) - int(commitment["amount_minor"])
        ended = Update(
            self._table, _key(commitment["holder"]), {"state": state.value, "amount_minor": paid_minor or 0},
            where={"state": State.COMMITTED.value, "counters": commitment["counters"]},
        )  # fmt: skip
        counters: Sequence[Update] = [self._add(one, change) for one in commitment["counters"]] if change else []
        self._tables.transact([ended, *counters], application_id)
        return True

    def rekey(self, application_id: str, taxpayer_id: str) -> int:
        """Count a commitment under the current index of its firm; returns 1 if it was under an earlier one, else 0."""
        return again(lambda: self._rekeyed(application_id, taxpayer_id))

    def _rekeyed(self, application_id: str, taxpayer_id: str) -> int:
        commitment, current = self.commitment(application_id), self._current(taxpayer_id)
        counters = commitment["counters"] if commitment else []
        earlier = next((one for one in counters if one in self._holders(taxpayer_id) and one != current), None)
        if commitment is None or earlier is None:
            return 0
        moved = Update(
            self._table, _key(commitment["holder"]),
            {"counters": [current if one == earlier else one for one in counters]},
            where={"state": commitment["state"], "counters": counters},
        )  # fmt: skip
        amount = int(commitment["amount_minor"])
        self._tables.transact([moved, self._add(earlier, -amount), self._add(current, amount)], application_id)
        return 1

    def _current(self, taxpayer_id: str) -> str:
        return _firm_holder(self._index.of(FIRM, taxpayer_id))

    def _holders(self, taxpayer_id: str) -> list[str]:
        return [_firm_holder(index) for index in self._index.each(FIRM, taxpayer_id)]

    def _firm(self, taxpayer_id: str) -> dict[str, Item | None]:
        """A firm's counters; two while the index key is rotated."""
        return {holder: self._tables.get(self._table, _key(holder)) for holder in self._holders(taxpayer_id)}

    def _add(self, holder: str, amount: int, most: int | None = None) -> Update:
        at_most = {} if most is None else {_USED: most}
        return Update(self._table, _key(holder), add={_USED: amount}, at_most=at_most, creates=True)


def _exhausted(kind: type[Conflict], left: int) -> Conflict:
    return kind("{left} is left", left=format_minor(max(0, left)))


def _used(item: Item | None) -> int:
    return int(item[_USED]) if item else 0


def _key(holder: str) -> dict[str, str]:
    return {"holder": holder}


def _commitment(application_id: str) -> str:
    return f"application#{application_id}"


def _firm_holder(index: str) -> str:
    return f"firm#{index}"
