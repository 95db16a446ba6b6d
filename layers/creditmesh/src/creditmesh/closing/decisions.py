"""What a lender decides on a submission."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

from creditmesh.closing.model import (
    MOST_INQUIRIES,
    Closing,
    ContradictoryAnswer,
    Counter,
    Ending,
    Inquiry,
    LenderDecision,
)
from creditmesh.intake.model import ApplicationSummary, LenderRefusal, Outcome, Status
from creditmesh.intake.moves import APPROVE, REJECT, REOPEN, Move
from creditmesh.intake.notes import Note
from creditmesh.intake.terms import ChosenTerms
from creditmesh.kernel.clock import Clock, iso, parse_instant
from creditmesh.kernel.errors import InvalidInput, Parameter
from creditmesh.kernel.money import Money
from creditmesh.platform.tables import Step
from creditmesh.platform.waits import Answer

NOT_AWAITED = "another answer was accepted before, or none is awaited"
MOST_LENDERS = 10
"""Lenders that one application is submitted to, one after the other."""
_TERMS = ("approved_amount", "currency", "annual_rate_bps", "term_months")


class Terms(Protocol):
    """Reprices chosen terms as a lender states them; `offers` does."""

    def __call__(
        self, lender_id: str, product_id: str, terms: ChosenTerms, *, amount: str, annual_rate_bps: int,
        term_months: int,
    ) -> ChosenTerms: ...  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """The changes made by a message."""

    values: dict[str, Any]
    """Attributes of the closing to set."""
    absent: tuple[str, ...]
    """Attributes that the closing must not have."""
    answer: Answer = Answer()
    """Output for the process."""
    move: Move | None = None
    """Move of the application, if any."""
    note: Note | None = None
    outcome: Outcome | None = None
    application: dict[str, Any] = field(default_factory=dict)
    """Attributes of the application to set."""
    also: list[Step] = field(default_factory=list)


class Reopening:
    """Gives the choice back to the borrower after a refusal, if offers of other lenders stand.

    Args:
        standing: whether an application has offers of other lenders than those named.
        releasing: the writes that release an application's commitment.
    """

    def __init__(
        self, standing: Callable[[str, Collection[str]], bool], releasing: Callable[[str], list[Step]]
    ) -> None:  # fmt: skip
        self._standing, self._releasing = standing, releasing

    def after(
        self, application: ApplicationSummary, refusal: LenderRefusal
    ) -> tuple[list[LenderRefusal], list[Step]] | None:
        """The lenders that have refused by then, and the writes beside the move; None if nothing else stands."""
        refused = [*application.refused, refusal]
        lenders = [one.lender_id for one in refused]
        if len(refused) >= MOST_LENDERS or not self._standing(application.application_id, lenders):
            return None
        return refused, self._releasing(application.application_id)


class Decisions:
    """Takes decisions."""

    def __init__(self, terms: Terms, reopening: Reopening, clock: Clock) -> None:
        self._terms, self._reopening, self._clock = terms, reopening, clock

    def take(self, application: ApplicationSummary, closing: Closing, message: LenderDecision) -> Taken:
        """The changes that a decision makes.

        Raises:
            ContradictoryAnswer: it contradicts an earlier one, or none is awaited.
            InvalidInput: incomplete, or not as chosen.
        """
        if closing.decision is not None or closing.pending:
            raise ContradictoryAnswer(NOT_AWAITED)
        if application.status not in (Status.SUBMITTED, Status.WITH_OPERATOR):
            raise ContradictoryAnswer(NOT_AWAITED)
        match message.data.decision:
            case "approved":
                return self._approved(closing, message)
            case "countered":
                return self._countered(closing, message)
            case "information_required":
                return self._inquired(closing, message)
            case _:
                return self._rejected(application, closing, message)

    def _approved(self, closing: Closing, message: LenderDecision) -> Taken:
        terms = closing.terms
        amount, rate, months = _complete(message, terms)
        if amount != Money.parse(terms.amount, terms.currency).minor:
            raise InvalidInput(
                "must be {agreed} as chosen; less is a counter-offer", field="data.approved_amount",
                fault="not_as_agreed", agreed=terms.amount,
            )  # fmt: skip
        if rate > terms.annual_rate_bps:
            raise InvalidInput(
                "must be at most {max} as chosen; more is a counter-offer", field="data.annual_rate_bps",
                fault="too_large", max=terms.annual_rate_bps,
            )  # fmt: skip
        if months != terms.term_months:
            raise InvalidInput(
                "must be {agreed} as chosen; less is a counter-offer", field="data.term_months",
                fault="not_as_agreed", agreed=terms.term_months,
            )  # fmt: skip
        note = Note.of("approved_for", amount=terms.amount, currency=terms.currency)
        if rate == terms.annual_rate_bps:
            return Taken({"decision": said(message)}, ("decision",), move=APPROVE, note=note)
        cheaper = self._stated(closing, message).model_dump(mode="json")
        values, chosen = {"decision": said(message), "terms": cheaper}, {"chosen_terms": cheaper}
        return Taken(values, ("decision",), move=APPROVE, note=note, application=chosen)

    def _countered(self, closing: Closing, message: LenderDecision) -> Taken:
        terms, until = closing.terms, message.data.valid_until
        amount, rate, months = _complete(message, terms)
        chosen = Money.parse(terms.amount, terms.currency).minor
        if not 0 < amount <= chosen:
            raise InvalidInput(
                "must be positive and at most {max}, the amount chosen", field="data.approved_amount",
                fault="out_of_range", max=terms.amount,
            )  # fmt: skip
        if months > terms.term_months:
            raise InvalidInput(
                "must be at most {max}, the term chosen", field="data.term_months", fault="too_large",
                max=terms.term_months,
            )  # fmt: skip
        if (amount, months) == (chosen, terms.term_months) and rate <= terms.annual_rate_bps:
            raise InvalidInput(
                "must be approved, as it differs from the choice in nothing to the borrower's disadvantage",
                field="data.decision", fault="not_a_counter_offer",
            )  # fmt: skip
        if until and parse_instant(until) <= self._clock.now():
            raise InvalidInput("must be in the future", field="data.valid_until", fault="in_the_past")
        offered = self._stated(closing, message)
        counter = Counter(terms=offered, said=said(message), valid_until=iso(parse_instant(until)) if until else None)
        stored = counter.model_dump(mode="json", exclude_none=True)
        return Taken({"counter": stored}, ("decision", "counter"), Answer(error=Ending.COUNTERED))

    def _inquired(self, closing: Closing, message: LenderDecision) -> Taken:
        question = message.data.question
        if question is None:
            raise InvalidInput("is required", field="data.question", fault="required")
        if len(closing.inquiries) >= MOST_INQUIRIES:
            raise InvalidInput(
                "must be another one: {max} questions have been asked", field="data.decision", fault="too_many",
                max=MOST_INQUIRIES,
            )  # fmt: skip
        asked = [*closing.inquiries, Inquiry(question=question, asked_at=iso(self._clock.now()))]
        stored = [one.model_dump(exclude_none=True) for one in asked]
        return Taken({"inquiries": stored}, ("decision", "counter"), Answer(error=Ending.INFORMATION))

    def _rejected(self, application: ApplicationSummary, closing: Closing, message: LenderDecision) -> Taken:
        data, values = message.data, {"decision": said(message)}
        named: dict[str, Parameter] = {"reason_code": data.reason_code} if data.reason_code else {}
        code = "rejected_by_lender" if data.reason or data.reason_code else "rejected_without_reason"
        note = Note(code=code, parameters=named, words=data.reason)
        refusal = LenderRefusal(lender_id=closing.lender_id, code=data.reason_code, reason=data.reason)
        again = self._reopening.after(application, refusal)
        if again is None:
            rejected = Answer(error=Ending.REJECTED)
            return Taken(values, ("decision",), rejected, REJECT, note, Outcome.LENDER_REJECTED)
        refused, writes = again
        return Taken(
            values, ("decision",), Answer(error=Ending.OFFER_REJECTED), REOPEN, note, also=writes,
            application={"refused": [one.model_dump(exclude_none=True) for one in refused]},
        )  # fmt: skip

    def _stated(self, closing: Closing, message: LenderDecision) -> ChosenTerms:
        """The terms as the lender states them, within the legal cap."""
        data = message.data
        return self._terms(
            closing.lender_id, closing.product_id, closing.terms, amount=data.approved_amount or "",
            annual_rate_bps=data.annual_rate_bps or 0, term_months=data.term_months or 0,
        )  # fmt: skip


def said(message: LenderDecision) -> dict[str, Any]:
    """A decision as it is kept."""
    return message.data.model_dump(exclude_none=True, exclude={"application_id"})


def already_said(closing: Closing, message: LenderDecision) -> bool:
    """Whether a decision repeats the last one under another id."""
    if closing.pending is Ending.INFORMATION:
        return (
            message.data.decision == "information_required" and message.data.question == closing.inquiries[-1].question
        )
    return said(message) in (closing.decision, closing.counter.said if closing.counter else None)


def _complete(message: LenderDecision, terms: ChosenTerms) -> tuple[int, int, int]:
    """Amount in minor units, rate and term of an approval or a counter-offer."""
    data = message.data
    for name in _TERMS:
        if getattr(data, name) is None:
            raise InvalidInput("is required with decision {decision}", field=f"data.{name}", fault="required",
                               decision=data.decision)  # fmt: skip
    if data.currency != terms.currency:
        raise InvalidInput("must be {agreed}", field="data.currency", fault="not_as_agreed", agreed=terms.currency)
    amount = Money.parse(data.approved_amount or "", terms.currency).minor
    return amount, data.annual_rate_bps or 0, data.term_months or 0
