"""What firms and groups owe and are promised here, so that no limit and no product's capacity is promised twice.

A commitment is made with the borrower's choice, in its transaction. It ends with the application: released without a
loan, else outstanding with what was paid. Sums are counters under conditions; each commitment counts once.
A group are the firms of one legal representative: together they may owe the largest limit among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from creditmesh.kernel.errors import Conflict
from creditmesh.kernel.money import Money, format_minor
from creditmesh.platform.tables import Delete, Item, Put, Step, Tables, Update, Write, again

if TYPE_CHECKING:
    from creditmesh.offers.model import Product
    from creditmesh.platform.blind_index import BlindIndex

FIRM = "taxpayer_id"
GROUP = "legal_representative"
_HOLDERS = {FIRM: "firm", GROUP: "group"}
_LIMIT = "limit_"
"""Of a group's item: prefix of its firms' limits, each under the firm's index."""
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
class Borrower:
    """A firm and, where its registry names one, the key of its legal representative."""

    taxpayer_id: str = field(repr=False)
    representative: str | None = field(default=None, repr=False)

    @property
    def identities(self) -> dict[str, str]:
        """Kind of index -> value."""
        known = {FIRM: self.taxpayer_id, GROUP: self.representative}
        return {kind: value for kind, value in known.items() if value is not None}


@dataclass(frozen=True)
class Commitment:
    """A choice whose amount is to be committed.

    Args:
        limit_minor: the firm's limit by this application's decision.
        capacities: holder of a product's capacity -> its size in minor units; see `capacities_of`.
    """

    application_id: str
    borrower: Borrower
    amount_minor: int
    limit_minor: int
    capacities: Mapping[str, int]


