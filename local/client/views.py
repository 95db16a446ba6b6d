"""The parts of API responses that a client reads; unknown members are kept, so that the API may grow."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Cost(_View):
    """What a loan costs."""

    apr_percent: str


class Chosen(_View):
    """The product that the borrower chose, and its terms."""

    lender_id: str
    product_id: str
    amount: str
    cost: Cost


class ApplicationView(_View):
    """An application as the API shows it (docs/reference/api.md)."""

    application_id: str
    status: str
    outcome: str | None = None
    outcome_note: str | None = None
    firm_name: str
    awaits: str | None = None
    authorization_problem: str | None = None
    created_at: str
    updated_at: str
    score: int | None = None
    grade: str | None = None
    limit: str | None = None
    decision: str | None = None
    reasons: list[str] = []
    engine: str | None = None
    chosen: Chosen | None = None

    @property
    def ended(self) -> bool:
        """Whether it has an outcome."""
        return self.status == "closed"


class TimelineEntry(_View):
    """One event."""

    at: str
    status: str
    by: str
    note: str | None = None


class Offer(_View):
    """A matched product; the list is ranked, best first."""

    lender_id: str
    product_id: str
    version: int
    name: str
    fit: str
    amount: str
    min_amount: str
    max_amount: str
    amount_step: str
    annual_rate_bps: int

    def at_most(self, amount: str) -> Offer | None:
        """This offer with the largest amount up to `amount`; None if it begins above."""
        most, low = min(Decimal(amount), Decimal(self.max_amount)), Decimal(self.min_amount)
        if most < low:
            return None
        return self.model_copy(update={"amount": str(most - (most - low) % Decimal(self.amount_step))})


class CounterOffer(_View):
    """The terms that a lender offers instead of those chosen."""

    amount: str
    annual_rate_bps: int
    term_months: int
    terms_sha256: str


class PaymentOrder(_View):
    """The last order to pay."""

    order_id: str
    state: str
    cancel_asked_at: str | None


class LenderStanding(_View):
    """How the lender stands to an application."""

    lender_id: str | None
    state: str | None
    counter_offer: CounterOffer | None
    payment: PaymentOrder | None


class Contract(_View):
    """The lender's contract."""

    contract_id: str
    document: str
    document_sha256: str
    signed_at: str | None = None


class OperatorTask(_View):
    """A piece of work for a person."""

    task_id: str
    application_id: str
    stage: str

    @property
    def is_referral(self) -> bool:
        return self.stage == "Referral"
