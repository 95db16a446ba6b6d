"""Matchings can be replayed: what one rested on is kept, and matching it again gives the same offers to the bit.

The catalogue's state (versions, what is left of capacities, measured hours) is stored once for all applications that
were matched against it, under its hash; need and weights stand with the offers. Versions never change, and the firm's
features are in its key data.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from creditmesh.intake.model import Application
from creditmesh.kernel.errors import Conflict, NotFound
from creditmesh.offers.catalogue import Catalogue
from creditmesh.offers.matching import match
from creditmesh.offers.offer import Need, Offer
from creditmesh.offers.store import OfferStore, ProductStore
from creditmesh.platform.objects import Objects
from creditmesh.risk.expression import FeatureValue


class MatchingGone(Conflict):
    """An application was not matched, or what its matching rested on is not stored any more."""

    code = "matching_gone"


class Matching(BaseModel):
    """What a matching rested on."""

    model_config = ConfigDict(frozen=True)

    need: Need
    """Without features."""
    weights: dict[str, int]
    catalogue: str
    """Key of the catalogue's state."""
    features_key: str | None
    """Key data whose features products asked for."""


class MatchReplay(BaseModel):
    """The result of matching again."""

    model_config = ConfigDict(frozen=True)

    application_id: str
    equal: bool = Field(description="offers and nearest product are those that were stored, to the bit")
    differences: dict[str, dict[str, JsonValue]] = Field(description="path → recorded and replayed value")
    matched_on: date = Field(description="the business date whose products and cap counted")
    available: str = Field(description="what was left of the limit, in minor units")
    weights: dict[str, int]
    products: int = Field(description="of the catalogue")
    catalogue: str = Field(description="where its state is stored")
    offers: list[Offer]


class Matchings:
    """Keeps what matchings rest on, and repeats them.

    Args:
        key_data: returns the features of a key data document.
    """

    def __init__(
        self,
        objects: Objects,
        products: ProductStore,
        offers: OfferStore,
        key_data: Callable[[str], Mapping[str, FeatureValue]],
    ) -> None:
        self._objects, self._products, self._offers, self._key_data = objects, products, offers, key_data
        self._kept: tuple[Catalogue, str] | None = None

    def keep(
        self, catalogue: Catalogue, need: Need, weights: Mapping[str, int], features_key: str | None
    ) -> dict[str, Any]:
        """Store the catalogue's state, unless the last matching had the same; returns what to store with the offers."""
        if self._kept is None or self._kept[0] is not catalogue:
            text = json.dumps(state_of(catalogue), ensure_ascii=False, separators=(",", ":")).encode()
            key = f"catalogues/{hashlib.sha256(text).hexdigest()}.json.gz"
            if self._kept is None or self._kept[1] != key:
                self._objects.put(key, gzip.compress(text, mtime=0), "application/gzip")
            self._kept = catalogue, key
        asked = features_key if need.features else None
        bare = need.model_copy(update={"features": {}})
        kept = Matching(need=bare, weights=dict(weights), catalogue=self._kept[1], features_key=asked)
        return kept.model_dump(mode="json")

    def replay(self, application: Application) -> MatchReplay:
        """Match an application again as it was matched, and compare.

        Raises:
            MatchingGone: see the class.
        """
        recorded, kept = self._offers.recorded(application.application_id)
        if kept is None:
            raise MatchingGone("the application was not matched, or what it was matched against was not kept")
        matching = Matching.model_validate(kept)
        try:
            catalogue = self._catalogue(matching.catalogue)
            features = dict(self._key_data(matching.features_key)) if matching.features_key else {}
        except NotFound:
            raise MatchingGone("what the matching rested on is not stored any more") from None
        need = matching.need.model_copy(update={"features": features})
        matched = match(catalogue, need, matching.weights)
        nearest = matched.nearest.model_dump(mode="json") if matched.nearest else None
        made = [one.model_dump(mode="json") for one in matched.offers]
        differences = dict(_differences(recorded, made, application.nearest, nearest))
        return MatchReplay(
            application_id=application.application_id, equal=not differences, differences=differences,
            matched_on=need.today, available=str(need.available_minor), weights=matching.weights,
            products=len(catalogue.rows), catalogue=matching.catalogue, offers=matched.offers,
        )  # fmt: skip

    def _catalogue(self, key: str) -> Catalogue:
        state = json.loads(gzip.decompress(self._objects.get(key)))
        products = self._products.each([(lender, name, version) for lender, name, version, *_ in state])
        if len(products) < len(state):
            raise NotFound("a version of a product is missing")
        left = {(lender, name): left for lender, name, _, left, _ in state if left is not None}
        hours = {(lender, name): hours for lender, name, _, _, hours in state if hours is not None}
        return Catalogue.of(products, left, hours)


def state_of(catalogue: Catalogue) -> list[list[JsonValue]]:
    """Lender, product, version, what is left of its capacity and its measured hours, in a fixed order."""
    return sorted(
        [
            row.product.lender_id, row.product.product_id, row.product.version, row.left, row.measured
        ] for row in catalogue.rows
    )  # fmt: skip


def _differences(
    recorded: Sequence[Mapping[str, Any]], made: Sequence[Mapping[str, Any]], nearest: Any, made_nearest: Any
) -> list[tuple[str, dict[str, JsonValue]]]:
    found: list[tuple[str, Any, Any]] = [("nearest", nearest, made_nearest)]
    for place in range(max(len(recorded), len(made))):
        before, after = (dict(each[place]) if place < len(each) else {} for each in (recorded, made))
        found += [(f"offers[{place}].{name}", before.get(name), after.get(name)) for name in sorted({*before, *after})]
    return [(path, {"recorded": was, "replayed": now}) for path, was, now in found if was != now]
