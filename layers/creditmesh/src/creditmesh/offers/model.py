"""Lenders' products and their matching to an application."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from creditmesh.kernel.dates import Day
from creditmesh.kernel.errors import DomainError, Forbidden
from creditmesh.kernel.money import Money, format_minor
from creditmesh.kernel.text import LINE, NAME

GRADES = ("AAA", "AA", "A", "B", "C", "D", "E")
"""Risk grades from best to worst; an artefact's grade table uses a subset."""

_WEIGHTS = {"amount": 40, "rate": 40, "speed": 20}

_Code = Annotated[str, Field(min_length=1, max_length=40), LINE]


class NothingMatches(DomainError):
    """No product fits the application."""

    code = "no_match"


class NotALender(Forbidden):
    """The caller's tenant is not a lender in the directory of institutions."""

    code = "not_a_lender"


class ProductTerms(BaseModel):
    """The terms of one product, as its lender pushes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=2, max_length=80), NAME]
    currency: str = Field(pattern="^[A-Z]{3}$")
    min_amount: str = Field(max_length=20, examples=["50000.00"])
    max_amount: str = Field(max_length=20, examples=["500000.00"])
    min_term_months: int = Field(ge=1, le=360, strict=True)
    max_term_months: int = Field(ge=1, le=360, strict=True)
    annual_rate_bps: int = Field(ge=1, le=3600, strict=True, description="basis points a year; at most 36 %")
    disbursement_hours: int = Field(ge=0, le=720, strict=True)
    min_grade: str = Field(pattern="^(" + "|".join(GRADES) + ")$")
    industries_excluded: list[_Code] = Field(default=[], max_length=100)
    repayment_methods: list[_Code] = Field(default=["annuity"], min_length=1, max_length=8)
    valid_from: Day
    valid_until: Day

    @model_validator(mode="after")
    def _ranges(self) -> ProductTerms:
        low = Money.parse(self.min_amount, self.currency, field="min_amount")
        high = Money.parse(self.max_amount, self.currency, field="max_amount")
        if low > high or not low.minor:
            raise PydanticCustomError(
                "above", "must be positive and at most {other}", _about("min_amount", "max_amount")
            )
        if self.min_term_months > self.max_term_months:
            raise PydanticCustomError("above", "lies above {other}", _about("min_term_months", "max_term_months"))
        if self.valid_from > self.valid_until:
            raise PydanticCustomError("before", "lies before {other}", _about("valid_until", "valid_from"))
        return self


def _about(field: str, other: str) -> dict[str, str]:
    return {"field": field, "other": other}


class Product(ProductTerms):
    """A product of the catalogue."""

    lender_id: str
    product_id: str
    pushed_at: str

    @property
    def min_minor(self) -> int:
        return Money.parse(self.min_amount, self.currency).minor

    @property
    def max_minor(self) -> int:
        return Money.parse(self.max_amount, self.currency).minor


class Need(BaseModel):
    """The requirements of an assessed application."""

    model_config = ConfigDict(frozen=True)

    amount_minor: int
    currency: str
    term_months: int
    limit_minor: int
    grade: str
    industry: str | None
    today: date


class Offer(BaseModel):
    """A matching product with its terms for this application."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    product_id: str
    name: str
    amount: str = Field(description="what would be lent")
    approvable_amount: str = Field(description="the most this product and the limit allow")
    currency: str
    term_months: int
    annual_rate_bps: int
    disbursement_hours: int
    rank_points: int = Field(description="0 to 10,000; amount, rate and speed together")


class Nearest(BaseModel):
    """The product with the fewest unmet terms, and these terms."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    product_id: str
    name: str
    missing: list[str]


def missing_terms(product: Product, need: Need) -> list[str]:
    """The terms that a product does not meet, one sentence each; empty if it fits."""
    checks = [
        (product.currency == need.currency, f"lends in {product.currency} only"),
        (
            need.limit_minor >= need.amount_minor,
            f"the limit {format_minor(need.limit_minor)} is below the amount asked for",
        ),
        (product.max_minor >= need.amount_minor, f"lends at most {product.max_amount}"),
        (
            product.min_minor <= need.limit_minor,
            f"lends at least {product.min_amount}, the limit is {format_minor(need.limit_minor)}",
        ),
        (product.min_term_months <= need.term_months, f"lends for at least {product.min_term_months} months"),
        (need.term_months <= product.max_term_months, f"lends for at most {product.max_term_months} months"),
        (GRADES.index(need.grade) <= GRADES.index(product.min_grade), f"asks for grade {product.min_grade} or better"),
        (need.industry not in product.industries_excluded, f"does not lend to industry {need.industry}"),
        (product.valid_from <= need.today <= product.valid_until, "is not on offer today"),
    ]
    return [sentence for fits, sentence in checks if not fits]


def match(products: Iterable[Product], need: Need) -> list[Offer]:
    """The products that fit, best first."""
    fitting = [product for product in products if not missing_terms(product, need)]
    offers = [_offer(product, need, _points(product, fitting, need)) for product in fitting]
    return sorted(
        offers, key=lambda offer: (-offer.rank_points, offer.annual_rate_bps, offer.lender_id, offer.product_id)
    )


def nearest(products: Iterable[Product], need: Need) -> Nearest | None:
    """The product with the fewest unmet terms; None if the catalogue is empty."""
    ranked = sorted(
        products, key=lambda one: (len(missing_terms(one, need)), -one.max_minor, one.lender_id, one.product_id)
    )
    if not ranked:
        return None
    best = ranked[0]
    return Nearest(
        lender_id=best.lender_id, product_id=best.product_id, name=best.name, missing=missing_terms(best, need)
    )


def _approvable(product: Product, need: Need) -> int:
    return min(need.limit_minor, product.max_minor)


def _points(product: Product, fitting: Sequence[Product], need: Need) -> int:
    best_amount = max(_approvable(one, need) for one in fitting)
    best_rate = min(one.annual_rate_bps for one in fitting)
    best_hours = min(one.disbursement_hours for one in fitting)
    parts = {
        "amount": _approvable(product, need) * 10_000 // best_amount,
        "rate": best_rate * 10_000 // product.annual_rate_bps,
        "speed": (best_hours + 1) * 10_000 // (product.disbursement_hours + 1),
    }
    return sum(_WEIGHTS[name] * value for name, value in parts.items()) // 100


def _offer(product: Product, need: Need, points: int) -> Offer:
    return Offer(
        lender_id=product.lender_id,
        product_id=product.product_id,
        name=product.name,
        amount=format_minor(max(need.amount_minor, product.min_minor)),
        approvable_amount=format_minor(_approvable(product, need)),
        currency=product.currency,
        term_months=need.term_months,
        annual_rate_bps=product.annual_rate_bps,
        disbursement_hours=product.disbursement_hours,
        rank_points=points,
    )
