"""Wires the context of offers."""

from __future__ import annotations

from creditmesh.offers.service import Offers
from creditmesh.offers.store import OfferStore, ProductStore
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.settings import settings


@singleton
def offers() -> Offers:
    from creditmesh.intake.bootstrap import applications

    own = platform()
    stores = ProductStore(own.tables, settings().products_table), OfferStore(settings().offers_table)
    return Offers(*stores, applications(), own.tasks, own.waits, own.clock, lambda: own.addresses.of_kind("lender"))
