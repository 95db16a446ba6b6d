"""Use cases of the catalogue: lenders push versions of their products, where they want it a second person decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Forbidden, InvalidInput, SamePerson
from creditmesh.offers.catalogue import Catalogue
from creditmesh.offers.contradictions import require_consistent
from creditmesh.offers.exposure import Exposures
from creditmesh.offers.model import NotALender, NotProposed, Product, ProductTerms, VersionDecision, VersionState
from creditmesh.offers.speed import Speed, Speeds
from creditmesh.offers.store import ProductStore
from creditmesh.platform.tables import again

if TYPE_CHECKING:
    from creditmesh.platform.country import Country
    from creditmesh.platform.institutions import Address

FRESH = timedelta(seconds=30)
"""For how long applications are matched against the same reading of the catalogue."""
TIME_TO_DECIDE = timedelta(days=7)
"""For how long a version waits for the second person."""


class Products:
    """The catalogue.

    Args:
        lenders: returns the lenders in the directory of institutions, by id.
        country: whose law applies.
    """

    def __init__(
        self,
        store: ProductStore,
        exposures: Exposures,
        speeds: Speeds,
        clock: Clock,
        lenders: Callable[[], Mapping[str, Address]],
        country: Country,
    ) -> None:
        self._store, self._exposures, self._speeds = store, exposures, speeds
        self._clock, self._lenders, self._country = clock, lenders, country
        self._snapshot: tuple[datetime, Catalogue] | None = None

    def push(self, caller: Caller, product_id: str, terms: ProductTerms) -> Product:
        """Enter a new version of one of the lender's own products; equal terms make none.

        It is in force at once; where the lender wants a second person it is proposed, in place of one that waits.

        Raises:
            NotALender: its tenant is not a lender in the directory of institutions.
            InvalidInput: not allowed where the platform lends, or it could never be lent as it says.
            ConditionFailed: another version was pushed at the same time.
        """
        lender = self._lender(caller)
        if not self._country.fees_may_be_deducted and any(fee.charged == "deducted" for fee in terms.fees):
            raise InvalidInput(
                "must not be deducted from the amount in {country}", field="fees", fault="deduction_not_allowed",
                country=self._country.country,
            )  # fmt: skip
        require_consistent(terms)
        newest = next(self._versions(caller.tenant, product_id), None)
        waiting = newest if newest and newest.state is VersionState.PROPOSED else None
        for known in (self._store.get(caller.tenant, product_id), waiting):
            if known and known.model_dump(include=set(ProductTerms.model_fields)) == terms.model_dump():
                return known
        now, alone = self._clock.now(), not lender.products_need_approval
        product = Product(
            **terms.model_dump(), lender_id=caller.tenant, product_id=product_id,
            version=newest.version + 1 if newest else 1, pushed_at=iso(now), pushed_by=caller.subject,
            state=VersionState.RELEASED if alone else VersionState.PROPOSED,
            expires_at=None if alone else iso(now + TIME_TO_DECIDE),
        )  # fmt: skip
        self._store.add(product, newest)
        self._snapshot = None
        return product

    def approve(self, caller: Caller, product_id: str, version: int, note: str = "") -> Product:
        """Put a proposed version in force. Idempotent.

        Raises:
            SamePerson: who entered it cannot approve it.
            NotProposed: it does not wait for a decision.
        """
        return again(lambda: self._decided(caller, product_id, version, VersionState.RELEASED, note))

    def reject(self, caller: Caller, product_id: str, version: int, note: str) -> Product:
        """Turn a proposed version down; who entered it may do so too. Idempotent.

        Raises:
            NotProposed: it does not wait for a decision.
        """
        return again(lambda: self._decided(caller, product_id, version, VersionState.REJECTED, note))

    def _decided(self, caller: Caller, product_id: str, version: int, state: VersionState, note: str) -> Product:
        self._lender(caller)
        product = self._as_of_now(self._store.version(caller.tenant, product_id, version))
        if product.state is state and product.decision and product.decision.by == caller.subject:
            return product
        if product.state is not VersionState.PROPOSED:
            raise NotProposed("the version is {state}", state=product.state.value)
        if state is VersionState.RELEASED and product.pushed_by == caller.subject:
            raise SamePerson("another person must approve what you have entered")
        decision = VersionDecision(by=caller.subject, at=iso(self._clock.now()), note=note)
        decided = product.model_copy(update={"state": state, "decision": decision})
        self._store.decide(decided)
        self._snapshot = None
        return decided

    def take_back(self, caller: Caller, product_id: str) -> None:
        """Remove one of the lender's own products from the catalogue."""
        if caller.role is not Role.LENDER:
            raise Forbidden("only lenders may remove products")
        self._store.delete(caller.tenant, product_id)
        self._snapshot = None

    def versions(self, caller: Caller, product_id: str, lender_id: str | None = None) -> list[Product]:
        """Every version of a product, newest first.

        Args:
            lender_id: needed from staff; a lender sees its own products only.

        Raises:
            InvalidInput: not named by staff.
        """
        return list(self._versions(_owner(caller, lender_id), product_id))

    def speed(self, caller: Caller, product_id: str, lender_id: str | None = None) -> Speed:
        """What a product's payments took; arguments and errors as of `versions`."""
        return self._speeds.of(_owner(caller, lender_id), product_id)

    def catalogue(self) -> list[Product]:
        """The products in force of all lenders in the directory of institutions."""
        lenders = self._lenders()
        return [product for product in self._store.all() if product.lender_id in lenders]

    def catalogue_for(self, caller: Caller) -> list[Product]:
        """The products that the caller may see: a lender its own, others all."""
        return [product for product in self.catalogue() if _is_for(caller, product)]

    def proposed_for(self, caller: Caller) -> list[Product]:
        """The versions that wait for a second person: a lender's own, staff all, others none."""
        if caller.role in (Role.BORROWER, Role.BANK):
            return []
        found = map(self._as_of_now, self._store.proposed())
        return [one for one in found if one.state is VersionState.PROPOSED and _is_for(caller, one)]

    def version(self, lender_id: str, product_id: str, version: int) -> Product:
        return self._store.version(lender_id, product_id, version)

    def matched_against(self) -> Catalogue:
        """The catalogue of at most `FRESH` ago; the commitment is the truth of what is left."""
        now = self._clock.now()
        if self._snapshot is None or now - self._snapshot[0] >= FRESH:
            products = self.catalogue()
            left, hours = self._exposures.left(products, self.month()), self._speeds.measured()
            self._snapshot = now, Catalogue.of(products, left, hours)
        return self._snapshot[1]

    def month(self) -> str:
        """The month whose capacity is taken, like `2026-11`."""
        return self._clock.today().isoformat()[:7]

    def require_lender(self, lender_id: str) -> None:
        """Check that a lender is still in the directory of institutions.

        Raises:
            InvalidInput: it has left.
        """
        if lender_id not in self._lenders():
            raise InvalidInput("must be a lender of the directory", field="lender_id", fault="not_offered")

    def _lender(self, caller: Caller) -> Address:
        if caller.role is not Role.LENDER:
            raise Forbidden("only lenders may push products")
        lender = self._lenders().get(caller.tenant)
        if lender is None:
            raise NotALender("your tenant must be a lender in the directory of institutions")
        return lender

    def _versions(self, lender_id: str, product_id: str) -> Iterator[Product]:
        return map(self._as_of_now, self._store.versions(lender_id, product_id))

    def _as_of_now(self, product: Product) -> Product:
        """A version whose time to be decided has run out is expired, though nobody has written so."""
        if product.state is VersionState.PROPOSED and (product.expires_at or "") <= iso(self._clock.now()):
            return product.model_copy(update={"state": VersionState.EXPIRED})
        return product


def _owner(caller: Caller, lender_id: str | None) -> str:
    lender = caller.tenant if caller.role is Role.LENDER else lender_id
    if lender is None:
        raise InvalidInput("is required", field="lender_id", fault="required")
    return lender


def _is_for(caller: Caller, one: Product) -> bool:
    return caller.role is not Role.LENDER or one.lender_id == caller.tenant