@dataclass(frozen=True)
class _Bound:
    """The counter of a firm or a group, and what bounds it.

    Args:
        holder: the counter under the current index key.
        others: used amounts of counters under other keys, while the key is rotated.
        own: the firm's limit among the group's, to be stored with the counter.
        rests_on: holder -> limits of other firms that must not have changed.
    """

    holder: str
    limit_minor: int
    used_minor: int
    others: Mapping[str, int]
    own: Mapping[str, int] = field(default_factory=dict)
    rests_on: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def most(self) -> int:
        """That the counter may come to."""
        return self.limit_minor - sum(self.others.values())

    @property
    def left(self) -> int:
        return self.most - self.used_minor


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
        return sum(map(_used, self._items(FIRM, taxpayer_id).values()))

    def available(self, borrower: Borrower, limit_minor: int) -> int:
        """What is left of a firm's limit, and of the largest limit of its group, in minor units; may be negative."""
        return min(bound.left for bound in self._bounds(borrower, limit_minor))

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
            LimitExhausted: under the earlier index key alone there is too much.
        """
        bounds, amount = self._bounds(commitment.borrower, commitment.limit_minor), commitment.amount_minor
        # What is used under the current key is the transaction's matter: the same choice may have been made meanwhile.
        if (left := min(bound.most for bound in bounds)) < amount:
            raise _exhausted(LimitExhausted, left)
        item = {
            "holder": _commitment(commitment.application_id), "state": State.COMMITTED.value, "amount_minor": amount,
            "limit_minor": commitment.limit_minor,
            "counters": [*(bound.holder for bound in bounds), *commitment.capacities],
        }  # fmt: skip
        writes: list[Write] = [Put(self._table, item, "holder")]
        for bound in bounds:
            where = bound.rests_on.get(bound.holder, {})
            writes.append(replace(self._add(bound.holder, amount, bound.most - amount), set=bound.own, where=where))
            writes += [  # must not have grown
                replace(self._add(one, 0, most), where=bound.rests_on.get(one, {}))
                for one, most in bound.others.items()
            ]
        return [*writes, *(self._add(one, amount, size - amount) for one, size in commitment.capacities.items())]

    def releasing(self, application_id: str) -> list[Step]:
        """The writes that take a commitment back before the application ends, for its transaction."""
        commitment = self.commitment(application_id)
        if commitment is None or commitment["state"] != State.COMMITTED:
            return []
        unchanged = {"state": State.COMMITTED.value, "counters": commitment["counters"]}
        amount = int(commitment["amount_minor"])
        return [
            Delete(self._table, _key(commitment["holder"]), where=unchanged),
            *(self._add(one, -amount) for one in commitment["counters"]),
        ]

    def refused(self, commitment: Commitment) -> None:
        """Say why a commitment's transaction failed.

        Raises:
            LimitExhausted, CapacityExhausted: it is one of these; else nothing.
        """
        if self.commitment(commitment.application_id):  # made by the same choice, sent twice at once
            return
        left = self.available(commitment.borrower, commitment.limit_minor)
        if left < commitment.amount_minor:
            raise _exhausted(LimitExhausted, left)
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

    def rekey(self, application_id: str, borrower: Borrower) -> int:
        """Count a commitment under the current indexes; returns 1 if it was under an earlier one, else 0."""
        return again(lambda: self._rekeyed(application_id, borrower))

    def _rekeyed(self, application_id: str, borrower: Borrower) -> int:
        commitment = self.commitment(application_id)
        if commitment is None:
            return 0
        counters: list[str] = commitment["counters"]
        moves: dict[str, Update] = {}
        amount = int(commitment["amount_minor"])
        for kind, value in borrower.identities.items():
            earlier = set(self._holders(kind, value)) - {current := self._current(kind, value)}
            own = self._own(borrower, int(commitment["limit_minor"])) if kind == GROUP else {}
            moves |= {one: replace(self._add(current, amount), set=own) for one in counters if one in earlier}
        if not moves:
            return 0
        moved = Update(
            self._table, _key(commitment["holder"]),
            {"counters": [moves[one].key["holder"] if one in moves else one for one in counters]},
            where={"state": commitment["state"], "counters": counters},
        )  # fmt: skip
        away = [self._add(one, -amount) for one in moves]
        self._tables.transact([moved, *away, *moves.values()], application_id)
        return 1

    def _bounds(self, borrower: Borrower, limit_minor: int) -> list[_Bound]:
        """The firm's bound, and its group's."""
        return [
            self._bound(kind, value, borrower, limit_minor) for kind, value in borrower.identities.items()
        ]  # fmt: skip

    def _bound(self, kind: str, value: str, borrower: Borrower, limit_minor: int) -> _Bound:
        holder, items = self._current(kind, value), self._items(kind, value)
        used = {one: _used(item) for one, item in items.items()}
        bound = _Bound(holder, limit_minor, used.pop(holder, 0), used)
        if kind == FIRM:
            return bound
        mine = {_limit_of(index) for index in self._index.each(FIRM, borrower.taxpayer_id)}
        limits = [
            (int(limit), one, name)
            for one, item in items.items()
            for name, limit in (item or {}).items()
            if name.startswith(_LIMIT) and name not in mine
        ]
        own = self._own(borrower, limit_minor)
        largest, where, name = max(limits, default=(0, "", ""))
        if largest <= limit_minor:
            return replace(bound, own=own)
        return replace(bound, limit_minor=largest, own=own, rests_on={where: {name: largest}})

    def _own(self, borrower: Borrower, limit_minor: int) -> dict[str, int]:
        return {_limit_of(self._index.of(FIRM, borrower.taxpayer_id)): limit_minor}

    def _current(self, kind: str, value: str) -> str:
        return _holder(kind, self._index.of(kind, value))

    def _holders(self, kind: str, value: str) -> list[str]:
        return [_holder(kind, index) for index in self._index.each(kind, value)]

    def _items(self, kind: str, value: str) -> dict[str, Item | None]:
        """The counters of a firm or group; two while the index key is rotated."""
        return {holder: self._tables.get(self._table, _key(holder)) for holder in self._holders(kind, value)}

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


def _holder(kind: str, index: str) -> str:
    return f"{_HOLDERS[kind]}#{index}"


def _limit_of(index: str) -> str:
    """The attribute of a firm's limit; a dot would be a path into a map."""
    return _LIMIT + index.replace(".", "_")
