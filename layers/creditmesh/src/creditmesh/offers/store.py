"""The catalogue in DynamoDB, partitioned by lender with an index over all, and the offers to applications."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from creditmesh.kernel.errors import NotFound
from creditmesh.offers.model import Product, VersionState
from creditmesh.offers.offer import Offer
from creditmesh.platform.tables import Item, Put, Ref, Tables, Update, Write

CATALOGUE = "catalogue"
_PROPOSED = "proposed"
_GRADES = "grades"


class ProductStore:
    """Products by lender: the version in force under the product's id, every version under the id and its number."""

    def __init__(self, tables: Tables, table: str) -> None:
        self._tables, self._table = tables, table

    def add(self, product: Product, before: Product | None) -> None:
        """Store a new version, and put it in force unless it is only proposed.

        Args:
            before: the newest version until now; one that waits for a decision is superseded.

        Raises:
            ConditionFailed: there is that version, or `before` has been decided.
        """
        writes: list[Write] = [Put(self._table, _version_item(product), "product_id")]
        if product.state is VersionState.RELEASED:
            writes.append(self._in_force(product))
        if before and before.state in (VersionState.PROPOSED, VersionState.EXPIRED):
            state = VersionState.SUPERSEDED if before.state is VersionState.PROPOSED else VersionState.EXPIRED
            writes.append(self._moved(before, {"state": state.value}))
        self._tables.transact(writes, product.pushed_at)

    def decide(self, product: Product) -> None:
        """Record the decision on a proposed version, and put it in force if it is released.

        Raises:
            ConditionFailed: it has been decided or superseded.
        """
        item = _item(product)
        writes: list[Write] = [self._moved(product, {name: item[name] for name in ("state", "decision")})]
        if product.state is VersionState.RELEASED:
            writes.append(self._in_force(product))
        self._tables.transact(writes, product.decision.at if product.decision else "")

    def _in_force(self, product: Product) -> Put:
        return Put(self._table, {**_item(product), "catalogue": CATALOGUE}, "lender_id", replace=True)

    def _moved(self, product: Product, values: Mapping[str, Any]) -> Update:
        key = {"lender_id": product.lender_id, "product_id": _version_key(product.product_id, product.version)}
        waiting = {"state": VersionState.PROPOSED.value}
        return Update(self._table, key, values, remove=("catalogue",), where=waiting)

    def delete(self, lender_id: str, product_id: str) -> None:
        """Take a product out of the catalogue; its versions stay."""
        self._tables.delete(self._table, {"lender_id": lender_id, "product_id": product_id})

    def get(self, lender_id: str, product_id: str) -> Product | None:
        """The version in force, or None."""
        item = self._tables.get(self._table, {"lender_id": lender_id, "product_id": product_id})
        return _product(item) if item else None

    def version(self, lender_id: str, product_id: str, version: int) -> Product:
        """One version.

        Raises:
            NotFound: there is none.
        """
        key = {"lender_id": lender_id, "product_id": _version_key(product_id, version)}
        item = self._tables.get(self._table, key)
        if item is None:
            raise NotFound("no such version", field="version")
        return _product(item)

    def each(self, wanted: Sequence[tuple[str, str, int]]) -> list[Product]:
        """The existing ones of these versions, by lender, product and number."""
        keys = [{"lender_id": lender, "product_id": _version_key(name, version)} for lender, name, version in wanted]
        return [_product(item) for item in self._tables.batch_get(self._table, keys)]

    def versions(self, lender_id: str, product_id: str) -> Iterator[Product]:
        """Every version, newest first."""
        found = self._tables.query(
            self._table, "lender_id", lender_id, newest_first=True,
            between=("product_id", _version_key(product_id, 0), _version_key(product_id, 10**9 - 1)),
        )  # fmt: skip
        return map(_product, found)

    def all(self) -> Iterator[Product]:
        """Every product in force, by lender and product id."""
        return self._listed(CATALOGUE)

    def proposed(self) -> Iterator[Product]:
        """Every version that was proposed and not decided, by lender and product id."""
        return self._listed(_PROPOSED)

    def _listed(self, part: str) -> Iterator[Product]:
        return map(_product, self._tables.query(self._table, "catalogue", part, index="by-catalogue"))


