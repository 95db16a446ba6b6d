"""What an application asks for, and what it is offered."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.money import Money
from creditmesh.offers.cost import LoanCost
from creditmesh.offers.schedule import Method
from creditmesh.risk.expression import FeatureValue


class Fit(StrEnum):
    """How an offer covers the request."""

    FULL = "full"
    REDUCED = "reduced"
    LARGER = "larger"


class Need(BaseModel):
    """The requirements of an assessed application."""

    model_config = ConfigDict(frozen=True)

    amount_minor: int
    currency: str
    term_months: int
    available_minor: int
    """Of the limit, what other loans and choices leave."""
    grade: str
    model_rate_bps: int | None = None
    """The model's price of the risk."""
    industry: str | None
    features: dict[str, FeatureValue] = {}
    today: date
    cap_bps: int | None = None
    """Most that the yearly cost may be where the platform lends; None where no law says."""


class Unmet(BaseModel):
    """A term that a product does not meet."""

    model_config = ConfigDict(frozen=True)

    code: str
    parameters: dict[str, str | int] = {}


class RankPoints(BaseModel):
    """Why an offer stands where it stands: points from 0 to 10,000, before weights."""

    model_config = ConfigDict(frozen=True)

    cost: int
    amount: int
    speed: int


class Offer(BaseModel):
    """A matching product with its terms for this application."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    product_id: str
    version: int
    name: str
    fit: Fit
    amount: str = Field(description="nearest to the request")
    min_amount: str
    max_amount: str = Field(description="the most that product, limit and capacity allow")
    amount_step: str
    currency: str
    term_months: int = Field(description="as asked for")
    min_term_months: int
    max_term_months: int
    term_step_months: int
    repayment_methods: list[Method]
    annual_rate_bps: int
    disbursement_hours: int = Field(description="promised")
    measured_hours: int | None = Field(
        default=None,
        description="from choice to payment of 90 % of this product's loans, in place of the promised hours in the "
        "ranking; null until 20 are measured",
    )
    cost: LoanCost = Field(description="of the amount, the term asked for and the first method")
    rank_points: int = Field(description="0 to 10,000, weighted")
    points: RankPoints


class Nearest(BaseModel):
    """The product with the fewest unmet terms, and these terms."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    product_id: str
    name: str
    missing: list[str] = Field(description="the unmet terms in English")
    unmet: list[Unmet] = Field(description="the same for programs and translations")


class Wanted(BaseModel):
    """A choice within one of the offers; what is not given is as offered."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    product_id: str
    version: int | None = None
    amount: str | None = None
    term_months: int | None = None
    repayment_method: Method | None = None


def within(offer: Offer, amount: int, months: int, method: Method) -> str | None:
    """The field that lies outside an offer; None if all are within."""
    bounds = offer.min_amount, offer.max_amount, offer.amount_step
    low, high, step = (Money.parse(bound, offer.currency).minor for bound in bounds)
    if not low <= amount <= high or (amount - low) % step:
        return "amount"
    least = offer.min_term_months
    if not least <= months <= offer.max_term_months or (months - least) % offer.term_step_months:
        return "term_months"
    return None if method in offer.repayment_methods else "repayment_method"
