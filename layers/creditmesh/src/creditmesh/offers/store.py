"""The catalogue in DynamoDB, partitioned by lender with an index over all, and the offers to applications."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from creditmesh.kernel.errors import NotFound
from creditmesh.offers.matching import Offer
from creditmesh.offers.model import Product
from creditmesh.platform.tables import Item, Put, Ref, Tables

CATALOGUE = "catalogue"


class ProductStore:
    """Products by lender: the version in force under the product's id, every version under the id and its number."""

    def __init__(self, tables: Tables, table: str) -> None:
        self._tables, self._table = tables, table

    def put(self, product: Product) -> None:
        """Store a new version and put it in force.

        Raises:
            ConditionFailed: there is that version.
        """
        item = product.model_dump(mode="json", exclude_none=True)
        version = {**item, "product_id": _version_key(product.product_id, product.version), "of": product.product_id}
        current = Put(self._table, {**item, "catalogue": CATALOGUE}, "lender_id", replace=True)
        self._tables.transact([Put(self._table, version, "product_id"), current], product.pushed_at)

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

    def versions(self, lender_id: str, product_id: str) -> Iterator[Product]:
        """Every version, newest first."""
        found = self._tables.query(
            self._table, "lender_id", lender_id, newest_first=True,
            between=("product_id", _version_key(product_id, 0), _version_key(product_id, 10**9 - 1)),
        )  # fmt: skip
        return map(_product, found)

    def all(self) -> Iterator[Product]:
        """Every product in force, by lender and product id."""
        return map(_product, self._tables.query(self._table, "catalogue", CATALOGUE, index="by-catalogue"))


def _version_key(product_id: str, version: int) -> str:
    return f"{product_id}#{version:09d}"


def _product(item: Item) -> Product:
    product_id = item.get("of", item["product_id"])
    plain = {name: value for name, value in item.items() if name not in ("catalogue", "of")}
    return Product.model_validate({**plain, "product_id": product_id})


class OfferStore:
    """The offers of each application.

    Stored in an item of their own: an application's item is written a dozen times, and each write is billed by item
    size.
    """

    def __init__(self, table: str) -> None:
        self._table = table

    def put(self, application_id: str, offers: Sequence[Offer]) -> Put:
        """The write of an application's offers, best first, replacing earlier ones."""
        text = json.dumps([offer.model_dump(mode="json") for offer in offers], ensure_ascii=False)
        return Put(self._table, {"application_id": application_id, "offers": text}, "application_id", replace=True)

    def ref(self, application_id: str) -> Ref:
        """The item of an application's offers."""
        return Ref(self._table, {"application_id": application_id})

    @staticmethod
    def read_as(item: Item | None) -> list[Offer]:
        """Convert an item read by `ref`; empty if there are no offers yet."""
        return [Offer.model_validate(offer) for offer in json.loads(item["offers"])] if item else []
