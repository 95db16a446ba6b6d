"""Use cases of offers: lenders keep their catalogue, applications are matched, borrowers choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from creditmesh.intake.model import Application, ChosenTerms, NotAwaited, Outcome, Status, waiting_for
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import Clock, iso
from creditmesh.kernel.errors import Forbidden, InvalidInput
from creditmesh.offers.model import Need, NothingMatches, Offer, Product, ProductTerms, match, nearest
from creditmesh.offers.store import OfferStore, ProductStore
from creditmesh.platform.tables import ConditionFailed
from creditmesh.platform.tasks import Tasks

if TYPE_CHECKING:
    from creditmesh.intake.store import ApplicationStore


OFFERABLE = (Status.ASSESSED, Status.OFFERED, Status.WITH_OPERATOR)


class Offers:
    """The catalogue and its matching."""

    def __init__(
        self, products: ProductStore, store: OfferStore, applications: ApplicationStore, tasks: Tasks, clock: Clock
    ) -> None:
        self._products, self._store, self._applications = products, store, applications
        self._tasks, self._clock = tasks, clock

    def push(self, caller: Caller, product_id: str, terms: ProductTerms) -> Product:
        """Enter or replace one of the lender's own products."""
        if caller.role is not Role.LENDER:
            raise Forbidden("only lenders push products")
        product = Product(
            **terms.model_dump(), lender_id=caller.tenant, product_id=product_id, pushed_at=iso(self._clock.now())
        )
        self._products.put(product)
        return product

    def take_back(self, caller: Caller, product_id: str) -> None:
        """Take one of the lender's own products out of the catalogue."""
        if caller.role is not Role.LENDER:
            raise Forbidden("only lenders take products back")
        self._products.delete(caller.tenant, product_id)

    def catalogue(self) -> list[Product]:
        """Every product on the platform."""
        return list(self._products.all())

    def of(self, application: Application) -> list[Offer]:
        """What an application was offered, best first."""
        return self._store.of(application.application_id)

    def offer(self, application_id: str, token: str) -> None:
        """Match the application, show the borrower the offers and wait for his choice.

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
        self._store.put(application_id, offers)
        try:
            self._applications.apply(
                self._applications.change(
                    application_id,
                    to=Status.OFFERED,
                    note=f"{len(offers)} offers",
                    waiting=waiting_for("choice", token, self._clock),
                    come_from=OFFERABLE,
                )
            )
        except ConditionFailed:
            # He chose while this step ran once more; whoever took his choice told the old token only.
            if not self._applications.get(application_id).chosen_product_id:
                raise
            self._tasks.succeed(token, {})

    def choose(self, caller: Caller, application: Application, lender_id: str, product_id: str) -> Application:
        """Take the borrower's choice among the offers."""
        if caller.role not in (Role.BORROWER, Role.BANK):
            raise Forbidden("only the borrower chooses")
        if (application.chosen_lender_id, application.chosen_product_id) == (lender_id, product_id):
            return application
        application.require_open()
        if application.status is not Status.OFFERED:
            raise NotAwaited("the application does not wait for a choice")
        wanted = (lender_id, product_id)
        offer = next((one for one in self.of(application) if (one.lender_id, one.product_id) == wanted), None)
        if offer is None:
            raise InvalidInput("must be one of the offers of this application", field="product_id")
        try:
            application = self._applications.moved(
                self._applications.change(
                    application.application_id,
                    to=Status.CHOSEN,
                    by=caller.role,
                    note=offer.name,
                    values={
                        "chosen_product_id": product_id,
                        "chosen_lender_id": lender_id,
                        "chosen_terms": offer.model_dump(include=set(ChosenTerms.model_fields)),
                    },
                    come_from=(Status.OFFERED,),
                )
            )
        except ConditionFailed:
            raise NotAwaited("the application does not wait for a choice any more") from None
        # With the token as it was at the write; a step that runs once more later finds the choice by itself.
        self._tasks.succeed(application.waiting.token if application.waiting else None, {})
        return application

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
            today=self._clock.now().date(),
        )

    def _nothing(self, application_id: str, products: list[Product], need: Need) -> None:
        best = nearest(products, need)
        note = f"nearest: {best.name}: {'; '.join(best.missing)}" if best else "the catalogue is empty"
        values = {"nearest": best.model_dump(mode="json")} if best else {}
        self._applications.apply(
            self._applications.change(
                application_id,
                to=Status.CLOSED,
                outcome=Outcome.NO_MATCH,
                note=note,
                values=values,
                remove=("waiting",),
            )
        )
