"""Wires the context of offers."""

from __future__ import annotations

from creditmesh.offers.exposure import Exposures
from creditmesh.offers.service import Offers
from creditmesh.offers.store import OfferStore, ProductStore
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.country import country_of
from creditmesh.platform.settings import settings


@singleton
def exposures() -> Exposures:
    return Exposures(platform().tables, settings().exposures_table, platform().blind_index)


@singleton
def offers() -> Offers:
    from creditmesh.gateway.store import KeyDataStore
    from creditmesh.intake.bootstrap import applications

    own, names = platform(), settings()
    stores = ProductStore(own.tables, names.products_table), OfferStore(names.offers_table)
    evidence = KeyDataStore(own.data)
    return Offers(
        *stores, exposures(), applications(), own.tasks, own.waits, own.clock,
        lambda: own.addresses.of_kind("lender"), lambda key: evidence.get(key).features, country_of(names.country),
    )  # fmt: skip