def _item(product: Product) -> Item:
    return product.model_dump(mode="json", exclude_none=True)


def _version_item(product: Product) -> Item:
    listed = {"catalogue": _PROPOSED} if product.state is VersionState.PROPOSED else {}
    return {
        **_item(product), "product_id": _version_key(product.product_id, product.version), "of": product.product_id,
        **listed,
    }  # fmt: skip


def _version_key(product_id: str, version: int) -> str:
    return f"{product_id}#{version:09d}"


def _product(item: Item) -> Product:
    product_id = item.get("of", item["product_id"])
    plain = {name: value for name, value in item.items() if name not in ("catalogue", "of")}
    return Product.model_validate({**plain, "product_id": product_id})


class GradeStore:
    """Lenders' grades, an item of each lender beside its products; their ids have no `#`."""

    def __init__(self, tables: Tables, table: str) -> None:
        self._tables, self._table = tables, table

    def all(self) -> dict[str, Item]:
        """Grades and proposals by lender."""
        found = self._tables.query(self._table, "catalogue", _GRADES, index="by-catalogue")
        return {item["lender_id"]: item for item in found}

    def get(self, lender_id: str) -> Item | None:
        return self._tables.get(self._table, self._key(lender_id))

    def propose(self, lender_id: str, proposal: Mapping[str, Any], before: Item | None) -> None:
        """Store a proposal in place of one of `before` that has expired.

        Raises:
            ConditionFailed: another was stored meanwhile.
        """
        expired = (before or {}).get("proposal")
        where = {"proposal.at": expired["at"]} if expired else {}
        self._tables.write(
            Update(
                self._table, self._key(lender_id), {"proposal": proposal, "catalogue": _GRADES}, where=where,
                absent=() if expired else ("proposal",), creates=True,
            )
        )  # fmt: skip

    def decide(self, lender_id: str, history: Sequence[Mapping[str, Any]], proposed_at: str) -> None:
        """Store the history after a decision, which ends the proposal.

        Raises:
            ConditionFailed: it was decided meanwhile.
        """
        self._tables.write(
            Update(
                self._table, self._key(lender_id), {"history": history}, remove=("proposal",),
                where={"proposal.at": proposed_at},
            )
        )  # fmt: skip

    @staticmethod
    def _key(lender_id: str) -> dict[str, str]:
        return {"lender_id": lender_id, "product_id": "#grades"}


class OfferStore:
    """The offers of each application.

    Stored in an item of their own: an application's item is written a dozen times, and each write is billed by item
    size.
    """

    def __init__(self, tables: Tables, table: str) -> None:
        self._tables, self._table = tables, table

    def put(self, application_id: str, offers: Sequence[Offer], matching: Mapping[str, Any]) -> Put:
        """The write of an application's offers, best first, and what they rest on, replacing earlier ones."""
        text = json.dumps([offer.model_dump(mode="json") for offer in offers], ensure_ascii=False)
        item = {"application_id": application_id, "offers": text, "matching": json.dumps(matching)}
        return Put(self._table, item, "application_id", replace=True)

    def recorded(self, application_id: str) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        """The stored offers as they are, and what they rest on; None if that was not kept."""
        item = self._tables.get(self._table, {"application_id": application_id}) or {}
        return json.loads(item.get("offers", "[]")), json.loads(item.get("matching", "null"))

    def ref(self, application_id: str) -> Ref:
        """The item of an application's offers."""
        return Ref(self._table, {"application_id": application_id})

    @staticmethod
    def read_as(item: Item | None) -> list[Offer]:
        """Convert an item read by `ref`; empty if there are no offers yet."""
        return [Offer.model_validate(offer) for offer in json.loads(item["offers"])] if item else []
