"""Wires the context of offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from creditmesh.offers.exposure import Exposures
from creditmesh.offers.lenders import Lenders
from creditmesh.offers.products import Products
from creditmesh.offers.replay import Matchings
from creditmesh.offers.service import Offers
from creditmesh.offers.speed import Speeds
from creditmesh.offers.store import GradeStore, OfferStore, ProductStore
from creditmesh.platform.bootstrap import platform, singleton
from creditmesh.platform.country import country_of
from creditmesh.platform.settings import settings

if TYPE_CHECKING:
    from creditmesh.risk.expression import FeatureValue


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


def _features(key: str) -> Mapping[str, FeatureValue]:
    from creditmesh.gateway.store import KeyDataStore

    return KeyDataStore(platform().data).get(key).features


def _offer_store() -> OfferStore:
    return OfferStore(platform().tables, settings().offers_table)


@singleton
def matchings() -> Matchings:
    own = platform()
    store = ProductStore(own.tables, settings().products_table)
    return Matchings(own.data, store, _offer_store(), _features)


@singleton
def offers() -> Offers:
    from creditmesh.intake.bootstrap import applications

    own = platform()
    return Offers(
        products(), _offer_store(), exposures(), matchings(), applications(), own.tasks, own.waits, own.clock,
        _features, country_of(settings().country),
    )  # fmt: skip
