"""Wires the context of offers."""

from __future__ import annotations

from creditmesh.offers.exposure import Exposures
from creditmesh.offers.lenders import Lenders
from creditmesh.offers.products import Products
from creditmesh.offers.service import Offers
from creditmesh.offers.speed import Speeds
from creditmesh.offers.store import GradeStore, OfferStore, ProductStore
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.country import country_of
from creditmesh.platform.settings import settings


@singleton
def exposures() -> Exposures:
    return Exposures(platform().tables, settings().exposures_table, platform().blind_index)


@singleton
def speeds() -> Speeds:
    return Speeds(platform().tables, settings().products_table, platform().clock)


@singleton
def products() -> Products:
    own, names = platform(), settings()
    store = ProductStore(own.tables, names.products_table)
    return Products(
        store, exposures(), speeds(), own.clock, lambda: own.addresses.of("lender"), country_of(names.country)
    )  # fmt: skip


@singleton
def lenders() -> Lenders:
    own = platform()
    store = GradeStore(own.tables, settings().products_table)
    return Lenders(store, own.clock, lambda: own.addresses.of("lender"))


@singleton
def offers() -> Offers:
    from creditmesh.gateway.store import KeyDataStore
    from creditmesh.intake.bootstrap import applications

    own, names = platform(), settings()
    evidence = KeyDataStore(own.data)
    return Offers(
        products(), OfferStore(names.offers_table), exposures(), applications(), own.tasks, own.waits, own.clock,
        lambda key: evidence.get(key).features, country_of(names.country),
    )  # fmt: skip
