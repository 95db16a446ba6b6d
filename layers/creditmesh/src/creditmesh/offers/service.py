"""Use cases of offers: applications are matched, borrowers choose."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from creditmesh.intake.model import WAITS, Actor, Application, NotAwaited, Outcome, Status
from creditmesh.intake.moves import CHOOSE, MATCH_NOTHING, OFFER
from creditmesh.intake.notes import Note
from creditmesh.intake.terms import ChosenTerms
from creditmesh.kernel.caller import Caller, Role
from creditmesh.kernel.clock import Clock
from creditmesh.kernel.errors import Forbidden, InvalidInput, Parameter
from creditmesh.kernel.money import Money
from creditmesh.offers.catalogue import Catalogue
from creditmesh.offers.cost import CannotBeLent, LoanCost, cost_bps_of, cost_of
from creditmesh.offers.exposure import Borrower, Commitment, Exposures, capacities_of
from creditmesh.offers.matching import match
from creditmesh.offers.model import NothingMatches, Product
from creditmesh.offers.offer import Fit, Nearest, Need, Offer, Wanted, within
from creditmesh.offers.products import Products
from creditmesh.offers.replay import Matchings
from creditmesh.offers.schedule import Method
from creditmesh.offers.store import OfferStore
from creditmesh.platform.tables import ConditionFailed, Write, again
from creditmesh.platform.tasks import Tasks
from creditmesh.platform.waits import Answer, Wait, Waits

if TYPE_CHECKING:
    from creditmesh.intake.ports import Applications
    from creditmesh.platform.country import Country
    from creditmesh.risk.expression import FeatureValue


_CHOICE = WAITS[Status.OFFERED]


class Offers:
    """Offers to applications, and the choice among them.

    Args:
        key_data: returns the features of a key data document.
        country: whose caps apply.
    """

    def __init__(
        self,
        products: Products,
        store: OfferStore,
        exposures: Exposures,
        matchings: Matchings,
        applications: Applications,
        tasks: Tasks,
        waits: Waits,
        clock: Clock,
        key_data: Callable[[str], Mapping[str, FeatureValue]],
        country: Country,
    ) -> None:
        self._products, self._store, self._exposures, self._applications = products, store, exposures, applications
        self._matchings = matchings
        self._tasks, self._waits, self._clock = tasks, waits, clock
        self._key_data, self._country = key_data, country

    def of(self, caller: Caller, application_id: str) -> tuple[Application, list[Offer]]:
        """An application and its offers, best first; a lender sees its own."""
        application, (item,) = self._applications.get_for(caller, application_id, self._store.ref(application_id))
        standing = _standing(self._store.read_as(item), [one.lender_id for one in application.refused])
        everyone = caller.role is not Role.LENDER
        return application, [offer for offer in standing if everyone or offer.lender_id == caller.tenant]

    def standing(self, application_id: str, refused: Collection[str]) -> bool:
        """Whether an application has offers of other lenders than those that refused."""
        _, (item,) = self._applications.summary_with(application_id, self._store.ref(application_id))
        return bool(_standing(self._store.read_as(item), refused))

    def stated(
        self, lender_id: str, product_id: str, terms: ChosenTerms, *, amount: str, annual_rate_bps: int,
        term_months: int,
    ) -> ChosenTerms:  # fmt: skip
        """Chosen terms as a lender states them otherwise, with their cost.

        Raises:
            InvalidInput: taken up by the fees, or above the legal cap.
        """
        product = self._products.version(lender_id, product_id, terms.version)
        method = Method(terms.repayment_method)
        fields = "data.approved_amount", "data.annual_rate_bps"
        minor = Money.parse(amount, terms.currency).minor
        cost = self._cost(product, minor, annual_rate_bps, method, term_months, fields)
        stated = {
            "amount": amount, "annual_rate_bps": annual_rate_bps, "term_months": term_months,
            "cost": cost.model_dump(),
        }  # fmt: skip
        return ChosenTerms.freeze(**{**terms.model_dump(exclude={"sha256"}, exclude_unset=True), **stated})

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
        if application.refused:
            self._waits.wait(application_id, _CHOICE, token, (_number(application),))
            return
        catalogue = self._products.matched_against()
        need, weights = self._need(application, catalogue), application.required_flow().ranking.model_dump()
        matched = match(catalogue, need, weights)
        rests_on = self._matchings.keep(catalogue, need, weights, application.key_data_key)
        stored = self._store.put(application_id, matched.offers, rests_on)
        if not matched.offers:
            self._nothing(application_id, matched.nearest, stored)
            raise NothingMatches("no product fits")
        offers = matched.offers
        offered = self._applications.move(application_id, OFFER, note=Note.of("offers_made", count=len(offers)))
        asked = self._waits.asking(application_id, _CHOICE, token)
        try:
            self._applications.apply(offered, stored, asked)
        except ConditionFailed:
            # The borrower chose while this step was retried, and an earlier task got the answer.
            if not self._waits.tell(application_id, _CHOICE, token):
                raise

    def choose(self, caller: Caller, application_id: str, wanted: Wanted) -> Application:
        """Accept the borrower's choice and commit its amount, in one transaction.

        Raises:
            InvalidInput: not one of the offers, or outside it.
            LimitExhausted, CapacityExhausted: taken by other choices meanwhile.
            NotAwaited: no choice is awaited, or another was made.
        """
        if caller.role not in (Role.BORROWER, Role.BANK):
            raise Forbidden("only the borrower may choose")
        return again(lambda: self._chosen(caller, application_id, wanted))

    def _chosen(self, caller: Caller, application_id: str, wanted: Wanted) -> Application:
        application, (offered, asked) = self._applications.get_for(
            caller, application_id, self._store.ref(application_id), self._waits.ref(application_id, _CHOICE)
        )
        chosen = application.chosen_terms
        if chosen is None:
            application.require_open()
            if application.status is not Status.OFFERED:
                raise NotAwaited("the application does not wait for a choice")
        elif (application.chosen_lender_id, application.chosen_product_id) != (wanted.lender_id, wanted.product_id):
            raise NotAwaited("another choice was made")
        standing = _standing(self._store.read_as(offered), [one.lender_id for one in application.refused])
        offer = _offer_of(standing, wanted)
        product = self._products.version(offer.lender_id, offer.product_id, offer.version)
        terms = self._terms(offer, product, wanted)
        if chosen is not None:
            if chosen != terms:
                raise NotAwaited("another choice was made")
            return application
        self._products.require_lender(offer.lender_id)
        commitment = self._commitment(application, product, terms)
        moved = self._applications.move(
            application_id, CHOOSE, Actor.of(caller), note=Note.of("chosen", name=offer.name),
            chosen_product_id=offer.product_id, chosen_lender_id=offer.lender_id,
            chosen_terms=terms.model_dump(mode="json"),
        )  # fmt: skip
        wait, answer = Wait(application_id, _CHOICE, asked), Answer()
        committing = self._exposures.committing(commitment)
        try:
            self._applications.apply(moved, self._waits.answering(wait, answer, _number(application)), *committing)
        except ConditionFailed:
            self._exposures.refused(commitment)
            raise
        self._waits.give(wait.token, answer)
        return self._applications.after(application, moved)

    def _terms(self, offer: Offer, product: Product, wanted: Wanted) -> ChosenTerms:
        if wanted.amount is None and offer.fit is Fit.LARGER:
            raise InvalidInput("is required, as the offer is larger than asked for", field="amount", fault="required")
        amount = wanted.amount or offer.amount
        months, method = wanted.term_months or offer.term_months, wanted.repayment_method or offer.repayment_methods[0]
        minor = Money.parse(amount, offer.currency).minor
        if outside := within(offer, minor, months, method):
            raise InvalidInput(_BOUNDS[outside], field=outside, fault="outside_offer", **_bounds(offer, outside))
        # As offered it costs less than the cap, so what was chosen otherwise is at fault.
        at_fault = "amount" if minor != Money.parse(offer.amount, offer.currency).minor else "term_months"
        cost = self._cost(product, minor, offer.annual_rate_bps, method, months, ("amount", at_fault))
        return ChosenTerms.freeze(
            lender_id=offer.lender_id, product_id=offer.product_id, version=offer.version, amount=amount,
            currency=offer.currency, term_months=months, repayment_method=method.value,
            annual_rate_bps=offer.annual_rate_bps, day_count=product.day_count.value,
            due_day=product.due_day, grace_months=product.grace_months,
            fees=[fee.model_dump(mode="json", exclude_none=True) for fee in product.fees], cost=cost.model_dump(),
        )  # fmt: skip

    def _cost(
        self, product: Product, minor: int, rate_bps: int, method: Method, months: int, fields: tuple[str, str]
    ) -> LoanCost:  # fmt: skip
        """What a loan costs.

        Args:
            fields: to name where the fees take up the amount, and where the cost exceeds the legal cap.
        """
        try:
            cost = cost_of(product, minor, rate_bps, method, months)
        except CannotBeLent:
            raise InvalidInput("is taken up by the fees", field=fields[0], fault="taken_up_by_fees") from None
        cap = self._country.cap_bps(self._clock.today())
        if cap is not None and cost_bps_of(product, cost, rate_bps) > cap:
            raise InvalidInput(
                "makes the loan cost {cost} % a year, more than the legal cap", field=fields[1],
                fault="rate_exceeds_legal_cap", cost=cost.apr_percent,
            )  # fmt: skip
        return cost

    def _commitment(self, application: Application, product: Product, terms: ChosenTerms) -> Commitment:
        return Commitment(
            application_id=application.application_id,
            borrower=self._borrower(application),
            amount_minor=Money.parse(terms.amount, terms.currency).minor,
            limit_minor=_limit(application),
            capacities=capacities_of(product, self._products.month()),
        )

    def _borrower(self, application: Application) -> Borrower:
        return Borrower(application.taxpayer_id, self._applications.representative_of(application))

    def _need(self, application: Application, catalogue: Catalogue) -> Need:
        risk = application.risk
        if risk is None or risk.grade is None:
            raise NotAwaited("the application has not been approved by risk control")
        today, limit = self._clock.today(), _limit(application)
        asks = any(row.conditions for row in catalogue.rows)
        return Need(
            amount_minor=application.amount_minor,
            currency=application.currency,
            term_months=application.term_months,
            available_minor=self._exposures.available(self._borrower(application), limit),
            grade=risk.grade,
            model_rate_bps=risk.annual_rate_bps,
            industry=application.industry,
            features=dict(self._key_data(application.key_data_key)) if asks and application.key_data_key else {},
            today=today,
            cap_bps=self._country.cap_bps(today),
        )

    def _nothing(self, application_id: str, best: Nearest | None, stored: Write) -> None:
        note = Note.of("catalogue_empty")
        if best:
            named: dict[str, Parameter] = {"name": best.name, "unmet": [one.code for one in best.unmet]}
            words = f"nearest: {best.name}: {'; '.join(best.missing)}"
            note = Note(code="nothing_fits", parameters=named, words=words)
        self._applications.apply(
            self._applications.move(
                application_id, MATCH_NOTHING, outcome=Outcome.NO_MATCH, note=note,
                nearest=best.model_dump(mode="json") if best else None,
            ),
            stored,
        )  # fmt: skip


def _standing(offers: Sequence[Offer], refused: Collection[str]) -> list[Offer]:
    return [offer for offer in offers if offer.lender_id not in refused]


def _number(application: Application) -> str:
    """Of the choice that an application waits for."""
    return str(len(application.refused) + 1)


def _offer_of(offers: Sequence[Offer], wanted: Wanted) -> Offer:
    asked = (wanted.lender_id, wanted.product_id)
    offer = next((offer for offer in offers if (offer.lender_id, offer.product_id) == asked), None)
    if offer is None:
        raise InvalidInput("must be one of the offers of this application", field="product_id", fault="not_offered")
    if wanted.version not in (None, offer.version):
        raise InvalidInput(
            "must be {offered}, the version that was offered", field="version", fault="not_offered",
            offered=offer.version,
        )  # fmt: skip
    return offer


_BOUNDS = {
    "amount": "must be from {min} to {max}, in steps of {step} above the smallest",
    "term_months": "must be from {min} to {max}, in steps of {step} above the shortest",
    "repayment_method": "must be one of {allowed}",
}


def _bounds(offer: Offer, field: str) -> dict[str, Any]:
    """What an offer allows of a field, by the names of its sentence in `_BOUNDS`."""
    match field:
        case "amount":
            return {"min": offer.min_amount, "max": offer.max_amount, "step": offer.amount_step}
        case "term_months":
            return {"min": offer.min_term_months, "max": offer.max_term_months, "step": offer.term_step_months}
        case _:
            return {"allowed": [method.value for method in offer.repayment_methods]}


def _limit(application: Application) -> int:
    if application.risk is None or application.risk.limit_minor is None:
        raise NotAwaited("the application has not been approved by risk control")
    return application.risk.limit_minor
