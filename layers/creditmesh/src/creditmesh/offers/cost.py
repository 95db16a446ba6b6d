"""What a loan costs, disclosed before it is chosen; without a date, so months are twelfths of a year."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from pydantic import BaseModel, ConfigDict, Field

from creditmesh.kernel.money import format_minor
from creditmesh.kernel.yearly_cost import Flow, NoRate, apr_actuarial
from creditmesh.offers.model import Product
from creditmesh.offers.schedule import Method, undated

_MOST_PERCENT = 1_000
"""Above this, fees leave next to nothing of the amount."""


class LoanCost(BaseModel):
    """What a loan costs, disclosed before it is chosen; the schedule has months of equal length."""

    model_config = ConfigDict(frozen=True)

    instalment: str = Field(description="the first instalment with principal; a bullet loan's one payment")
    total_repaid: str = Field(description="all instalments, and fees paid beside the payout")
    fees: str = Field(description="deducted or paid with the payout")
    net_paid: str = Field(description="what the borrower gets: the amount less deducted fees")
    apr_percent: str = Field(description="nominal yearly rate with fees (Regulation Z, actuarial)")
    effective_rate_percent: str = Field(description="compounded yearly rate with fees (Directive 2008/48/EC)")


class CannotBeLent(ValueError):
    """No amount of this product can be lent on these terms."""


def cost_of(product: Product, amount: int, annual_rate_bps: int, method: Method, months: int) -> LoanCost:
    """The cost of a loan without a date.

    Args:
        amount: in minor units.

    Raises:
        CannotBeLent: fees take up the amount, or nearly so.
    """
    rows = undated(amount, Fraction(annual_rate_bps, 10_000), method, months, grace=product.grace_months)
    deducted, beside = product.fees_of(amount, "deducted"), product.fees_of(amount, "at_payout")
    net = amount - deducted - beside
    at = [months] if method is Method.BULLET else [row.number for row in rows]
    try:
        apr = apr_actuarial(net, [Flow(row.payment, month) for row, month in zip(rows, at, strict=True)], 12)
    except NoRate:
        raise CannotBeLent("fees take up the amount") from None
    if apr > _MOST_PERCENT:
        raise CannotBeLent("fees take up nearly all of the amount")
    effective = ((1 + apr / 1200) ** 12 - 1) * 100  # the same, as every period is a twelfth of a year
    first = next(row for row in rows if row.principal or method is Method.INTEREST_ONLY)
    return LoanCost(
        instalment=format_minor(first.payment),
        total_repaid=format_minor(sum(row.payment for row in rows) + beside),
        fees=format_minor(deducted + beside),
        net_paid=format_minor(amount - deducted),
        apr_percent=percent(apr),
        effective_rate_percent=percent(effective),
    )


def cost_bps_of(product: Product, cost: LoanCost, annual_rate_bps: int) -> int:
    """The yearly cost that cap and rank compare; without fees the rate, as cents move the APR of a small loan."""
    return int(Decimal(cost.apr_percent) * 100) if _has_fees(product) else annual_rate_bps


def _has_fees(product: Product) -> bool:
    return any(fee.charged in ("deducted", "at_payout") for fee in product.fees)


def percent(rate: Decimal) -> str:
    return str(rate.quantize(Decimal("0.01"), ROUND_HALF_EVEN))
