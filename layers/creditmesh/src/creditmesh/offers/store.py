"""The catalogue in DynamoDB: a partition per lender, an index over all."""

from __future__ import annotations

from collections.abc import Iterator

from creditmesh.offers.model import Product
from creditmesh.platform.tables import Put, Tables

CATALOGUE = "catalogue"


class ProductStore:
    """Stores and lists products."""

    def __init__(self, tables: Tables, table: str) -> None:
        self._tables, self._table = tables, table

    def put(self, product: Product) -> None:
        """Store a product; the lender's newest word counts."""
        item = {**product.model_dump(mode="json"), "catalogue": CATALOGUE}
        self._tables.write(Put(self._table, item, "lender_id", replace=True))

    def delete(self, lender_id: str, product_id: str) -> None:
        """Take a product out of the catalogue."""
        self._tables.delete(self._table, {"lender_id": lender_id, "product_id": product_id})

    def all(self) -> Iterator[Product]:
        """Every product, by lender and product id."""
        for item in self._tables.query(self._table, "catalogue", CATALOGUE, index="by-catalogue"):
            item.pop("catalogue")
            yield Product.model_validate(item)
