"""Use cases of offers: lenders keep their catalogue, applications are matched, borrowers choose."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from creditmesh.intake.model import WAITS, Actor, Application, ChosenTerms, NotAwaited, Outcome, Status
from creditmesh.intake.moves import CHOOSE, MATCH_NOTHING, OFFER
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Forbidden, InvalidInput
from creditmesh.offers.model import Need, NotALender, NothingMatches, Offer, Product, ProductTerms, match, nearest
from creditmesh.offers.store import OfferStore, ProductStore
from creditmesh.platform.tables import ConditionFailed, again
from creditmesh.platform.tasks import Tasks
from creditmesh.platform.waits import Answer, Wait, Waits

if TYPE_CHECKING:
    from creditmesh.intake.ports import Applications


_CHOICE = WAITS[Status.OFFERED]


class Offers:
    """The catalogue and its matching.

    Args:
        lenders: returns the ids of the lenders in the directory of institutions.
    """

    def __init__(
        self,
        products: ProductStore,
        store: OfferStore,
        applications: Applications,
        tasks: Tasks,
        waits: Waits,
        clock: Clock,
        lenders: Callable[[], Collection[str]],
    ) -> None:
        self._products, self._store, self._applications = products, store, applications
        self._tasks, self._waits, self._clock, self._lenders = tasks, waits, clock, lenders

    def push(self, caller: Caller, product_id: str, terms: ProductTerms) -> Product:
        """Enter or replace one of the lender's own products.

        Raises:
            NotALender: its tenant is not a lender in the directory of institutions.
        """
        if caller.role is not Role.LENDER:
            raise Forbidden("only lenders may push products")
        if caller.tenant not in self._lenders():
            raise NotALender("your tenant must be a lender in the directory of institutions")
        product = Product(
            **terms.model_dump(),
            lender_id=caller.tenant,
            product_id=product_id,
            pushed_at=iso(self._clock.now()),
            pushed_by=caller.subject,
        )
        self._products.put(product)
        return product

    def take_back(self, caller: Caller, product_id: str) -> None:
        """Remove one of the lender's own products from the catalogue."""
        if caller.role is not Role.LENDER:
            raise Forbidden("only lenders may remove products")
        self._products.delete(caller.tenant, product_id)

    def catalogue(self) -> list[Product]:
        """The products of all lenders in the directory of institutions."""
        lenders = set(self._lenders())
        return [product for product in self._products.all() if product.lender_id in lenders]

    def catalogue_for(self, caller: Caller) -> list[Product]:
        """The products that the caller may see: a lender its own, others all."""
        return [product for product in self.catalogue() if _is_for(caller, product)]

    def of(self, caller: Caller, application_id: str) -> tuple[Application, list[Offer]]:
        """An application and its offers, best first; a lender sees its own."""
        application, (item,) = self._applications.get_for(caller, application_id, self._store.ref(application_id))
        return application, [offer for offer in self._store.read_as(item) if _is_for(caller, offer)]

    def offer(self, application_id: str, token: str) -> None:
        """Match the application, show the offers to the borrower and wait for the choice.

        Raises:
            NothingMatches: recorded as outcome, with the nearest product.
        """
        application = self._applications.get(application_id)
        if application.chosen_product_id:
            self._tasks.succeed(token, {})
            return
        application.require_open()
        need, products = self._need(application), self.catalogue()
        offers = match(products, need)
        if not offers:
            self._nothing(application_id, products, need)
            raise NothingMatches("no product fits")
        offered = self._applications.move(application_id, OFFER, note=f"{len(offers)} offers")
        stored, asked = self._store.put(application_id, offers), self._waits.asking(application_id, _CHOICE, token)
        try:
            self._applications.apply(offered, stored, asked)
        except ConditionFailed:
            # The borrower chose while this step was retried, and an earlier task got the answer.
            if not self._waits.tell(application_id, _CHOICE, token):
                raise

    def choose(self, caller: Caller, application_id: str, lender_id: str, product_id: str) -> Application:
        """Accept the borrower's choice among the offers."""
        if caller.role not in (Role.BORROWER, Role.BANK):
            raise Forbidden("only the borrower may choose")
        return again(lambda: self._chosen(caller, application_id, lender_id, product_id))

    def _chosen(self, caller: Caller, application_id: str, lender_id: str, product_id: str) -> Application:
        application, (offered, asked) = self._applications.get_for(
            caller, application_id, self._store.ref(application_id), self._waits.ref(application_id, _CHOICE)
        )
        if (application.chosen_lender_id, application.chosen_product_id) == (lender_id, product_id):
            return application
        application.require_open()
        if application.status is not Status.OFFERED:
            raise NotAwaited("the application does not wait for a choice")
        wanted = (lender_id, product_id)
        offers = self._store.read_as(offered)
        offer = next((offer for offer in offers if (offer.lender_id, offer.product_id) == wanted), None)
        if offer is None or lender_id not in self._lenders():
            raise InvalidInput("must be one of the offers of this application", field="product_id", fault="not_offered")
        moved = self._applications.move(
            application_id, CHOOSE, Actor.of(caller), note=offer.name, chosen_product_id=product_id,
            chosen_lender_id=lender_id, chosen_terms=offer.model_dump(include=set(ChosenTerms.model_fields)),
        )  # fmt: skip
        wait, answer = Wait(application_id, _CHOICE, asked), Answer()
        self._applications.apply(moved, self._waits.answering(wait, answer))
        self._waits.give(wait.token, answer)
        return self._applications.after(application, moved)

    def _need(self, application: Application) -> Need:
        risk = application.risk
        if risk is None or risk.limit_minor is None or risk.grade is None:
            raise NotAwaited("the application has not been approved by risk control")
        return Need(
            amount_minor=application.amount_minor,
            currency=application.currency,
            term_months=application.term_months,
            limit_minor=risk.limit_minor,
            grade=risk.grade,
            industry=application.industry,
            today=self._clock.today(),
        )

    def _nothing(self, application_id: str, products: list[Product], need: Need) -> None:
        best = nearest(products, need)
        note = f"nearest: {best.name}: {'; '.join(best.missing)}" if best else "the catalogue is empty"
        self._applications.apply(
            self._applications.move(
                application_id, MATCH_NOTHING, outcome=Outcome.NO_MATCH, note=note,
                nearest=best.model_dump(mode="json") if best else None,
            )
        )  # fmt: skip


def _is_for(caller: Caller, one: Offer | Product) -> bool:
    return caller.role is not Role.LENDER or one.lender_id == caller.tenant
