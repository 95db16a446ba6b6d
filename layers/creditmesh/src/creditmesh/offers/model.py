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

MOST_OFFERS = 50
"""Nobody compares more, and an item takes 400 KB."""
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
    pushed_by: str | None = Field(default=None, description="id of the lender's user; null if it is not known")

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


class Unmet(BaseModel):
    """A term that a product does not meet."""

    model_config = ConfigDict(frozen=True)

    code: str
    parameters: dict[str, str | int] = {}


class Nearest(BaseModel):
    """The product with the fewest unmet terms, and these terms."""

    model_config = ConfigDict(frozen=True)

    lender_id: str
    product_id: str
    name: str
    missing: list[str] = Field(description="the unmet terms in English")
    unmet: list[Unmet] = Field(default=[], description="the same for programs and translations")


_SENTENCES = {
    "other_currency": "lends in {currency} only",
    "limit_below_request": "the limit {limit} is below the amount asked for",
    "request_above_maximum": "lends at most {max}",
    "limit_below_minimum": "lends at least {min}, the limit is {limit}",
    "term_too_short": "lends for at least {min} months",
    "term_too_long": "lends for at most {max} months",
    "grade_too_low": "asks for grade {grade} or better",
    "industry_excluded": "does not lend to industry {industry}",
    "not_on_offer": "is not on offer today",
}


def unmet_terms(product: Product, need: Need) -> list[Unmet]:
    """The terms that a product does not meet; empty if it fits."""
    limit = format_minor(need.limit_minor)
    checks: list[tuple[bool, str, dict[str, str | int]]] = [
        (product.currency == need.currency, "other_currency", {"currency": product.currency}),
        (need.limit_minor >= need.amount_minor, "limit_below_request", {"limit": limit}),
        (product.max_minor >= need.amount_minor, "request_above_maximum", {"max": product.max_amount}),
        (product.min_minor <= need.limit_minor, "limit_below_minimum", {"min": product.min_amount, "limit": limit}),
        (product.min_term_months <= need.term_months, "term_too_short", {"min": product.min_term_months}),
        (need.term_months <= product.max_term_months, "term_too_long", {"max": product.max_term_months}),
        (GRADES.index(need.grade) <= GRADES.index(product.min_grade), "grade_too_low", {"grade": product.min_grade}),
        (need.industry not in product.industries_excluded, "industry_excluded", {"industry": str(need.industry)}),
        (product.valid_from <= need.today <= product.valid_until, "not_on_offer", {}),
    ]
    return [Unmet(code=code, parameters=parameters) for fits, code, parameters in checks if not fits]


def sentence(unmet: Unmet) -> str:
    """An unmet term in English."""
    return _SENTENCES[unmet.code].format(**unmet.parameters)


def match(products: Iterable[Product], need: Need) -> list[Offer]:
    """The products that fit, best first, at most `MOST_OFFERS`."""
    fitting = [product for product in products if not unmet_terms(product, need)]
    best = _best(fitting, need) if fitting else (0, 0, 0)
    offers = [_offer(product, need, _points(product, best, need)) for product in fitting]
    ranked = sorted(
        offers, key=lambda offer: (-offer.rank_points, offer.annual_rate_bps, offer.lender_id, offer.product_id)
    )
    return ranked[:MOST_OFFERS]


def nearest(products: Iterable[Product], need: Need) -> Nearest | None:
    """The product with the fewest unmet terms; None if the catalogue is empty."""
    ranked = sorted(
        products, key=lambda one: (len(unmet_terms(one, need)), -one.max_minor, one.lender_id, one.product_id)
    )
    if not ranked:
        return None
    best, unmet = ranked[0], unmet_terms(ranked[0], need)
    return Nearest(
        lender_id=best.lender_id, product_id=best.product_id, name=best.name, missing=[sentence(one) for one in unmet],
        unmet=unmet,
    )  # fmt: skip


def _approvable(product: Product, need: Need) -> int:
    return min(need.limit_minor, product.max_minor)


def _best(fitting: Sequence[Product], need: Need) -> tuple[int, int, int]:
    """The largest amount, the lowest rate and the fewest hours among the products that fit."""
    return (
        max(_approvable(one, need) for one in fitting),
        min(one.annual_rate_bps for one in fitting),
        min(one.disbursement_hours for one in fitting),
    )


def _points(product: Product, best: tuple[int, int, int], need: Need) -> int:
    best_amount, best_rate, best_hours = best
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
