"""The catalogue in DynamoDB, partitioned by lender with an index over all, and the offers to applications."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from creditmesh.offers.model import Offer, Product
from creditmesh.platform.tables import Item, Put, Ref, Tables

CATALOGUE = "catalogue"


class ProductStore:
    """Stores and lists products."""

    def __init__(self, tables: Tables, table: str) -> None:
        self._tables, self._table = tables, table

    def put(self, product: Product) -> None:
        """Store a product, replacing its earlier terms."""
        item = {**product.model_dump(mode="json"), "catalogue": CATALOGUE}
        self._tables.write(Put(self._table, item, "lender_id", replace=True))

    def delete(self, lender_id: str, product_id: str) -> None:
        self._tables.delete(self._table, {"lender_id": lender_id, "product_id": product_id})

    def all(self) -> Iterator[Product]:
        """Every product, by lender and product id."""
        for item in self._tables.query(self._table, "catalogue", CATALOGUE, index="by-catalogue"):
            item.pop("catalogue")
            yield Product.model_validate(item)


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
